#include "agent/runtime/enforce.h"

#include <algorithm>
#include <cmath>

#include "agent/runtime/arm_filter.h"
#include "agent/runtime/twist_filter.h"

namespace agent::runtime {

void Enforce(const Policy& policy, const Separation& separation, std::span<const double> wanted,
             const Situation& situation, Enforcement& result) {
  result.values.assign(policy.command().fields.size(), 0);
  result.clamped = false;
  if (wanted.size() != result.values.size() || !AllFinite(wanted)) {
    result.reasons.push_back("unusable");
    const bool twist = policy.command().type == CommandType::kTwist2d;
    if (!twist) {
      BrakeJoints(policy, situation.last, situation.joints_radps, situation.acc_s, result.values);
    }
    return;
  }
  if (policy.command().type == CommandType::kTwist2d) {
    EnforceTwist(policy, separation, wanted, situation, result);
  } else {
    EnforceJoints(policy, wanted, situation, result);
  }
}

bool IsSound(const Policy& policy, std::span<const double> wanted,
             std::span<const double> enforced) {
  if (!AllFinite(enforced)) return false;
  if (policy.command().type == CommandType::kJoints) {
    return enforced.empty() || enforced.size() == wanted.size();
  }
  if (enforced.size() != wanted.size()) return false;
  for (size_t i = 0; i < enforced.size(); ++i) {
    if (std::abs(enforced[i]) > std::abs(wanted[i])) return false;
    if (enforced[i] * wanted[i] < 0) return false;
  }
  return true;
}

double RiseOf(std::span<const double> last, std::span<const double> driven, double seconds,
              double before) {
  if (last.size() != 2 || driven.size() != 2) return 0;
  if (!(seconds > 0)) return before;
  if (last[0] * driven[0] < 0) return 0;
  return std::max(0.0, (std::abs(driven[0]) - std::abs(last[0])) / seconds);
}

void BrakeAlong(const Policy& policy, std::span<const double> last, const Braking& braking,
                std::vector<double>& values) {
  if (policy.command().type != CommandType::kTwist2d) {
    BrakeJoints(policy, last, braking.joints_radps, braking.seconds, values);
    return;
  }
  values.assign(last.begin(), last.end());
  if (last.size() != 2) return;
  const double speed = std::abs(last[0]);
  const double dec = speed > 0 ? braking.dec_mps2 : policy.nominal().wz_acc_max_radps2;
  const double moving = speed > 0 ? speed : std::abs(last[1]);
  const double left = moving - dec * std::max(0.0, braking.seconds);
  const double factor = left > 0 ? left / moving : 0;
  for (double& value : values) value = value * factor + 0.0;
}

}  // namespace agent::runtime
