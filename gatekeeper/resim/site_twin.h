#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/runtime/footprint.h"
#include "agent/runtime/twist_limits.h"
#include "gatekeeper/resim/drive_log.h"
#include "gatekeeper/resim/drive_model.h"
#include "gatekeeper/resim/grid_map.h"
#include "gatekeeper/resim/laser_model.h"

namespace gatekeeper::resim {

// How far a drive by the recorded commands (or, without commands, the measured speeds) ends from
// what was recorded, from the same start and without any correction on the way.
struct Faithfulness {
  double pose_error_m = 0;     // the largest, at any recorded pose
  double pose_error_at_s = 0;  // since the first pose
  double range_error_m = 0;    // median over the beams of |simulated - measured|, without noise
};

// A recorded drive's world, good enough to drive in again: what stood still, its laser, its drive.
// What moved is left out of it: persons and forklifts are in no map, and their returns are part of
// the laser's noise.
struct SiteTwin {
  DriveLog log;
  GridMap map;
  LaserModel laser;
  DriveModel drive;
  Faithfulness faithfulness;
};

// Of a robot with this footprint, whose drive is expected to keep these limits. kFailedPrecondition
// or kResourceExhausted say why there is none.
absl::StatusOr<SiteTwin> Reconstruct(DriveLog log, const agent::runtime::Footprint& footprint,
                                     const agent::runtime::TwistLimits& limits);

// Of the recorded commands in the twin; part of Reconstruct.
Faithfulness Validate(const DriveLog& log, const GridMap& map, const LaserModel& laser,
                      const DriveModel& drive);

}  // namespace gatekeeper::resim
