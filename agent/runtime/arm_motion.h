#pragma once

#include <span>
#include <vector>

#include "agent/runtime/arm_limits.h"

namespace agent::runtime {

// How an arm's targets moved last: where its next ones may go depends on it.
class ArmMotion {
 public:
  // The arm is where it was measured; `speeds_radps` may be empty: it stands.
  void Start(size_t joints, std::span<const double> speeds_radps);
  // Targets went from `last` to `driven` within `seconds`; no time changes nothing.
  void Follow(std::span<const double> last, std::span<const double> driven, double seconds);

  bool stands() const;
  std::span<const double> speeds_radps() const { return speeds_radps_; }
  std::span<const double> accelerations_radps2() const { return accelerations_radps2_; }

 private:
  std::vector<double> speeds_radps_;
  std::vector<double> accelerations_radps2_;
};

// The speed that is left of `speed_radps` after braking as hard as the joint may.
double BrakedRadps(const JointLimits& joint, double speed_radps, double seconds);

}  // namespace agent::runtime
