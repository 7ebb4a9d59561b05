#pragma once

#include <string>

#include "proto/foxglove.pb.h"
#include "proto/gates.pb.h"
#include "proto/policy.pb.h"

namespace gatekeeper::gates {

// What a counterexample clip shows in a 3D view beside its scans: the policy's zones in the site
// frame (allowed green, forbidden red, slow yellow) and the robot's outline, which moves with it.
foxglove::SceneUpdate PolicyScene(const v1::ControlPolicy& policy, int64_t stamp_ns);

// The finding's words over the robot from the failing second on.
foxglove::SceneUpdate FindingScene(const std::string& words, int64_t stamp_ns);

}  // namespace gatekeeper::gates
