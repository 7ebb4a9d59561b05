#pragma once

#include <vector>

#include "gatekeeper/bundle/fallback_checks.h"
#include "proto/policy.pb.h"

namespace gatekeeper::bundle {

// S8 debounce and input ages fit into the hazard tolerance time; S11 zones are simple shapes and
// leave the robot some ground; S14 no number that switches a check off; S15 the deadline fits the
// period. What one document can say about itself is checked where it is compiled (agent/runtime).
std::vector<Finding> CheckPolicy(const v1::ControlPolicy& policy, const v1::FallbackRules& rules);

}  // namespace gatekeeper::bundle
