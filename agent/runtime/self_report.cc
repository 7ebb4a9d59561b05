#include "agent/runtime/self_report.h"

#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"

namespace agent::runtime {

absl::Status CheckDoubts(const std::string& path, const std::string& field,
                         const Conversion& conversion, const Policy& policy) {
  const std::optional<ConfidenceLimits>& sure = policy.confidence();
  if (field == "confidence" && sure && conversion.clip_min >= sure->enter_below) {
    return Under("S14", Wrong(path + ".clip_min",
                              "must be below the policy's output.confidence.enter_below (%g), is "
                              "%g: the model could never be in doubt",
                              sure->enter_below, conversion.clip_min));
  }
  // Held as a confidence of the opposite sign.
  const std::optional<ConfidenceLimits>& unsure = policy.uncertainty();
  if (field == "uncertainty" && unsure && conversion.clip_max <= -unsure->enter_below) {
    return Under("S14", Wrong(path + ".clip_max",
                              "must be above the policy's output.uncertainty.enter_above (%g), is "
                              "%g: the model could never be in doubt",
                              -unsure->enter_below, conversion.clip_max));
  }
  return absl::OkStatus();
}

}  // namespace agent::runtime
