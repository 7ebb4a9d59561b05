#pragma once

namespace agent::runtime {

// Speed and separation monitoring, ISO/TS 15066 clause 5.5.4 (also ISO 10218-2:2025): while a
// person walks towards the robot, it must be able to stop before they meet.
struct SsmLimits {
  double v_human_mps = 0;
  double t_react_s = 0;  // from the return to the brakes
  double dec_mps2 = 0;   // braking the robot is sure to have
  double c_m = 0;        // how far a person reaches in before being seen
  double z_sensor_m = 0;
  double z_robot_m = 0;
};

// The protective separation distance at that speed:
// S = v_h (t_r + t_s) + v t_r + v^2 / (2 a) + C + Z_d + Z_r, with the stopping time t_s = v / a.
double SeparationM(const SsmLimits& limits, double speed_mps);

// The largest speed whose separation distance is at most `distance_m`; 0 when even standing is too
// near, and for what is not a number. Infinite distance: infinite speed.
double SsmSpeedMps(const SsmLimits& limits, double distance_m);

}  // namespace agent::runtime
