#include <algorithm>

#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/policy_shape.h"

// The `footprint` part of a control policy.

namespace agent::runtime {

absl::Status PolicyCompiler::FootprintPart() {
  const gatekeeper::v1::Footprint& written = document_.footprint();
  if (!twist()) {
    if (!document_.has_footprint()) return absl::OkStatus();
    return Wrong("footprint", "belongs to command type twist2d only");
  }
  if (document_.has_arm()) return Wrong("arm", "belongs to command type joints only");
  if (!document_.has_footprint()) {
    return Wrong("footprint", "must be given: margins are kept around the ground a robot covers");
  }
  ASSIGN_OR_RETURN(Region region,
                   CompileShape("footprint", written.polygon_m(),
                                written.has_circle_m() ? &written.circle_m() : nullptr));
  if (region.edges().size() > kMaxFootprintCorners) {
    return Wrong("footprint.polygon_m", "must have at most %d corners, has %d",
                 kMaxFootprintCorners, region.edges().size());
  }
  policy_.footprint_ = Footprint(std::move(region));
  const Vec2 low = policy_.footprint_.low();
  const Vec2 high = policy_.footprint_.high();
  return CheckFrom(
      "footprint", std::min(high.x - low.x, high.y - low.y), kLeastGroundM,
      "so wide is its narrower side, in m; margins are kept around it, and a point has none");
}

}  // namespace agent::runtime
