#pragma once

#include <optional>
#include <vector>

#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/policy_files.h"

namespace gatekeeper::gates {

// Where the recorded robot went, over the policy's zones and what stands around it: the walls of
// the site's map or, without one, what its laser saw about the marked seconds. Where the unit drove
// in a world rebuilt from the clip, the worst of those drives too. Nothing without any pose.
// `map`: may be null.
std::optional<v1::Figure> TrajectoryFigure(const Evidence& evidence, const Replay& replay,
                                           const std::vector<double>& seconds,
                                           const MapOfSite* map);

}  // namespace gatekeeper::gates
