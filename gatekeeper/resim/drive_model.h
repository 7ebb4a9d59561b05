#pragma once

#include <cstdint>
#include <deque>

#include "agent/runtime/geometry.h"
#include "agent/runtime/twist_limits.h"
#include "gatekeeper/resim/drive_log.h"

namespace gatekeeper::resim {

// How a drive follows a twist: late, and no harder than it can. Differential and Ackermann drives
// alike: a twist says along which circle, and a policy that forbids turning on the spot forbids it
// here too.
struct DriveModel {
  int64_t latency_ns = 0;
  double acc_mps2 = 0;
  double dec_mps2 = 0;
  double wz_acc_radps2 = 0;
  bool measured = false;  // from recorded commands; otherwise assumed
};

// Where no commands were recorded: what the policy demands of the drive, and this late.
inline constexpr int64_t kAssumedLatency_ns = 100'000'000;

// The latency (0 to 0.5 s) and limits with which the recorded commands, followed by this model,
// come nearest to the measured speeds (least squares over a grid; that is a cross-correlation in
// which the accelerations count too). The policy's own limits are kept unless others are better by
// a tenth: a drive that never braked hard says nothing about its brakes.
DriveModel FitDrive(const DriveLog& log, const agent::runtime::TwistLimits& limits);

// The way of one robot under a drive model. Commands must come in order of time.
class Drive {
 public:
  Drive(const DriveModel& model, const agent::runtime::Pose2& start, int64_t start_ns,
        double vx_mps, double wz_radps)
      : model_(model),
        pose_(start),
        now_ns_(start_ns),
        vx_mps_(vx_mps),
        wz_radps_(wz_radps),
        wanted_{start_ns, vx_mps, wz_radps} {}

  void Command(const TimedTwist& twist) { on_the_way_.push_back(twist); }
  // Drives on until then, in steps of 10 ms at most.
  void DriveTo(int64_t until_ns);

  const agent::runtime::Pose2& pose() const { return pose_; }
  int64_t now_ns() const { return now_ns_; }
  double vx_mps() const { return vx_mps_; }
  double wz_radps() const { return wz_radps_; }

 private:
  DriveModel model_;
  agent::runtime::Pose2 pose_;
  int64_t now_ns_;
  double vx_mps_;
  double wz_radps_;
  TimedTwist wanted_;
  std::deque<TimedTwist> on_the_way_;
};

}  // namespace gatekeeper::resim
