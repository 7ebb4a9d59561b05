#include <cmath>
#include <limits>
#include <random>

#include "agent/runtime/envelope.h"
#include "gtest/gtest.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/agent/runtime/rules_world.h"
#include "tests/support/cases.h"
#include "tests/support/status_matchers.h"

namespace agent::runtime {
namespace {

using ::tests::NavPolicyDocument;
namespace v1 = ::gatekeeper::v1;

class EnvelopeTest : public testing::Test {
 protected:
  static Policy Nav() {
    auto policy = Policy::Compile(NavPolicyDocument());
    EXPECT_TRUE(policy.ok()) << policy.status();
    return *std::move(policy);
  }
  double Factor(const Motion& motion, double vx, double wz) {
    blocker_ = {};
    return EnvelopeFactor(policy_, motion, vx, wz, blocker_);
  }
  double Way(const Pose2& start, const Course& course, double wanted) {
    return FreeWayM(policy_, {.pose = start}, course, wanted, blocker_);
  }

  const Policy policy_ = Nav();
  std::vector<std::string_view> reasons_;
  std::string_view blocker_;
};

// The robot is round, radius 0.25 m; it keeps 0.05 m to the walls and 0.15 m to the stairs.

TEST_F(EnvelopeTest, ClearanceIsTheDistanceOfTheOutlineToTheNearestEdge) {
  EXPECT_DOUBLE_EQ(ClearanceM(policy_, {10, 1, 0}), 0.75) << "the hall's wall";
  EXPECT_DOUBLE_EQ(ClearanceM(policy_, {19, 3, 0}), 0.75) << "the far wall, not the stairs' 1.15";
  EXPECT_NEAR(ClearanceM(policy_, {17.9, 0.8, 0}), 0.05, 1e-12) << "the stairs";
  EXPECT_DOUBLE_EQ(ClearanceM(policy_, {21, 6, 0}), -1.25);
  EXPECT_DOUBLE_EQ(ClearanceM(policy_, {19, 0.8, 0}), -1.05);
}

TEST_F(EnvelopeTest, ClearanceIsNotANumberWithoutZones) {
  v1::ControlPolicy document = NavPolicyDocument();
  document.clear_envelope();
  document.clear_requirements();  // they speak of the clearance
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(document));
  EXPECT_TRUE(std::isnan(ClearanceM(policy, {1, 1, 0})));
}

TEST_F(EnvelopeTest, IsBreachedByTheOutlineOverAnEdgeAndNotBefore) {
  EXPECT_EQ(StandingAt(policy_, {19.749, 6, 0}, reasons_).breached, 0U);
  EXPECT_NE(StandingAt(policy_, {19.751, 6, 0}, reasons_).breached, 0U);
  ASSERT_EQ(reasons_.size(), 1U);
  EXPECT_EQ(reasons_[0], "outside:hall");
  EXPECT_EQ(StandingAt(policy_, {17.949, 0.8, 0}, reasons_).breached, 0U);
  EXPECT_NE(StandingAt(policy_, {17.951, 0.8, 0}, reasons_).breached, 0U);
}

TEST_F(EnvelopeTest, APoseThatIsNoNumberIsABreach) {
  EXPECT_NE(
      StandingAt(policy_, {std::numeric_limits<double>::quiet_NaN(), 6, 0}, reasons_).breached, 0U);
}

TEST_F(EnvelopeTest, FreeWayEndsWhereTheMarginBegins) {
  const double way = Way({18, 6, 0}, {1, 0}, 5);
  EXPECT_NEAR(way, 2 - 0.3, 1e-5);
  EXPECT_LE(way, 2 - 0.3 + 1e-6);
  EXPECT_EQ(blocker_, "envelope:hall");
}

TEST_F(EnvelopeTest, FreeWayIsNoLongerThanWanted) {
  EXPECT_EQ(Way({10, 6, 0}, {1, 0.5}, 1.5), 1.5);
  EXPECT_EQ(blocker_, "") << "nobody is in the way";
}

TEST_F(EnvelopeTest, FreeWayBackwardsLooksBehind) {
  EXPECT_EQ(Way({19.5, 6, 0}, {-1, 0}, 1), 1);
  EXPECT_NEAR(Way({1, 6, 0}, {-1, 0}, 2), 0.7, 1e-5);
}

TEST_F(EnvelopeTest, InsideTheMarginOnlyWaysThatLeadNoNearerAreOpen) {
  const Pose2 near_wall{19.72, 6, 0};  // looks at the wall, 3 cm before its nose
  EXPECT_EQ(Way(near_wall, {1, 0}, 1), 0) << "at the wall";
  EXPECT_EQ(Way(near_wall, {-1, 0}, 1), 1) << "away from it";
  EXPECT_EQ(Way({19.72, 6, kPi / 2}, {1, 0}, 1), 1) << "along it";
  EXPECT_EQ(Way({19.9, 6, 0}, {-1, 0}, 1), 1) << "and back in, from over the edge";
}

// The longest way along the arc on which every zone keeps min(margin, what it has at the start),
// found in tenths of a millimetre and with plain trigonometry.
double BruteForceWay(const Pose2& start, double curvature, double wanted, bool forward) {
  const auto room = [](double x, double y, int zone) {
    if (zone == 0) return std::min({x, 20 - x, y, 12 - y});  // right inside the hall
    return std::hypot(x - 19.0, y - 0.8) - 0.8;
  };
  const double margins[] = {0.30, 0.40};  // of the centre: the radius and the margin
  double need[2];
  for (int z = 0; z < 2; ++z) need[z] = std::min(margins[z], room(start.x_m, start.y_m, z));
  constexpr double kStep = 1e-4;
  double x = start.x_m, y = start.y_m, yaw = start.yaw_rad;
  const double sign = forward ? 1 : -1;
  for (double s = 0; s < wanted; s += kStep) {
    x += sign * kStep * std::cos(yaw + sign * curvature * kStep / 2);
    y += sign * kStep * std::sin(yaw + sign * curvature * kStep / 2);
    yaw += sign * curvature * kStep;
    for (int z = 0; z < 2; ++z) {
      if (room(x, y, z) < need[z] - 1e-6) return s;
    }
  }
  return wanted;
}

TEST_F(EnvelopeTest, FreeWayEqualsBruteForce) {
  std::mt19937_64 random(1);
  int blocked = 0;
  const int ways = std::max(400, tests::Cases(4000));
  for (int i = 0; i < ways; ++i) {
    // Mostly where it matters: near walls and the stairs.
    const Pose2 start{random() % 2 ? In(random, 17, 19.7) : In(random, 0.3, 19.7),
                      random() % 2 ? In(random, 0.3, 3) : In(random, 0.3, 11.7),
                      In(random, -kPi, kPi)};
    if (ClearanceM(policy_, start) < 0.17) continue;
    const double curvature = In(random, -3, 3);
    const bool forward = random() % 4 != 0;
    const double wanted = In(random, 0.01, 2);
    const Course course{forward ? 1.0 : -1.0, forward ? curvature : -curvature};
    const double got = Way(start, course, wanted);
    const double truth = BruteForceWay(start, curvature, wanted, forward);
    blocked += truth < wanted ? 1 : 0;
    // Between two samples 10 mm apart an arc may dip into the margin by up to half of that. A way
    // that only grazes the margin may then be found open; where it is found shorter, it is by one
    // sample at most.
    if (got > truth + 1e-3) {
      const Pose2 end = Moved(start, course.ahead * got, course.turn * got);
      ASSERT_GE(ClearanceM(policy_, end), 0.05 - 0.005) << i;
    } else {
      ASSERT_GE(got, truth - 0.0102) << i;
    }
  }
  EXPECT_GT(blocked, ways / 20);
}

TEST_F(EnvelopeTest, LetsPassWhatStopsInside) {
  // At 1 m/s: 2 periods of 50 ms and 1/(2*2) m of braking are 0.35 m, and 0.3 m of margin.
  EXPECT_EQ(Factor({.pose = {20 - 0.3 - 0.36, 6, 0}}, 1.0, 0.0), 1);
  EXPECT_LT(Factor({.pose = {20 - 0.3 - 0.34, 6, 0}}, 1.0, 0.0), 1);
  EXPECT_EQ(blocker_, "envelope:hall");
}

TEST_F(EnvelopeTest, AnOlderPoseNeedsMoreRoom) {
  EXPECT_EQ(Factor({.pose = {19.3, 6, 0}}, 1.0, 0.0), 1);
  EXPECT_LT(Factor({.pose = {19.3, 6, 0}, .age = std::chrono::milliseconds(100)}, 1.0, 0.0), 1);
}

TEST_F(EnvelopeTest, StopsARobotThatIsFasterThanItIsToldAndCannotStopInTime) {
  EXPECT_EQ(Factor({.pose = {19.5, 6, 0}}, 0.2, 0.0), 1);
  EXPECT_EQ(Factor({.pose = {19.5, 6, 0}, .vx_mps = 1.0}, 0.2, 0.0), 0);
  EXPECT_EQ(Factor({.pose = {19.5, 6, 0}, .vx_mps = -1.0}, 0.2, 0.0), 1)
      << "it moves the other way";
}

TEST_F(EnvelopeTest, ARoundRobotMayTurnOnTheSpotEverywhere) {
  EXPECT_EQ(Factor({.pose = {19.99, 6, 0}}, 0.0, 1.5), 1);
}

TEST_F(EnvelopeTest, ReducesToZeroAtTheMargin) {
  EXPECT_EQ(Factor({.pose = {19.7, 6, 0}}, 1.0, 0.0), 0);
  EXPECT_EQ(Factor({.pose = {19.8, 6, 0}}, 1.0, 0.0), 0);
}

TEST_F(EnvelopeTest, NoTrajectoryThatObeysItEverLeavesTheEnvelope) {
  std::mt19937_64 random(2);
  double least = 1e9;
  for (int run = 0; run < tests::Cases(200); ++run) {
    Pose2 pose{In(random, 15, 19), In(random, 2, 10), In(random, -kPi, kPi)};
    double driven = 0;  // the robot answers one period late and brakes with exactly dec_max
    double told = 0;
    double told_wz = 0;
    for (int tick = 0; tick < 400; ++tick) {
      const double wanted = In(random, 0.5, 1.0);
      const double wz = tick % 40 == 0 ? In(random, -1.2, 1.2) : told_wz;
      const double factor = Factor({.pose = pose, .vx_mps = driven}, wanted, wz);
      // What was told last period is driven now; braking takes its time.
      driven = std::max(told, driven - 2.0 * 0.05);
      for (int k = 0; k < 10; ++k) {
        pose.yaw_rad += told_wz * 0.005;
        pose.x_m += driven * 0.005 * std::cos(pose.yaw_rad);
        pose.y_m += driven * 0.005 * std::sin(pose.yaw_rad);
      }
      told = wanted * factor;
      told_wz = wz;
      least = std::min(least, ClearanceM(policy_, pose));
    }
  }
  EXPECT_GT(least, -0.05) << "the margin is 0.05; a turn begun while braking may cost some of it";
}

// Past the stairs, whose margin begins 1.2 m from their middle, `deep_m` within it at the nearest.
double GrazeM(double deep_m) { return std::sqrt(2 * 1.2 * deep_m - deep_m * deep_m); }

TEST_F(EnvelopeTest, TheEndOfTheWayIsFoundToLessThanAMicrometre) {
  for (int i = 1; i <= 20; ++i) {
    const double deep_m = 0.005 * i;
    const double truth = 0.7 - GrazeM(deep_m);
    const double way = Way({17.8 + deep_m, 1.5, -kPi / 2}, {1, 0}, 1);
    EXPECT_LT(way, truth + 1e-7);
    EXPECT_GT(way, truth - 6.2e-7) << i;
  }
}

TEST_F(EnvelopeTest, AWayThatOnlyGrazesAMarginEndsThere) {
  for (const double ahead_m : {0.15, 0.125}) {  // 3 cm of way, 0.1 mm deep
    EXPECT_NEAR(Way({17.8 + 9e-5, 0.8 - ahead_m, kPi / 2}, {1, 0}, 0.3), ahead_m - GrazeM(9e-5),
                1e-5);
  }
  for (int i = 0; i < 10; ++i) {  // 6 cm of way, far away
    const double ahead_m = 17 - 0.02 * i;
    EXPECT_NEAR(Way({19 - ahead_m, 2 - 3.75e-4, 0}, {1, 0}, 18), ahead_m - GrazeM(3.75e-4), 1e-4);
  }
}

TEST_F(EnvelopeTest, OfZonesThatAreEquallyNearTheFirstIsNamed) {
  v1::ControlPolicy document = NavPolicyDocument();
  *document.add_envelope() = document.envelope(0);
  document.mutable_envelope(document.envelope_size() - 1)->set_id("twin");
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(document));
  FreeWayM(policy, {.pose = {18, 6, 0}}, {1, 0}, 5, blocker_);
  EXPECT_EQ(blocker_, "envelope:hall");
}

TEST_F(EnvelopeTest, AMarginGrowsByAnyShareOfThePosesDoubt) {
  v1::ControlPolicy document = NavPolicyDocument();
  document.mutable_envelope(0)->set_pose_sigmas(0.5);
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(document));
  Motion motion{.pose = {18, 6, 0}};
  motion.pose_sigma_m = 0.2;
  EXPECT_NEAR(FreeWayM(policy, motion, {1, 0}, 5, blocker_), 2 - 0.3 - 0.1, 1e-5);
  EXPECT_TRUE(PoseServes(policy, motion));
  for (const double sigma : {-0.1, std::nan(""), std::numeric_limits<double>::infinity()}) {
    motion.pose_sigma_m = sigma;
    EXPECT_FALSE(PoseServes(policy, motion)) << sigma;
  }
}

TEST_F(EnvelopeTest, ATurnThatTakesLongerToBrakeLengthensTheWay) {
  // 0.2 m/s stops within 0.1 s, 1.2 rad/s within 0.2 s: 40 mm of way, of which 39.6 mm lead ahead.
  EXPECT_EQ(Factor({.pose = {20 - 0.3 - 0.0399, 6, 0}}, 0.2, 1.2), 1);
  EXPECT_LT(Factor({.pose = {20 - 0.3 - 0.0393, 6, 0}}, 0.2, 1.2), 1);
}

TEST_F(EnvelopeTest, APoseOfTheFutureIsAsGoodAsOneOfNow) {
  const Nanos future = -std::chrono::milliseconds(100);
  EXPECT_EQ(Factor({.pose = {20 - 0.3 - 0.36, 6, 0}, .age = future}, 1.0, 0.0), 1);
  EXPECT_LT(Factor({.pose = {20 - 0.3 - 0.34, 6, 0}, .age = future}, 1.0, 0.0), 1);
  EXPECT_EQ(Factor({.pose = {19.5, 6, 0}, .vx_mps = 1.0, .age = future}, 0.2, 0.0), 0)
      << "0.25 m are needed to brake";
}

TEST_F(EnvelopeTest, ASlowRobotIsCommittedToItsOwnBrakingOnly) {
  // 0.2 m/s measured stop within 10 mm; 0.05 m/s told need 5.6 mm.
  EXPECT_EQ(Factor({.pose = {20 - 0.3 - 0.0101, 6, 0}, .vx_mps = 0.2}, 0.05, 0.0), 1);
  EXPECT_EQ(Factor({.pose = {20 - 0.3 - 0.0099, 6, 0}, .vx_mps = 0.2}, 0.05, 0.0), 0);
}

TEST_F(EnvelopeTest, ACurveIsLookedAtAllTheWayRound) {
  // Circles of 1/3 m; 1.5 m/s measured need 0.56 m of them, and meet the wall after 0.33 m.
  EXPECT_EQ(Factor({.pose = {20 - 0.3 - 0.28, 6, 0}, .vx_mps = 1.5}, 0.5, 1.5), 0);
  EXPECT_EQ(Factor({.pose = {20 - 0.3 - 0.34, 6, 0}, .vx_mps = 1.5}, 0.5, 1.5), 1);
}

TEST_F(EnvelopeTest, AStandingRobotMayStandEverywhere) {
  EXPECT_EQ(Factor({.pose = {19.99, 6, 0}}, 0.0, 0.0), 1);
}

TEST_F(EnvelopeTest, ASpeedZoneIsNoEdge) {
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(tests::RichPolicyDocument()));
  EXPECT_DOUBLE_EQ(ClearanceM(policy, {10, 4.5, 0}), 4.25) << "1.25 m from the dock";
}

TEST_F(EnvelopeTest, NoWayIsFreeFromAPoseThatIsNoNumber) {
  EXPECT_EQ(Way({std::nan(""), 4.5, 0}, {.ahead = 1, .turn = 0}, 1), 0);
  EXPECT_EQ(blocker_, policy_.envelope()[0].reason);
}

v1::ControlPolicy LongDocument() {
  v1::ControlPolicy document = NavPolicyDocument();
  document.mutable_footprint()->clear_circle_m();
  for (const auto& [x, y] : {std::pair{0.5, 0.2}, {-0.5, 0.2}, {-0.5, -0.2}, {0.5, -0.2}}) {
    v1::Point& point = *document.mutable_footprint()->add_polygon_m();
    point.set_x(x);
    point.set_y(y);
  }
  return document;
}

Policy Long() {
  auto policy = Policy::Compile(LongDocument());
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *std::move(policy);
}

TEST_F(EnvelopeTest, ATurningRobotIsCommittedToItsOwnBrakingOnly) {
  // 1.5 rad/s measured stop within 0.1875 rad, in which its corners come 89.7 mm nearer.
  const auto factor = [policy = Long(), this](double room_m) {
    return EnvelopeFactor(policy, {.pose = {10, 0.25 + room_m, 0}, .wz_radps = 1.5}, 0, 0.3,
                          blocker_);
  };
  EXPECT_EQ(factor(0.0905), 1);
  EXPECT_EQ(factor(0.0885), 0);
}

TEST_F(EnvelopeTest, ALongRobotBesideAnEdgeIsInsideThoughItsBoundIsNot) {
  const Policy policy = Long();
  EXPECT_EQ(StandingAt(policy, {10, 0.2, 0}, reasons_).breached, 0) << "touching the wall";
  EXPECT_EQ(StandingAt(policy, {10, 0.21, 0}, reasons_).breached, 0) << "along the wall";
  EXPECT_NE(StandingAt(policy, {10, 0.19, 0}, reasons_).breached, 0);
  EXPECT_NE(StandingAt(policy, {10, 0.21, kPi / 2}, reasons_).breached, 0) << "across it";
}

// --- zones that cap the speed: the dock, 1 m around (10, 2), where 0.25 m/s are allowed

class SpeedZoneTest : public testing::Test {
 protected:
  static Policy With(bool is_long) {
    v1::ControlPolicy document = tests::RichPolicyDocument();
    if (is_long) *document.mutable_footprint() = LongDocument().footprint();
    auto policy = Policy::Compile(document);
    EXPECT_TRUE(policy.ok()) << policy.status();
    return *std::move(policy);
  }
  double Factor(const Policy& policy, const Pose2& pose, double vx, double wz) {
    reasons_.clear();
    return SpeedZoneFactor(policy, {.pose = pose}, vx, wz, reasons_);
  }
  const Policy round_ = With(false);
  std::vector<std::string_view> reasons_;
};

TEST_F(SpeedZoneTest, IsReachedAtItsSpeed) {
  // From 0.8 to 0.25 m/s: 0.1 s of reaction and 2 m/s2 need 0.224375 m.
  const auto factor = [&](double room_m) {
    return Factor(round_, {10 - 1.25 - room_m, 2, 0}, 0.8, 0);
  };
  EXPECT_EQ(factor(0.2244), 1);
  EXPECT_TRUE(reasons_.empty());
  EXPECT_LT(factor(0.2243), 1);
  EXPECT_EQ(reasons_.size(), 1U);
  EXPECT_NEAR(factor(0.2), 0.75 / 0.8, 1e-5);
  EXPECT_DOUBLE_EQ(factor(0), 0.25 / 0.8);
  EXPECT_DOUBLE_EQ(factor(-0.5), 0.25 / 0.8);
}

TEST_F(SpeedZoneTest, OfALongRobotThatTurnsCountsTheWayOfItsCentre) {
  const Policy policy = With(true);
  EXPECT_EQ(Factor(policy, {4, 6, 0}, 0.8, 0.8), 1) << "far away";
  EXPECT_TRUE(reasons_.empty());
  const Pose2 start{8.3, 2, 0};
  double way_m = 0;  // to the dock, in steps of 10 micrometres
  while (StandingFootprint(policy.footprint(), Moved(start, way_m, way_m))
             .RoomM(policy.envelope().back().region, Side::kOutside) >= 0) {
    way_m += 1e-5;
  }
  ASSERT_GT(way_m, 0.1);
  EXPECT_NEAR(Factor(policy, start, 0.8, 0.8),
              (std::sqrt(0.2 * 0.2 + 0.25 * 0.25 + 4 * way_m) - 0.2) / 0.8, 1e-4);
}

TEST_F(SpeedZoneTest, IsNotJumpedOverByAFastRobot) {
  const double deep_m = 0.0075 * 0.0075 / 2.5;  // 15 mm of way within the dock
  for (int i = 0; i < 10; ++i) {
    EXPECT_LT(Factor(round_, {7.5 - 0.003 * i, 2 - 1.25 + deep_m, 0}, 4, 0), 1) << i;
  }
}

}  // namespace
}  // namespace agent::runtime
