#pragma once

#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/monitor/verdict.h"
#include "proto/robot.pb.h"
#include "proto/verdict.pb.h"

namespace agent::runtime {

using base::Nanos;

// What the monitor of one of the policy's requirements says now.
struct RequirementState {
  std::string_view id;
  monitor::Verdict verdict = monitor::Verdict::kUnknown;
  double robustness = std::numeric_limits<double>::quiet_NaN();  // the margin; NaN while unknown
};

// One control tick: the command, the verdict and why. Views point into the rules of the tick, which
// the Controller keeps until its next Step.
struct Tick {
  Nanos now{};
  std::vector<double> raw;       // what the model asked for; empty: no usable answer
  std::vector<double> enforced;  // what the robot shall do
  bool stop = false;             // hold the brake
  std::string state;
  std::vector<std::string_view> triggers;  // active ones, in the order of the rules
  std::vector<std::string_view> reasons;   // why enforced differs from raw, e.g. "envelope:hall"
  // The policy had to hold the model back: a bound, its own step from the last answer, or the
  // envelope. Caps of the situation (transition, degraded, speed and scan zones) are not the
  // model's doing.
  bool clamped = false;
  bool deadline_missed = false;
  bool nonfinite = false;
  bool model_fault = false;  // a trigger of layer model holds a state other than the nominal one
  double confidence = 1;
  double uncertainty = 0;
  double clearance_m =
      std::numeric_limits<double>::quiet_NaN();  // of the centre, to the nearest edge
  double nearest_m =
      std::numeric_limits<double>::quiet_NaN();  // footprint to the nearest valid return
  double derate = 1;   // what the derating rules left of the largest speed
  Nanos infer{};       // as Model::took() tells; zero where nobody measures
  std::string digest;  // of the unit whose rules (and model, in model states) made the command; may
                       // be empty
  std::vector<RequirementState> requirements;  // in the order of the policy
};

// Into messages that the caller keeps, so that their memory is used again: no tick allocates. The
// record's latency is left alone: whoever drives the controller on a robot measures it.
void WriteRecord(const Tick& tick, gatekeeper::v1::TickRecord& record);
void WriteCommand(const Tick& tick, uint64_t seq, int64_t stamp_ns,
                  gatekeeper::v1::Command& command);

gatekeeper::v1::TickRecord ToRecord(const Tick& tick);

}  // namespace agent::runtime
