#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/runtime/policy.h"
#include "agent/runtime/resample.h"

namespace agent::runtime {

// What a model says about its own answer.
struct SelfReport {
  double confidence = 1;   // 1 when the card binds none
  double uncertainty = 0;  // 0 when the card binds none
};

// Refuses (S14) what a card at `path` makes of the output `field` when it clips away every
// confidence or uncertainty that the policy would act upon. Any other field is none of its
// business.
absl::Status CheckDoubts(const std::string& path, const std::string& field,
                         const Conversion& conversion, const Policy& policy);

}  // namespace agent::runtime
