#pragma once

#include <vector>

#include "agent/runtime/geometry.h"
#include "proto/robot.pb.h"

namespace agent::runtime {

// How the built-in controller drives; see v1::FollowGap.
struct FollowGapLimits {
  double vx_mps = 0;
  double wz_abs_max_radps = 0;
  double free_m = 0;
  double half_width_m = 0;
  double field_rad = 0;
};

// A controller without model, map or goal, after the "follow the gap" method (Sezer and Gokasan,
// Robotics and Autonomous Systems 60(9), 2012) with the goal left out: it turns towards the middle
// of the widest free gap ahead, and drives the slower the nearer the next return straight ahead is.
//
// A bearing is free when a robot of half_width_m that went free_m along it would meet no return. A
// beam without a return is free: a laser that sees nothing at all must be caught by the input's
// min_valid_fraction. What the scan does not cover is not free.
class FollowGap {
 public:
  // The twist [vx_mps, wz_radps] for this scan, a function of the two arguments alone. Allocates
  // only when a scan has more beams than any before.
  void Steer(const FollowGapLimits& limits, const gatekeeper::v1::LaserScan& scan,
             std::vector<double>& twist);

 private:
  struct Gap {
    double middle_rad = 0;
    size_t beams = 0;  // 0: none
  };
  void LayBeams(const gatekeeper::v1::LaserScan& scan);
  void BlockBearings(const FollowGapLimits& limits, const gatekeeper::v1::LaserScan& scan);
  Gap WidestGap(const FollowGapLimits& limits) const;
  double FreeAheadM(const FollowGapLimits& limits, const gatekeeper::v1::LaserScan& scan) const;

  // Of the beams, as long as the scanner stays the same.
  double angle_min_rad_ = 0;
  double angle_increment_rad_ = 0;
  std::vector<double> angles_rad_;
  std::vector<SinCos> directions_;

  std::vector<int> blocks_;  // by beam: returns that begin to block here, less those that end
};

}  // namespace agent::runtime
