#include <cmath>
#include <numbers>

#include "gatekeeper/ingest/transform.h"
#include "gtest/gtest.h"

namespace {

using gatekeeper::ingest::Between;
using gatekeeper::ingest::Compose;
using gatekeeper::ingest::Flat;
using gatekeeper::ingest::Inverse;
using gatekeeper::ingest::SamePlace;
using gatekeeper::ingest::Transform;
using gatekeeper::ingest::Turn;
using std::numbers::pi;

Turn About(double x, double y, double z, double angle_rad) {
  const double sine = std::sin(angle_rad / 2);
  return {x * sine, y * sine, z * sine, std::cos(angle_rad / 2)};
}

TEST(TransformTest, GoesFromFrameToFrameAndBack) {
  const Transform mast{.x_m = 1, .y_m = 2, .z_m = 3, .turn = About(0, 0, 1, pi / 2)};
  const Transform laser{.x_m = 0.5, .turn = About(1, 0, 0, pi)};
  const Transform both = Compose(mast, laser);
  EXPECT_NEAR(both.x_m, 1, 1e-15);
  EXPECT_NEAR(both.y_m, 2.5, 1e-15);
  EXPECT_NEAR(both.z_m, 3, 1e-15);
  EXPECT_NEAR(Flat(both).pose.yaw_rad, pi / 2, 1e-15);
  EXPECT_NEAR(Flat(both).upright, -1, 1e-15);
  const Transform back = Compose(Inverse(both), both);
  EXPECT_NEAR(back.x_m, 0, 1e-15);
  EXPECT_NEAR(back.y_m, 0, 1e-15);
  EXPECT_NEAR(back.z_m, 0, 1e-15);
  EXPECT_NEAR(Flat(back).pose.yaw_rad, 0, 1e-15);
  EXPECT_NEAR(Flat(back).upright, 1, 1e-15);
}

TEST(TransformTest, TurnsAtAnEvenRateTheShorterWayRound) {
  const Transform from{.x_m = 1, .turn = About(0, 0, 1, 3.0)};
  Transform to{.x_m = 2, .turn = About(0, 0, 1, -3.0)};
  for (const int sign : {1, -1}) {  // either sign of a quaternion is the same turn
    to.turn = {to.turn.x * sign, to.turn.y * sign, to.turn.z * sign, to.turn.w * sign};
    for (const double share : {0.0, 0.25, 0.9, 1.0}) {
      const Transform at = Between(from, to, share);
      EXPECT_NEAR(at.x_m, 1 + share, 1e-15);
      EXPECT_NEAR(std::remainder(Flat(at).pose.yaw_rad - 3 - share * (2 * pi - 6), 2 * pi), 0,
                  1e-14);
    }
  }
  EXPECT_NEAR(Flat(Between(from, from, 0.3)).pose.yaw_rad, 3, 1e-15);
}

TEST(TransformTest, ACentimetreAndHalfADegreeAreTheSamePlace) {
  const auto at = [](double x_m, double degrees) {
    return Transform{.x_m = x_m, .turn = About(0.6, 0, 0.8, degrees * pi / 180)};
  };
  EXPECT_TRUE(SamePlace(at(0, 0), at(0.0099, 0.49)));
  EXPECT_FALSE(SamePlace(at(0, 0), at(0.0101, 0)));
  EXPECT_FALSE(SamePlace(at(0, 0), at(0, 0.51)));
  EXPECT_TRUE(SamePlace(at(0, 10), at(0, 369.6))) << "ten degrees are ten degrees";
}

}  // namespace
