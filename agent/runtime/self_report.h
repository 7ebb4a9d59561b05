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

// An uncertainty is a share of 1, or the spread of a command's field in that field's unit. What is
// spread as far as this, the largest command, says nothing any more.
double MostUncertainty(const Policy& policy);

// Refuses (S14) what a card at `path` makes of the output `field` when its clips, scale and offset
// leave no confidence or uncertainty that the policy would act upon. Any other field is none of its
// business.
absl::Status CheckDoubts(const std::string& path, const std::string& field,
                         const Conversion& conversion, const Policy& policy);

}  // namespace agent::runtime
