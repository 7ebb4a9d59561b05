#pragma once

#include "agent/runtime/geometry.h"

namespace gatekeeper::resim {

// atan2 from additions, multiplications and divisions in a fixed order, as ExactSinCos is and for
// the same reason. Within 2e-16 relative of the true angle; 0 at the origin.
double ExactAtan2(double y, double x);

// Into (-pi, pi].
double WrappedRad(double angle_rad);

// Where a point lies as seen from a pose: -pi to pi, counter-clockwise from ahead.
double BearingRad(const agent::runtime::Pose2& pose, agent::runtime::Vec2 point);

}  // namespace gatekeeper::resim
