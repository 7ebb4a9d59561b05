#include "agent/runtime/arm_filter.h"

#include <algorithm>
#include <cmath>

namespace agent::runtime {

void EnforceJoints(const Policy& policy, std::span<const double> wanted, const Situation& at,
                   Enforcement& result) {
  const std::span<const double> from = at.last.size() == wanted.size() ? at.last : at.joints_rad;
  if (from.size() != wanted.size() || !AllFinite(from)) {
    // Nobody knows where the arm is: no target is safe.
    result.values.clear();
    result.reasons.push_back("joints:unknown");
    return;
  }
  for (size_t i = 0; i < wanted.size(); ++i) {
    const JointLimits& joint = policy.joints()[i];
    const double target = std::clamp(wanted[i], joint.q_min_rad, joint.q_max_rad);
    const double whole = joint.qd_abs_max_radps * at.acc_s;
    const double step = whole * at.derate;
    result.values[i] = std::clamp(target, from[i] - step, from[i] + step) + 0.0;
    const bool outside = std::abs(target - wanted[i]) > kNoise;
    const bool slower = std::abs(result.values[i] - target) > kNoise;
    const bool own = at.last_raw.size() == wanted.size() &&
                     std::abs(wanted[i] - at.last_raw[i]) > whole + kNoise;
    if (outside) result.reasons.push_back("joint_position");
    if (slower) result.reasons.push_back(at.derate < 1 ? at.derate_reason : "joint_velocity");
    result.clamped = result.clamped || outside || (slower && own);
  }
}

}  // namespace agent::runtime
