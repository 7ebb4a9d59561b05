#include <cmath>
#include <random>

#include "agent/runtime/follow_gap.h"
#include "gtest/gtest.h"
#include "tests/support/cases.h"

namespace agent::runtime {
namespace {

constexpr FollowGapLimits kLimits{
    .vx_mps = 0.3, .wz_abs_max_radps = 0.8, .free_m = 1.2, .half_width_m = 0.35, .field_rad = 1.3};
constexpr float kNothing = std::numeric_limits<float>::infinity();

// 401 beams over 2 rad to each side, nothing in sight.
gatekeeper::v1::LaserScan Empty() {
  gatekeeper::v1::LaserScan scan;
  scan.set_angle_min_rad(-2);
  scan.set_angle_increment_rad(0.01);
  for (int i = 0; i <= 400; ++i) scan.add_ranges_m(kNothing);
  return scan;
}

// Returns at this range over these bearings.
void Put(gatekeeper::v1::LaserScan& scan, double from_rad, double to_rad, float range_m) {
  for (int i = 0; i <= 400; ++i) {
    const double angle = -2 + 0.01 * i;
    if (angle > from_rad - 1e-9 && angle < to_rad + 1e-9) scan.set_ranges_m(i, range_m);
  }
}

struct Twist {
  double vx_mps;
  double wz_radps;
};
Twist Steered(const gatekeeper::v1::LaserScan& scan, const FollowGapLimits& limits = kLimits) {
  FollowGap controller;
  std::vector<double> twist;
  controller.Steer(limits, scan, twist);
  EXPECT_EQ(twist.size(), 2U);
  return {twist.at(0), twist.at(1)};
}

TEST(FollowGapTest, DrivesStraightAheadWhereEverythingIsFree) {
  const Twist twist = Steered(Empty());
  EXPECT_EQ(twist.vx_mps, 0.3);
  EXPECT_NEAR(twist.wz_radps, 0, 1e-12);
}

TEST(FollowGapTest, StandsWithoutAScan) {
  const Twist twist = Steered({});
  EXPECT_EQ(twist.vx_mps, 0);
  EXPECT_EQ(twist.wz_radps, 0);
}

TEST(FollowGapTest, StandsWhereNoBearingIsFree) {
  gatekeeper::v1::LaserScan scan = Empty();
  Put(scan, -2, 2, 1.19F);
  const Twist twist = Steered(scan);
  EXPECT_EQ(twist.vx_mps, 0);
  EXPECT_EQ(twist.wz_radps, 0);
}

TEST(FollowGapTest, AReturnAtFreeDistanceLeavesTheBearingFreeAndANearerOneDoesNot) {
  gatekeeper::v1::LaserScan scan = Empty();
  Put(scan, -2, 2, 1.25F);
  EXPECT_EQ(Steered(scan).vx_mps, 0.3);
  Put(scan, -2, 2, 1.2F - 1e-6F);
  EXPECT_EQ(Steered(scan).vx_mps, 0);
}

TEST(FollowGapTest, TurnsTowardsTheMiddleOfTheWidestGap) {
  gatekeeper::v1::LaserScan scan = Empty();
  Put(scan, -0.2, 2, 1.0F);  // a wall ahead and to the left
  const Twist twist = Steered(scan);
  // The wall's edge at -0.2 rad keeps another asin(0.35) of 0.36 rad blocked.
  EXPECT_NEAR(twist.wz_radps, 0.8 * ((-1.3 - 0.57) / 2) / 1.3, 0.03);
  EXPECT_LT(twist.vx_mps, 0.3) << "the wall is ahead too";
}

TEST(FollowGapTest, IsTheMirrorImageInAMirroredWorld) {
  std::mt19937 random(3);
  for (int round = 0; round < tests::Cases(200); ++round) {
    gatekeeper::v1::LaserScan scan = Empty();
    for (int wall = 0; wall < 3; ++wall) {
      const double from = -2 + 0.01 * static_cast<double>(random() % 400);
      Put(scan, from, from + 0.3, 0.4F + 0.01F * static_cast<float>(random() % 150));
    }
    gatekeeper::v1::LaserScan mirrored = Empty();
    for (int i = 0; i <= 400; ++i) mirrored.set_ranges_m(i, scan.ranges_m(400 - i));
    const Twist one = Steered(scan);
    const Twist other = Steered(mirrored);
    EXPECT_NEAR(one.vx_mps, other.vx_mps, 1e-9);
    // Two gaps as wide and as far to the side as each other are a draw.
    EXPECT_NEAR(std::abs(one.wz_radps), std::abs(other.wz_radps), 0.01);
  }
}

TEST(FollowGapTest, OfEquallyWideGapsTakesTheOneNearerToStraightAhead) {
  gatekeeper::v1::LaserScan scan = Empty();
  const FollowGapLimits thin{.vx_mps = 0.3,
                             .wz_abs_max_radps = 0.8,
                             .free_m = 1.2,
                             .half_width_m = 0.001,
                             .field_rad = 1.0};
  Put(scan, -2, 2, 1.0F);
  Put(scan, -0.9, -0.7, kNothing);
  Put(scan, 0.3, 0.5, kNothing);
  EXPECT_NEAR(Steered(scan, thin).wz_radps, 0.8 * 0.4, 1e-3);
  Put(scan, -0.95, -0.7, kNothing);
  EXPECT_NEAR(Steered(scan, thin).wz_radps, 0.8 * -0.825, 1e-3) << "now the other is wider";
}

TEST(FollowGapTest, SeesNothingBesideItsField) {
  gatekeeper::v1::LaserScan scan = Empty();
  Put(scan, -1.3, 1.3, 0.8F);
  EXPECT_EQ(Steered(scan).wz_radps, 0) << "the free bearings beyond are none of its";
}

TEST(FollowGapTest, SlowsDownLinearlyTowardsWhatIsStraightAhead) {
  gatekeeper::v1::LaserScan scan = Empty();
  Put(scan, -0.005, 0.005, 0.775F);  // half way from 0.35 to 1.2 m
  EXPECT_NEAR(Steered(scan).vx_mps, 0.15, 1e-6);
  Put(scan, -0.005, 0.005, 0.35F);
  EXPECT_NEAR(Steered(scan).vx_mps, 0, 1e-6);
  Put(scan, -0.005, 0.005, 0.2F);
  EXPECT_EQ(Steered(scan).vx_mps, 0) << "never backwards";
}

TEST(FollowGapTest, IsNotSlowedByWhatItPassesNorByWhatIsBehind) {
  gatekeeper::v1::LaserScan scan = Empty();
  Put(scan, 1.5, 1.5, 0.36F);  // 0.36 m to the left
  EXPECT_EQ(Steered(scan).vx_mps, 0.3);
  gatekeeper::v1::LaserScan behind = Empty();
  Put(behind, 1.9, 2.0, 0.3F);
  EXPECT_EQ(Steered(behind).vx_mps, 0.3);
}

TEST(FollowGapTest, ABeamWithoutReturnIsFree) {
  gatekeeper::v1::LaserScan scan = Empty();
  for (float nothing : {kNothing, -kNothing, 0.0F, -1.0F, std::nanf("")}) {
    Put(scan, -2, 2, nothing);
    EXPECT_EQ(Steered(scan).vx_mps, 0.3) << nothing;
  }
}

TEST(FollowGapTest, ABearingAtTheEdgeOfItsFieldIsInIt) {
  gatekeeper::v1::LaserScan scan;
  scan.add_ranges_m(kNothing);
  for (const double edge : {1.3, -1.3}) {
    scan.set_angle_min_rad(edge);
    EXPECT_EQ(Steered(scan).wz_radps, 0.8 * edge / 1.3);
    scan.set_angle_min_rad(edge * 1.001);
    EXPECT_EQ(Steered(scan).wz_radps, 0);
  }
}

TEST(FollowGapTest, AScannerThatIsReplacedIsReadByItsOwnAngles) {
  FollowGap controller;
  std::vector<double> twist;
  gatekeeper::v1::LaserScan scan = Empty();
  Put(scan, -0.2, 2, 1.0F);
  controller.Steer(kLimits, scan, twist);
  const double before = twist[1];
  scan.set_angle_increment_rad(0.009);
  controller.Steer(kLimits, scan, twist);
  EXPECT_NE(twist[1], before);
  EXPECT_EQ(twist[1], Steered(scan).wz_radps);
  scan.set_angle_min_rad(-1.9);
  controller.Steer(kLimits, scan, twist);
  EXPECT_EQ(twist[1], Steered(scan).wz_radps);
}

TEST(FollowGapTest, ANegativeRangeBehindIsNoReturnAhead) {
  gatekeeper::v1::LaserScan scan;
  scan.set_angle_min_rad(-3.14);
  scan.set_angle_increment_rad(0.01);
  for (int i = 0; i < 629; ++i) scan.add_ranges_m(i > 600 ? -0.5F : kNothing);
  EXPECT_EQ(Steered(scan).vx_mps, 0.3);
}

TEST(FollowGapTest, AReturnTouchingTheRobotBlocksAQuarterTurnToEachSide) {
  gatekeeper::v1::LaserScan scan = Empty();
  Put(scan, 0, 0, 0.1F);
  EXPECT_EQ(Steered(scan).wz_radps, 0) << "a quarter turn is more than the field";
}

TEST(FollowGapTest, AReturnTouchingTheRobotLeavesWhatIsBehindAQuarterTurnFree) {
  gatekeeper::v1::LaserScan scan = Empty();
  Put(scan, 0, 0, 0.1F);
  Put(scan, -2, -1, 0.1F);
  FollowGapLimits wide = kLimits;
  wide.field_rad = 2;
  EXPECT_NEAR(Steered(scan, wide).wz_radps, 0.8 * (1.58 + 2) / 2 / 2, 0.01);
}

TEST(FollowGapTest, AScannerThatLooksOneWayOnlyIsBlockedByAnyReturn) {
  gatekeeper::v1::LaserScan scan;
  for (int i = 0; i < 5; ++i) scan.add_ranges_m(kNothing);
  EXPECT_EQ(Steered(scan).vx_mps, 0.3);
  scan.set_ranges_m(4, 1.0F);
  EXPECT_EQ(Steered(scan).vx_mps, 0);
}

TEST(FollowGapTest, AScanThatTurnsClockwiseIsReadTheOtherWayRound) {
  gatekeeper::v1::LaserScan scan = Empty();
  Put(scan, -0.2, 2, 1.0F);
  gatekeeper::v1::LaserScan turned = Empty();
  turned.set_angle_min_rad(2);
  turned.set_angle_increment_rad(-0.01);
  for (int i = 0; i <= 400; ++i) turned.set_ranges_m(i, scan.ranges_m(400 - i));
  EXPECT_NEAR(Steered(scan).vx_mps, Steered(turned).vx_mps, 1e-12);
  EXPECT_NEAR(Steered(scan).wz_radps, Steered(turned).wz_radps, 1e-12);
}

TEST(FollowGapTest, NeverExceedsItsLimitsAndDependsOnTheScanAlone) {
  std::mt19937 random(1);
  FollowGap used;  // sees scans of many shapes
  for (int round = 0; round < tests::Cases(20'000); ++round) {
    gatekeeper::v1::LaserScan scan;
    const int beams = static_cast<int>(random() % 60);
    scan.set_angle_min_rad(-3.2 + 0.01 * static_cast<double>(random() % 640));
    scan.set_angle_increment_rad(-0.05 + 0.001 * static_cast<double>(random() % 100));
    for (int i = 0; i < beams; ++i) {
      scan.add_ranges_m(random() % 4 == 0 ? kNothing : 0.005F * static_cast<float>(random() % 500));
    }
    std::vector<double> twist{9, 9, 9};
    used.Steer(kLimits, scan, twist);
    ASSERT_EQ(twist.size(), 2U);
    ASSERT_GE(twist[0], 0);
    ASSERT_LE(twist[0], kLimits.vx_mps);
    ASSERT_LE(std::abs(twist[1]), kLimits.wz_abs_max_radps);
    const Twist fresh = Steered(scan);
    ASSERT_EQ(twist[0], fresh.vx_mps);
    ASSERT_EQ(twist[1], fresh.wz_radps);
  }
}

// A bearing that is steered to is free by definition: no return near the way there.
TEST(FollowGapTest, SteersOnlyToBearingsThatAreFreeByTheDefinition) {
  std::mt19937 random(2);
  int steered = 0;
  for (int round = 0; round < tests::Cases(2000); ++round) {
    gatekeeper::v1::LaserScan scan = Empty();
    for (int i = 0; i <= 400; ++i) {
      if (random() % 40 == 0)
        Put(scan, -2 + 0.01 * i, -2 + 0.01 * i,
            0.3F + 0.002F * static_cast<float>(random() % 1000));
    }
    const Twist twist = Steered(scan);
    if (twist.vx_mps == 0 && twist.wz_radps == 0) continue;
    ++steered;
    const double bearing = twist.wz_radps / kLimits.wz_abs_max_radps * kLimits.field_rad;
    for (int i = 0; i <= 400; ++i) {
      const double range = scan.ranges_m(i);
      if (!std::isfinite(range) || range >= kLimits.free_m) continue;
      const double off = -2 + 0.01 * i - bearing;
      // One beam to spare: between two beams the middle of a gap may lie.
      const bool in_the_way = std::cos(off) > 0 && std::abs(range * std::sin(off)) <
                                                       kLimits.half_width_m - range * 0.011;
      ASSERT_FALSE(in_the_way) << "round " << round << " beam " << i;
    }
  }
  EXPECT_GE(steered, tests::Cases(100));
}

// One return among beams that see nothing.
gatekeeper::v1::LaserScan OneReturn(double from_rad, double step_rad, int beams, int at, float m) {
  gatekeeper::v1::LaserScan scan;
  scan.set_angle_min_rad(from_rad);
  scan.set_angle_increment_rad(step_rad);
  for (int i = 0; i < beams; ++i) scan.add_ranges_m(i == at ? m : kNothing);
  return scan;
}

TEST(FollowGapTest, ReadsTheFirstBeamAsAnyOther) {
  EXPECT_EQ(Steered(OneReturn(0, 0, 5, 0, 1.0F)).vx_mps, 0) << "it blocks its bearing";
  EXPECT_NEAR(Steered(OneReturn(0, 0.01, 131, 0, 0.5F)).vx_mps, 0.3 * 0.15 / 0.85, 1e-9)
      << "it slows the robot down";
}

TEST(FollowGapTest, AReturnAsideIsAsFarAheadAsItsShadowOnTheWay) {
  const double x = static_cast<double>(0.6F) * std::cos(0.5);
  EXPECT_NEAR(Steered(OneReturn(-2, 0.01, 401, 250, 0.6F)).vx_mps, 0.3 * (x - 0.35) / 0.85, 1e-9);
  EXPECT_EQ(Steered(OneReturn(-2, 0.01, 401, 278, 0.49F)).vx_mps, 0) << "and never backwards";
}

TEST(FollowGapTest, AReturnAtItsSideIsPassedAndANearerOneIsNot) {
  const gatekeeper::v1::LaserScan scan = OneReturn(-1, 0.5, 5, 3, 0.5F);
  FollowGapLimits limits = kLimits;
  limits.half_width_m = 0.5 * ExactSinCos(0.5).sin;
  EXPECT_EQ(Steered(scan, limits).vx_mps, 0.3);
  limits.half_width_m = std::nextafter(limits.half_width_m, 1);
  EXPECT_LT(Steered(scan, limits).vx_mps, 0.3);
}

TEST(FollowGapTest, AReturnAtExactlyTheFreeDistanceLeavesTheBearingFree) {
  FollowGapLimits limits = kLimits;
  limits.free_m = 1.25;
  EXPECT_EQ(Steered(OneReturn(0, 0, 1, 0, 1.25F), limits).vx_mps, 0.3);
  EXPECT_EQ(Steered(OneReturn(0, 0, 1, 0, 1.2499F), limits).vx_mps, 0);
}

TEST(FollowGapTest, ABearingThatRoundingPutsBesideItsFieldTurnsNoFaster) {
  for (const double side : {1.0, -1.0}) {
    EXPECT_EQ(Steered(OneReturn(side * (1.3 + 5e-10), 0, 1, -1, 0)).wz_radps, side * 0.8);
  }
}

TEST(FollowGapTest, OfEquallyWideGapsTakesTheNearerAndThenTheFirst) {
  const FollowGapLimits thin{.vx_mps = 0.3,
                             .wz_abs_max_radps = 0.8,
                             .free_m = 1.2,
                             .half_width_m = 0.001,
                             .field_rad = 1.0};
  const auto steered = [&](int first, int second) {  // gaps of 9 beams, 1/64 rad each
    gatekeeper::v1::LaserScan scan = OneReturn(-2, 0.015625, 257, -1, 0);
    for (int i = 0; i < 257; ++i) scan.set_ranges_m(i, 1.0F);
    for (int i = -4; i <= 4; ++i) scan.set_ranges_m(first + i, kNothing);
    for (int i = -4; i <= 4; ++i) scan.set_ranges_m(second + i, kNothing);
    return Steered(scan, thin).wz_radps;
  };
  EXPECT_EQ(steered(112, 176), 0.8 * -0.25) << "the first is nearer";
  EXPECT_EQ(steered(80, 144), 0.8 * 0.25) << "the second is nearer";
  EXPECT_EQ(steered(112, 144), 0.8 * -0.25) << "both are as near";
}

}  // namespace
}  // namespace agent::runtime
