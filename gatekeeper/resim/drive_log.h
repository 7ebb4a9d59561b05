#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/recording/observation_reader.h"
#include "agent/runtime/geometry.h"

namespace gatekeeper::resim {

// Poses that a localisation or a later correction told, if a recording has them
// (gatekeeper.v1.Odometry, log time: that of the scan they belong to). They say where the robot
// was, and the odometry only how it got from one to the next.
inline constexpr char kCorrectedTopic[] = "/odom_corrected";

struct TimedPose {
  int64_t at_ns = 0;
  agent::runtime::Pose2 pose;
};

struct TimedTwist {
  int64_t at_ns = 0;
  double vx_mps = 0;
  double wz_radps = 0;
};

// Where the recorded robot was told to go.
struct TimedGoal {
  int64_t at_ns = 0;
  agent::runtime::Vec2 point;
};

// The signals by which a robot here is told its goal: as seen from its pose.
inline constexpr char kGoalBearing[] = "goal_bearing_rad";
inline constexpr char kGoalRange[] = "goal_range_m";

struct TimedScan {
  int64_t at_ns = 0;
  std::vector<float> ranges_m;  // non-finite or <= 0: no return
};

inline bool IsReturn(double range_m) { return std::isfinite(range_m) && range_m > 0; }

// What a recording tells of one drive, by receive time. The laser is taken to stand in the body's
// origin and to look ahead, as the policy's zones take it.
struct DriveLog {
  double angle_min_rad = 0;
  double angle_increment_rad = 0;
  std::vector<TimedScan> scans;  // all with as many beams as the first
  // In order of time; where there are corrected ones, those and the odometry's between them.
  std::vector<TimedPose> poses;
  bool corrected = false;  // they are
  // By the odometry: as it told, or, beside corrected poses, from each of its own to the next.
  std::vector<TimedTwist> measured;
  // What was commanded; a held brake is standing still. Empty where the recording has no commands,
  // or where they are the measured speeds written down again.
  std::vector<TimedTwist> commands;
  // Empty where the recording does not tell, or tells in another frame than the corrected poses'.
  std::vector<TimedGoal> goals;

  int64_t first_ns() const { return poses.front().at_ns; }
  int64_t last_ns() const { return poses.back().at_ns; }
  // Between the two poses around it, by time; the nearest one outside.
  agent::runtime::Pose2 PoseAt(int64_t at_ns) const;
};

// 100 MB of ranges, poses and speeds: over an hour at 20 Hz with 361 beams. A longer recording is
// to be cut into clips.
inline constexpr size_t kMaxLogNumbers = 25'000'000;

// The part of the recording received in [from_ns, to_ns]. kFailedPrecondition says what it lacks
// to be driven again: at least two poses and a scan; kResourceExhausted beyond kMaxLogNumbers.
absl::StatusOr<DriveLog> ReadDriveLog(const std::string& path,
                                      const agent::recording::ChannelMap& channels,
                                      int64_t from_ns = 0, int64_t to_ns = INT64_MAX);

// The last of a series, ordered by time, that is not after `at_ns`; its first where all are.
template <class Timed>
const Timed& LastAt(const std::vector<Timed>& series, int64_t at_ns);

}  // namespace gatekeeper::resim
