#pragma once

#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/base/digest.h"
#include "gatekeeper/gates/fault.h"
#include "gatekeeper/gates/recording_faults.h"
#include "gatekeeper/gates/scenario_library.h"
#include "gatekeeper/gates/test_bench.h"
#include "proto/verdict.pb.h"

namespace gatekeeper::gates {

class InputOracle;

// What the recorded robot was driven by, as far as a model should imitate it: brakes held by a
// fallback are left out.
struct RecordedCommand {
  int64_t at_ns = 0;
  std::vector<double> values;
};

// One run of the model.
struct Frame {
  size_t tick = 0;
  agent::base::Nanos took{};
};

// The newest odometry as the controller knew it at a tick; NaN before the first.
struct MeasuredMotion {
  double x_m = std::numeric_limits<double>::quiet_NaN();
  double y_m = std::numeric_limits<double>::quiet_NaN();
  double yaw_rad = std::numeric_limits<double>::quiet_NaN();
  double vx_mps = std::numeric_limits<double>::quiet_NaN();
  double wz_radps = std::numeric_limits<double>::quiet_NaN();
};

// From here on something lies in a stop zone of the policy, or nothing does any more: by the points
// of one scan alone (separation.h), without the zone's counters.
struct ZoneChange {
  int64_t at_ns = 0;
  bool occupied = false;
};

// How long the commanded motion stayed near the recorded one (horizon.h).
struct Horizon {
  size_t ticks = std::numeric_limits<size_t>::max();          // the first so many are inside
  double seconds = std::numeric_limits<double>::quiet_NaN();  // NaN: the clip has no horizon
  bool left = false;                                          // false: the clip ended before
  double deviation_m = 0;                                     // at the end of it
  double deviation_deg = 0;
};

// One recording seen through the robot's Controller. Every gate judges this same stream of ticks.
struct Replay {
  const Scenario* scenario = nullptr;
  absl::Status status;  // why there are no ticks: the recording cannot be read
  int64_t first_ns = 0;
  int64_t last_ns = 0;
  std::vector<v1::TickRecord> ticks;
  std::vector<RecordedCommand> commands;  // in order of time
  std::vector<RecordingFault> faults;
  std::set<std::string> channels;          // that the recording has at least one message of
  std::vector<double> motion_clearance_m;  // see MotionClearance; one a tick
  std::vector<MeasuredMotion> measured;    // one a tick
  std::vector<ZoneChange> zone_changes;    // in order of time; nothing before the first
  std::vector<Frame> frames;               // measured; the only part that differs from run to run
  agent::base::Digest verdicts;            // SHA-256 over the serialised ticks
  Horizon horizon;                         // set by SetHorizons: the suite's limits decide it

  double Second(int64_t at_ns) const { return static_cast<double>(at_ns - first_ns) * 1e-9; }
  const std::string& id() const { return scenario->document.id(); }
};

// Least clearance (m) of the robot's outline if it drives the enforced command for one period from
// the recorded pose and then brakes at the policy's least deceleration; NaN without envelope or
// pose. Of an arm: of its tool point at the commanded joint angles. `standing_m`, where it is a
// number, is the clearance at the pose, found out already.
double MotionClearance(const agent::runtime::Policy& policy, const v1::Odometry& odom,
                       const std::vector<double>& enforced,
                       double standing_m = std::numeric_limits<double>::quiet_NaN());

// Longest recording that is replayed (7 h at 20 Hz): beyond it a broken clock is likelier than a
// drive.
inline constexpr int64_t kMaxTicks = 500'000;

// How long the first tick waits for required channels.
inline constexpr int64_t kStartUp_ns = 1'000'000'000;

// Messages reach the Controller at their log time; the Controller steps at the policy's rate from
// when every required channel has come (at most a second after the first message) to the last
// message. From a fault's onset on, odometry answers the enforced commands: the robot in the
// recording drove on, this one would not have. Nothing here reads a clock but the stopwatch around
// the model, so equal inputs give equal ticks on any host. Unreadable recordings are told in
// `status`.
// `oracle`, where there is one, hears what reaches the Controller.
Replay RunReplay(const Scenario& scenario, TestBench& bench, const Fault& fault = {},
                 InputOracle* oracle = nullptr);

}  // namespace gatekeeper::gates
