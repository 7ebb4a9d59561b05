#include "agent/runtime/arm_motion.h"

#include <algorithm>
#include <cmath>

namespace agent::runtime {

void ArmMotion::Start(size_t joints, std::span<const double> speeds_radps) {
  speeds_radps_.assign(joints, 0);
  accelerations_radps2_.assign(joints, 0);
  if (speeds_radps.size() == joints) {
    std::copy(speeds_radps.begin(), speeds_radps.end(), speeds_radps_.begin());
  }
}

void ArmMotion::Follow(std::span<const double> last, std::span<const double> driven,
                       double seconds) {
  if (!(seconds > 0) || last.size() != driven.size() || driven.size() != speeds_radps_.size()) {
    return;
  }
  for (size_t i = 0; i < driven.size(); ++i) {
    const double speed = (driven[i] - last[i]) / seconds;
    accelerations_radps2_[i] = (speed - speeds_radps_[i]) / seconds;
    speeds_radps_[i] = speed;
  }
}

bool ArmMotion::stands() const {
  return std::all_of(speeds_radps_.begin(), speeds_radps_.end(), [](double v) { return v == 0; });
}

double BrakedRadps(const JointLimits& joint, double speed_radps, double seconds) {
  const double shed = joint.qdd_abs_max_radps2 * std::max(0.0, seconds);
  return std::copysign(std::max(0.0, std::abs(speed_radps) - shed), speed_radps);
}

}  // namespace agent::runtime
