#pragma once

#include "absl/status/statusor.h"
#include "agent/runtime/geometry.h"

namespace gatekeeper::ingest {

// A turn in space, of length 1.
struct Turn {
  double x = 0;
  double y = 0;
  double z = 0;
  double w = 1;
};

// Of a quaternion as somebody wrote it, whose length is off by no more than a hundredth: what was
// built from single floats is off by some 1e-7. kDataLoss tells the length of what is no turn, as 0
// where nobody filled it in.
absl::StatusOr<Turn> TurnOf(double x, double y, double z, double w);

// Where a frame sits in another: metres, and how it is turned there.
struct Transform {
  double x_m = 0;
  double y_m = 0;
  double z_m = 0;
  Turn turn;
};

// Of `inner` in the frame that `outer` sits in.
Transform Compose(const Transform& outer, const Transform& inner);
Transform Inverse(const Transform& transform);

// On the way from one to the other, share 0 to 1: places on a straight line, turns at an even rate
// about one axis, the shorter way round (Shoemake 1985). The same bits on every CPU.
Transform Between(const Transform& from, const Transform& to, double share);

// The same place within a centimetre of x and y and half a degree of turn: what nobody's scans or
// poses show. Heights are not asked: robots here drive in the plane.
bool SamePlace(const Transform& a, const Transform& b);

// Heading of the turned x axis in the x-y plane, -pi to pi.
double YawRad(const Turn& turn);

// As seen from above.
struct FlatTransform {
  agent::runtime::Pose2 pose;  // yaw: where the frame's x axis points
  double upright = 1;          // cosine between the z axes: -1 hangs upside down
};
FlatTransform Flat(const Transform& transform);

// How far from upright or upside down a frame may be and still be taken as flat: five degrees,
// which put a wall 10 m away 0.04 m nearer and lift a beam by 0.9 m.
inline constexpr double kLeastUpright = 0.99619469809174555;

// Of `inner` in the frame that `outer` sits in.
agent::runtime::Pose2 Compose(const agent::runtime::Pose2& outer,
                              const agent::runtime::Pose2& inner);

}  // namespace gatekeeper::ingest
