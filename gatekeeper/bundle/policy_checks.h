#pragma once

#include <string>
#include <vector>

#include "gatekeeper/bundle/finding.h"
#include "proto/fallback.pb.h"
#include "proto/policy.pb.h"
#include "proto/unit.pb.h"

namespace gatekeeper::bundle {

// What agent/runtime does not need to know to drive, so that it does not prove it. All documents
// must compile; paths are of the control policy.

// S8: input ages and debounce of body zones fit into the hazard tolerance time.
std::vector<Finding> CheckReaction(const v1::ControlPolicy& policy, const v1::FallbackRules& rules);

// S15: the model's deadline leaves room in the command period for all that comes after it.
std::vector<Finding> CheckPeriod(const v1::ControlPolicy& policy);

// The unit that a robot may fall back to.
struct PreviousUnit {
  std::string label;
  std::vector<std::string> hardware;
  v1::ModelCard card;
  v1::ControlPolicy policy;
};

// S12: if the rules fall back to the previous unit, then that one commands the same fields at the
// same rate, reads only what this policy requires and watches, and runs on the same hardware. Paths
// are of the fallback rules.
std::vector<Finding> CheckPrevious(const v1::FallbackRules& rules, const v1::ControlPolicy& policy,
                                   const std::vector<std::string>& hardware,
                                   const PreviousUnit& previous);

}  // namespace gatekeeper::bundle
