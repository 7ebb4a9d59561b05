#include "agent/runtime/stop_ramp.h"

#include <algorithm>
#include <cmath>

namespace agent::runtime {

double StopRamp::SpeedLostMps(double seconds) const {
  if (!(jerk_mps3 > 0)) return dec_mps2 * seconds;
  const double growing_s = dec_mps2 / jerk_mps3;
  if (seconds < growing_s) return jerk_mps3 * seconds * seconds / 2;
  return dec_mps2 * (seconds - growing_s / 2);
}

double StopRamp::MeanDecMps2(double from_s, double to_s) const {
  if (!(jerk_mps3 > 0)) return dec_mps2;
  if (!(to_s > from_s)) return std::min(dec_mps2, jerk_mps3 * from_s);
  return (SpeedLostMps(to_s) - SpeedLostMps(from_s)) / (to_s - from_s);
}

double StopRamp::StopSeconds(double speed_mps) const {
  if (!(jerk_mps3 > 0)) return speed_mps / dec_mps2;
  const double growing_s = dec_mps2 / jerk_mps3;
  if (speed_mps < SpeedLostMps(growing_s)) return std::sqrt(2 * speed_mps / jerk_mps3);
  return speed_mps / dec_mps2 + growing_s / 2;
}

}  // namespace agent::runtime
