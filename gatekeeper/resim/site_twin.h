#pragma once

#include "absl/status/statusor.h"
#include "agent/runtime/footprint.h"
#include "agent/runtime/twist_limits.h"
#include "gatekeeper/resim/drive_log.h"
#include "gatekeeper/resim/drive_model.h"
#include "gatekeeper/resim/grid_map.h"
#include "gatekeeper/resim/laser_model.h"
#include "gatekeeper/resim/movers.h"
#include "gatekeeper/resim/site_map.h"

namespace gatekeeper::resim {

// What is simulated lies far off what was measured: three times what a wall's roughness, a cell and
// a good pose come to.
inline constexpr double kFarOff_m = 0.25;

// How far the rebuilt world is from what was recorded.
struct Faithfulness {
  // Of a drive by the recorded commands (or, without commands, the measured speeds) from the same
  // start and without any correction on the way.
  double pose_error_m = 0;     // the largest, at any recorded pose
  double pose_error_at_s = 0;  // since the first pose
  // Median over the beams on that way of |walls - measured|, without noise and movers. Of a drawn
  // map only what is drawn is taken for walls: so a map of another place does not get through.
  double range_error_m = 0;
  // Shares of the returns, from the recorded poses, that are more than kFarOff_m off: by the map
  // alone, and with the movers as well. The movers are those that every second scan shows, and the
  // returns those of the others.
  double far_off_walls = 0;
  double far_off = 0;
  // Seconds since the first pose at which the recorded robot stood in a wall, or on floor that the
  // map does not know; NaN: never.
  double impossible_at_s = 0;
};

// A recorded drive's world, good enough to drive in again: what stood still, what moved (as it
// moved: nobody in it reacts), the laser, the drive.
struct SiteTwin {
  DriveLog log;
  GridMap map;
  Movers movers;
  LaserModel laser;
  DriveModel drive;
  Faithfulness faithfulness;
};

// Of a robot with this footprint, whose drive is expected to keep these limits. With a `site` its
// walls are the world's, and the log's poses must be in its frame; null: the walls are those that
// the drive itself saw. kFailedPrecondition or kResourceExhausted say why there is none.
absl::StatusOr<SiteTwin> Reconstruct(DriveLog log, const agent::runtime::Footprint& footprint,
                                     const agent::runtime::TwistLimits& limits,
                                     const SiteMap* site = nullptr);

}  // namespace gatekeeper::resim
