#pragma once

#include "gatekeeper/sim/robot.h"

namespace gatekeeper::sim {

// Drives as the models shall learn to: towards the goal, away from what is near, slower where it is
// tight. Sees `scan` without dust, so that its commands are what should have been done.
Twist Expert(const v1::LaserScan& scan, double goal_bearing_rad, double goal_range_m);

}  // namespace gatekeeper::sim
