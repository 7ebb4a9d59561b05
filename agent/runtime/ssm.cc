#include "agent/runtime/ssm.h"

#include <cmath>
#include <limits>

namespace agent::runtime {

double SeparationM(const SsmLimits& limits, double speed_mps) {
  const double stopping_s = speed_mps / limits.dec_mps2;
  const double human_m = limits.v_human_mps * (limits.t_react_s + stopping_s);
  const double robot_m = speed_mps * limits.t_react_s + speed_mps * stopping_s / 2;
  return human_m + robot_m + limits.c_m + limits.z_sensor_m + limits.z_robot_m;
}

double SsmSpeedMps(const SsmLimits& limits, double distance_m) {
  if (distance_m == std::numeric_limits<double>::infinity()) return distance_m;
  const double spare_m = distance_m - SeparationM(limits, 0);
  if (!(spare_m > 0)) return 0;
  // Solves v^2 / (2 a) + v (v_h / a + t_r) = spare, without a difference of nearly equal numbers.
  const double linear_s = limits.v_human_mps / limits.dec_mps2 + limits.t_react_s;
  const double root_s = std::sqrt(linear_s * linear_s + 2 * spare_m / limits.dec_mps2);
  return 2 * spare_m / (linear_s + root_s);
}

}  // namespace agent::runtime
