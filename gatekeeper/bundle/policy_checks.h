#pragma once

#include <string>
#include <vector>

#include "proto/fallback.pb.h"
#include "proto/policy.pb.h"

namespace gatekeeper::bundle {

// A finding before it has a file and line: `path` is a place in the control policy.
struct Finding {
  std::string rule;
  std::string path;
  std::string message;
};

// What takes both documents, or is not needed to drive, so that agent/runtime does not prove it:
// S8 input ages and debounce fit into the hazard tolerance time; S11 the zones leave the robot
// ground. Both documents must compile.
std::vector<Finding> CheckPolicy(const v1::ControlPolicy& policy, const v1::FallbackRules& rules);

}  // namespace gatekeeper::bundle
