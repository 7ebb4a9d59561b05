#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/resim/drive_log.h"
#include "gatekeeper/resim/grid_map.h"
#include "gatekeeper/resim/movers.h"
#include "gatekeeper/resim/noise.h"
#include "proto/robot.pb.h"

namespace gatekeeper::resim {

// What a ray can meet at one moment.
struct Surroundings {
  const GridMap& map;
  const Standing& standing;

  double Cast(agent::runtime::Vec2 origin, const agent::runtime::SinCos& direction,
              double range_m) const;
};

// A laser as one recording shows it, fitted to what is left between the world, movers included, and
// the measured ranges. What it cannot say: beams are drawn one by one, so that what takes several
// beams at once and is neither wall nor mover appears as that many specks, in `outlier`.
struct LaserModel {
  double angle_min_rad = 0;
  double angle_increment_rad = 0;
  size_t beams = 0;
  double max_range_m = 0;  // the longest measured
  double bias_m = 0;       // median of measured - world
  double sigma_m = 0;      // 1.4826 times the median distance from it: few outliers do not move it
  double dropout = 0;      // share of beams without a return where there is a surface
  double outlier = 0;      // share of returns that end well before any surface
  std::vector<float> outlier_ranges_m;  // of some of them, ascending
  uint64_t compared = 0;                // beams that the fit rests on
};

// kFailedPrecondition when fewer than 200 beams of the log meet a surface.
absl::StatusOr<LaserModel> FitLaser(const GridMap& map, const Movers& movers, const DriveLog& log);

// What the laser would measure from a pose: ranges and angles; the stamp is left alone.
void SimulateScan(const LaserModel& laser, const Surroundings& around,
                  const agent::runtime::Pose2& pose, Noise& noise, v1::LaserScan& scan);

}  // namespace gatekeeper::resim
