#include <cmath>
#include <limits>

#include "agent/runtime/enforce.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/support/status_matchers.h"

namespace agent::runtime {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::tests::Compiled;
using ::tests::NavPolicyDocument;
namespace v1 = ::gatekeeper::v1;

class EnforceTest : public testing::Test {
 protected:
  Enforcement Run(double vx, double wz) {
    Enforcement result;
    const std::vector<double> wanted = {vx, wz};
    Situation now = situation_;
    now.last = last_;
    now.last_raw = last_raw_;
    Enforce(policy_, separation_, wanted, now, result);
    return result;
  }
  void SeeObstacle(float range_m) {
    v1::LaserScan scan;
    for (int i = 0; i < 10; ++i) scan.add_ranges_m(range_m);
    for (uint64_t i = 1; i <= 3; ++i) separation_.See(scan, i);
  }

  const Policy policy_ = Compiled(NavPolicyDocument());
  Separation separation_{policy_};
  std::vector<double> last_ = {0.5, 0};
  std::vector<double> last_raw_;
  Situation situation_{.last = {},
                       .last_raw = {},
                       .acc_s = kPeriodS,
                       .dec_s = kPeriodS,
                       .acc_mps2 = 1.2,
                       .motion = Motion{.pose = {10, 4.5, 0}, .vx_mps = 0.5},
                       .joints_rad = {}};
};

TEST_F(EnforceTest, LeavesASoundCommandAlone) {
  const Enforcement result = Run(0.52, 0.1);
  EXPECT_THAT(result.values, ElementsAre(0.52, 0.1));
  EXPECT_THAT(result.reasons, IsEmpty());
  EXPECT_FALSE(result.clamped);
}

TEST_F(EnforceTest, HoldsTheSpeedBounds) {
  last_ = {1.0, 0};
  EXPECT_THAT(Run(1.0, 0).values, ElementsAre(1.0, 0));
  const Enforcement over = Run(1.01, 0);
  EXPECT_THAT(over.values, ElementsAre(1.0, 0));
  EXPECT_THAT(over.reasons, ElementsAre("speed"));
  EXPECT_TRUE(over.clamped);
  EXPECT_THAT(Run(-0.01, 0).values, ElementsAre(0, 0)) << "this robot may not drive backwards";
}

TEST_F(EnforceTest, HoldsTheAccelerationAndLetsBrakingPass) {
  const Enforcement faster = Run(0.6, 0);
  EXPECT_DOUBLE_EQ(faster.values[0], 0.5 + 1.2 * kPeriodS);
  EXPECT_THAT(faster.reasons, ElementsAre("acceleration"));
  EXPECT_THAT(Run(0.56, 0).reasons, IsEmpty()) << "just what one period allows";
  EXPECT_THAT(Run(0.0, 0).values, ElementsAre(0.0, 0.0));
}

TEST_F(EnforceTest, BlamesTheModelForItsOwnStepOnly) {
  EXPECT_FALSE(Run(0.8, 0).clamped) << "nobody knows what it said before";
  last_raw_ = {0.8, 0};
  EXPECT_FALSE(Run(0.8, 0).clamped) << "the robot still gathers speed";
  last_raw_ = {0.5, 0};
  EXPECT_TRUE(Run(0.8, 0).clamped) << "a step of 0.3 m/s in one period";
}

TEST_F(EnforceTest, HoldsTheYawRateOfTheSpeed) {
  last_ = {0.75, 1.3};
  EXPECT_DOUBLE_EQ(Run(0.75, 1.35).values[1], 1.35) << "half way between 1.5 and 1.2";
  const Enforcement over = Run(0.75, 1.4);
  EXPECT_DOUBLE_EQ(over.values[1], 1.35);
  EXPECT_THAT(over.reasons, ElementsAre("yaw_rate"));
  EXPECT_TRUE(over.clamped);
  EXPECT_DOUBLE_EQ(Run(0.75, -1.36 + 2.6).values[1], 1.24);
}

TEST_F(EnforceTest, HoldsTheYawRateOfTheMeasuredSpeedWhenThatIsFaster) {
  last_ = {0.2, 1.3};
  situation_.motion->vx_mps = 1.0;
  EXPECT_DOUBLE_EQ(Run(0.2, 1.3).values[1], 1.2);
}

TEST_F(EnforceTest, HoldsTheYawAcceleration) {
  EXPECT_DOUBLE_EQ(Run(0.5, 1.0).values[1], 0.3);
  EXPECT_THAT(Run(0.5, 1.0).reasons, ElementsAre("yaw_acceleration"));
  EXPECT_DOUBLE_EQ(Run(0.5, 0.3).values[1], 0.3);
}

TEST_F(EnforceTest, TheTransitionCapsSpeedAndAcceleration) {
  situation_.transition = true;
  last_ = {0.39, 0};
  const Enforcement result = Run(0.8, 0);
  EXPECT_DOUBLE_EQ(result.values[0], 0.4);
  EXPECT_THAT(result.reasons, ElementsAre("transition"));
  EXPECT_FALSE(result.clamped) << "not the model's doing";
  last_ = {0.2, 0};
  EXPECT_DOUBLE_EQ(Run(0.8, 0).values[0], 0.2 + 0.6 * kPeriodS);
}

TEST_F(EnforceTest, ACapThatComesIntoForceSlowsTheRobotAsItBrakes) {
  situation_.transition = true;
  last_ = {1.0, 0};
  EXPECT_DOUBLE_EQ(Run(1.0, 0).values[0], 1.0 - 2.0 * kPeriodS);
  situation_.transition = false;
  situation_.degraded = true;
  EXPECT_DOUBLE_EQ(Run(1.0, 0).values[0], 1.0 - 2.0 * kPeriodS);
}

TEST_F(EnforceTest, DegradedTightensSpeedAndYawRate) {
  situation_.degraded = true;
  last_ = {0.4, 0.75};
  const Enforcement result = Run(0.45, 1.0);
  EXPECT_THAT(result.values, ElementsAre(0.4, 0.8));
  EXPECT_THAT(result.reasons, ElementsAre("degraded"));
  EXPECT_FALSE(result.clamped);
}

TEST_F(EnforceTest, AStopZoneZeroesTheCommandAtOnce) {
  SeeObstacle(0.4F);
  const Enforcement result = Run(0.5, 0.3);
  EXPECT_THAT(result.values, ElementsAre(0.0, 0.0));
  EXPECT_THAT(result.reasons, Contains("stop_zone:touch"));
  EXPECT_FALSE(result.clamped);
}

TEST_F(EnforceTest, ASlowZoneCapsAtOnce) {
  SeeObstacle(0.8F);
  last_ = {1.0, 0};
  const Enforcement result = Run(1.0, 0.0);
  EXPECT_THAT(result.values, ElementsAre(0.4, 0.0));
  EXPECT_FALSE(result.clamped);
}

TEST_F(EnforceTest, TheEnvelopeScalesSpeedAndTurnAlike) {
  situation_.motion = Motion{.pose = {19.45, 6, 0}, .vx_mps = 0.9};
  last_ = {0.9, 0.3};
  const Enforcement result = Run(0.9, 0.3);
  EXPECT_LT(result.values[0], 0.9);
  EXPECT_GT(result.values[0], 0.2);
  EXPECT_NEAR(result.values[1] / result.values[0], 0.3 / 0.9, 1e-12) << "the same curve";
  EXPECT_THAT(result.reasons, ElementsAre("envelope:hall"));
  EXPECT_TRUE(result.clamped);
}

TEST_F(EnforceTest, WithoutAPoseOnlyTheStopThatWasCheckedIsOpen) {
  situation_.motion.reset();
  last_ = {0.5, 0.1};
  const Enforcement result = Run(0.5, 0.1);
  EXPECT_DOUBLE_EQ(result.values[0], 0.4) << "2 m/s2";
  EXPECT_DOUBLE_EQ(result.values[1], 0.08);
  EXPECT_THAT(result.reasons, ElementsAre("envelope:no_pose"));
  last_ = {0.0, 0.0};
  EXPECT_THAT(Run(0.05, 0.1).values, ElementsAre(0.0, 0.0)) << "and nothing starts";
}

TEST_F(EnforceTest, WhatIsNotFiniteStandsStill) {
  for (double bad : {kNan, std::numeric_limits<double>::infinity()}) {
    EXPECT_THAT(Run(bad, 0).values, ElementsAre(0.0, 0.0));
    EXPECT_THAT(Run(0.5, bad).values, ElementsAre(0.0, 0.0));
    EXPECT_THAT(Run(0.5, bad).reasons, ElementsAre("unusable"));
  }
  Enforcement result;
  Enforce(policy_, separation_, std::vector<double>{0.5}, situation_, result);
  EXPECT_THAT(result.values, ElementsAre(0.0, 0.0)) << "too few values";
}

// --- braking
// -----------------------------------------------------------------------------------------

TEST_F(EnforceTest, BrakingKeepsTheCurve) {
  std::vector<double> values;
  BrakeAlong(policy_, std::vector<double>{0.8, 0.4}, {.dec_mps2 = 2, .seconds = 0.1}, values);
  EXPECT_NEAR(values[0], 0.6, 1e-12);
  EXPECT_NEAR(values[1], 0.3, 1e-12);
  BrakeAlong(policy_, std::vector<double>{-0.1, 0.4}, {.dec_mps2 = 2, .seconds = 0.1}, values);
  EXPECT_THAT(values, ElementsAre(0.0, 0.0));
  EXPECT_FALSE(std::signbit(values[0])) << "a plain zero";
}

TEST_F(EnforceTest, BrakingARobotThatStandsForNoTimeIsStanding) {
  std::vector<double> values;
  BrakeAlong(policy_, std::vector<double>{0, 0}, {.dec_mps2 = 2, .seconds = 0}, values);
  EXPECT_THAT(values, ElementsAre(0.0, 0.0));
}

TEST_F(EnforceTest, TheClampOfAnEarlierCommandIsForgotten) {
  Enforcement result;
  result.clamped = true;
  Situation now = situation_;
  now.last = last_;
  Enforce(policy_, separation_, std::vector<double>{0.5, 0}, now, result);
  EXPECT_FALSE(result.clamped);
}

TEST_F(EnforceTest, BrakingATurnOnTheSpotUsesTheYawAcceleration) {
  std::vector<double> values;
  BrakeAlong(policy_, std::vector<double>{0, -1.0}, {.dec_mps2 = 2, .seconds = 0.1}, values);
  EXPECT_NEAR(values[1], -0.4, 1e-12);
}

TEST_F(EnforceTest, TimeThatRunsBackwardsBrakesNothingAndSpeedsNothingUp) {
  std::vector<double> values;
  BrakeAlong(policy_, std::vector<double>{0.8, 0.4}, {.dec_mps2 = 2, .seconds = -1}, values);
  EXPECT_THAT(values, ElementsAre(0.8, 0.4));
}

TEST_F(EnforceTest, TellsSoundCommandsFromOthers) {
  const std::vector<double> wanted = {0.5, -0.5};
  EXPECT_TRUE(IsSound(policy_, wanted, std::vector<double>{0.5, 0.0}));
  EXPECT_FALSE(IsSound(policy_, wanted, std::vector<double>{0.51, 0.0}));
  EXPECT_FALSE(IsSound(policy_, wanted, std::vector<double>{0.5, 0.1}));
  EXPECT_FALSE(IsSound(policy_, wanted, std::vector<double>{0.5}));
  EXPECT_FALSE(IsSound(policy_, wanted, std::vector<double>{kNan, 0.0}));
}

TEST_F(EnforceTest, NothingIsBrakedAlongNoCommand) {
  std::vector<double> values = {0.5, 0};
  BrakeAlong(policy_, {}, {.dec_mps2 = 1, .seconds = kPeriodS, .joints_radps = {}}, values);
  EXPECT_THAT(values, IsEmpty());
}

}  // namespace
}  // namespace agent::runtime
