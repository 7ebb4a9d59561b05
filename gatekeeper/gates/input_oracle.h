#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "gatekeeper/faults/stream.h"
#include "proto/policy.pb.h"

namespace gatekeeper::gates {

// A second opinion on the inputs, read from the policy's document and not from the code that judges
// them on the robot: when what has arrived first breaks a limit beyond doubt. Silent about what is
// a matter of estimate (a clock's offset, to some milliseconds), so that a robot may be held to it.
class InputOracle {
 public:
  // Finds nothing before `from_ns`, when the fault begins.
  InputOracle(const v1::ControlPolicy& policy, int64_t from_ns)
      : policy_(policy), from_ns_(from_ns) {}

  // A packet on its arrival; in order of time.
  void Hear(const faults::Message& message);
  // The controller decides at `now_ns`.
  void Step(int64_t now_ns);

  int64_t demanded_ns() const { return demanded_ns_; }       // 0: never
  const std::string& demanded() const { return demanded_; }  // the trigger

 private:
  struct Seen {
    bool any = false;
    int64_t received_ns = 0;     // of the newest sound value
    int64_t recorded_ns = 0;     // when the recorded robot got what it says
    int64_t stamp_ns = 0;        // highest
    int64_t advanced_ns = 0;     // when that came
    int64_t least_delay_ns = 0;  // of arrival after stamp
    double valid = 1;            // share of beams, of the newest scan
    bool wrong = false;          // a stamp that must be noticed has come since the last step
  };
  void Hear(const std::string& channel, const v1::InputRule& rule, const faults::Message& message);
  bool Breaks(const std::string& channel, const v1::InputRule& rule, const Seen& seen,
              int64_t now_ns) const;

  const v1::ControlPolicy& policy_;
  int64_t from_ns_;
  std::map<std::string, Seen> seen_;
  int64_t demanded_ns_ = 0;
  std::string demanded_;
};

}  // namespace gatekeeper::gates
