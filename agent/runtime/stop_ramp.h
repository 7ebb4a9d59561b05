#pragma once

namespace agent::runtime {

// A stop whose deceleration grows from 0 by jerk_mps3 up to dec_mps2 and then stays; with jerk 0 it
// is dec_mps2 at once.
struct StopRamp {
  double dec_mps2 = 0;
  double jerk_mps3 = 0;

  // Speed taken off during the first `seconds`: j t^2 / 2 while it grows, d t - d^2 / (2 j) after.
  double SpeedLostMps(double seconds) const;
  // Mean deceleration from one time to a later one; at one and the same time the one then reached.
  double MeanDecMps2(double from_s, double to_s) const;
  // Time that it takes to stand from this speed, the inverse of the above.
  double StopSeconds(double speed_mps) const;
};

}  // namespace agent::runtime
