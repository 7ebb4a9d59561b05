#include "agent/runtime/self_report.h"

#include <algorithm>

#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"

namespace agent::runtime {
namespace {

constexpr char kAsItIs[] =
    "the model could never be in doubt; let it give the number as it is, without scale, offset and "
    "narrow clips";

}  // namespace

double MostUncertainty(const Policy& policy) {
  double most = 1;
  if (policy.command().type == CommandType::kTwist2d) {
    const TwistLimits& limits = policy.nominal();
    most = std::max({most, limits.vx_max_mps, -limits.vx_min_mps, limits.wz_abs_max_radps.At(0)});
  }
  for (const JointLimits& joint : policy.joints()) {
    most = std::max({most, joint.q_max_rad, -joint.q_min_rad});
  }
  return most;
}

absl::Status CheckDoubts(const std::string& path, const std::string& field,
                         const Conversion& conversion, const Policy& policy) {
  const std::optional<ConfidenceLimits>& sure = policy.confidence();
  if (field == "confidence" && sure) {
    const double lowest = std::min(conversion.Out(0), conversion.Out(1));
    if (lowest < sure->enter_below) return absl::OkStatus();
    return Under("S14", Wrong(path,
                              "must fall below the policy's output.confidence.enter_below (%g) for "
                              "a share of 0 or 1, falls to %g: %s",
                              sure->enter_below, lowest, kAsItIs));
  }
  const std::optional<ConfidenceLimits>& unsure = policy.uncertainty();
  if (field == "uncertainty" && unsure) {
    const double enter_above = -unsure->enter_below;  // held as a confidence of the opposite sign
    // A threshold of 1 or more is no share of 1 but a spread.
    const double largest = enter_above < 1 ? 1 : MostUncertainty(policy);
    const double highest = std::max(conversion.Out(0), conversion.Out(largest));
    if (highest > enter_above) return absl::OkStatus();
    return Under("S14", Wrong(path,
                              "must rise above the policy's output.uncertainty.enter_above (%g) "
                              "for 0 or %g, rises to %g: %s",
                              enter_above, largest, highest, kAsItIs));
  }
  return absl::OkStatus();
}

}  // namespace agent::runtime
