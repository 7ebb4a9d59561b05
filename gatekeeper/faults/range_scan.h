#pragma once

#include "gatekeeper/faults/draws.h"
#include "proto/robot.pb.h"

// What may befall a laser scan, in severities 1 to 5.

namespace gatekeeper::faults {

void LoseBeams(int severity, Draws& draws, v1::LaserScan& scan);
void AddDust(int severity, Draws& draws, v1::LaserScan& scan);
void Mirror(int severity, Draws& draws, v1::LaserScan& scan);
void Lengthened(int severity, Draws& draws, v1::LaserScan& scan);

// Left becomes right: the beams in the opposite order, their angles mirrored.
void MirrorScan(v1::LaserScan& scan);
// Whatever returns within `half_angle_rad` of straight ahead stands nearer by this factor.
void BringNearer(double factor, double half_angle_rad, v1::LaserScan& scan);

}  // namespace gatekeeper::faults
