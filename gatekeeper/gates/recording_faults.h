#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/runtime/policy.h"
#include "proto/robot.pb.h"

namespace gatekeeper::gates {

// A defect of a recording: where it first occurred, and how often.
struct RecordingFault {
  int64_t at_ns = 0;  // log time
  std::string channel;
  std::string what;
  uint64_t times = 1;
  bool clock = false;  // the sender's clock was set, or has wrapped
};

// One channel of an observation: its name, which lives as long as the observation, and its stamp
// (the packet's where the channel has none).
struct ChannelStamp {
  std::string_view channel;
  int64_t stamp_ns = 0;
};
// Into `stamps`, whose old content goes.
void StampsOf(const v1::Observation& observation, std::vector<ChannelStamp>& stamps);

// Watches the clocks of a recording: stamps that run backwards, stand still, or jump against the
// time of receipt, and silences longer than the policy allows.
class RecordingWatch {
 public:
  explicit RecordingWatch(const agent::runtime::Policy& policy) : policy_(policy) {}
  // Every channel of one observation.
  void See(const std::vector<ChannelStamp>& stamps, int64_t log_time_ns);
  // In order of first occurrence.
  std::vector<RecordingFault> Faults() const;

 private:
  struct Last {
    int64_t stamp_ns = 0;
    int64_t received_ns = 0;
    const agent::runtime::InputLimits* limits = nullptr;  // null: no input of the policy
  };
  void Compare(const ChannelStamp& now, const Last& last, int64_t log_time_ns);
  struct Kind {
    const char* name;
    bool clock;
  };
  void Note(std::string_view channel, const Kind& kind, int64_t at_ns, const std::string& what);

  const agent::runtime::Policy& policy_;
  std::map<std::string, Last, std::less<>> last_;
  std::map<std::pair<std::string, std::string>, RecordingFault> faults_;  // by channel and kind
};

}  // namespace gatekeeper::gates
