#include <bit>
#include <cmath>
#include <limits>
#include <random>

#include "agent/runtime/enforce.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/status_matchers.h"

namespace agent::runtime {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::tests::NavPolicyDocument;
namespace v1 = ::gatekeeper::v1;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kPeriod = 0.05;
constexpr double kEdge = 1e-5;  // m/s: the edge of the envelope is found to a micrometre

double In(std::mt19937_64& random, double low, double high) {
  return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
}

Policy Compiled(const v1::ControlPolicy& document) {
  auto policy = Policy::Compile(document);
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *std::move(policy);
}

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
                       .acc_s = kPeriod,
                       .dec_s = kPeriod,
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
  EXPECT_DOUBLE_EQ(faster.values[0], 0.5 + 1.2 * kPeriod);
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
  EXPECT_DOUBLE_EQ(Run(0.8, 0).values[0], 0.2 + 0.6 * kPeriod);
}

TEST_F(EnforceTest, ACapThatComesIntoForceSlowsTheRobotAsItBrakes) {
  situation_.transition = true;
  last_ = {1.0, 0};
  EXPECT_DOUBLE_EQ(Run(1.0, 0).values[0], 1.0 - 2.0 * kPeriod);
  situation_.transition = false;
  situation_.degraded = true;
  EXPECT_DOUBLE_EQ(Run(1.0, 0).values[0], 1.0 - 2.0 * kPeriod);
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

// --- properties over random situations
// ---------------------------------------------------------------

struct World {
  std::vector<double> wanted, last, last_raw;
  Situation situation;
};

World RandomWorld(std::mt19937_64& random) {
  World world;
  const auto anything = [&]() -> double {
    switch (random() % 16) {
      case 0:
        return kNan;
      case 1:
        return std::bit_cast<double>(random());
      case 2:
        return 0;
      default:
        return In(random, -1.6, 1.6);
    }
  };
  world.wanted = {anything(), anything()};
  world.last = {In(random, -1, 1), In(random, -1.5, 1.5)};
  if (random() % 2) world.last_raw = {anything(), anything()};
  world.situation = {.last = {},
                     .last_raw = {},
                     .acc_s = In(random, 0, 0.05),
                     .dec_s = In(random, 0, 0.2),
                     .degraded = random() % 3 == 0,
                     .transition = random() % 3 == 0,
                     .motion = {},
                     .joints_rad = {}};
  if (random() % 8) {
    world.situation.motion =
        Motion{.pose = {In(random, -0.5, 20.5), In(random, -0.5, 12.5), In(random, -3.2, 3.2)},
               .vx_mps = In(random, -0.5, 1.2),
               .wz_radps = In(random, -2, 2),
               .age = Nanos{static_cast<int64_t>(In(random, 0, 2.5e8))}};
  }
  return world;
}

Enforcement RunIn(const Policy& policy, const Separation& separation, World& world) {
  world.situation.last = world.last;
  world.situation.last_raw = world.last_raw;
  Enforcement result;
  Enforce(policy, separation, world.wanted, world.situation, result);
  return result;
}

class EnforcePropertyTest : public EnforceTest {
 protected:
  // The nav policy, but with reverse and a speed zone, so that everything is met.
  static v1::ControlPolicy Document() {
    v1::ControlPolicy document = NavPolicyDocument();
    document.mutable_limits()->mutable_nominal()->set_vx_min_mps(-0.5);
    v1::EnvelopeZone& zone = *document.add_envelope();
    zone.set_id("dock");
    zone.set_kind("speed");
    zone.set_frame("map");
    zone.mutable_circle_m()->mutable_c()->set_x(3);
    zone.mutable_circle_m()->mutable_c()->set_y(3);
    zone.mutable_circle_m()->set_r(3);
    zone.set_vx_max_mps(0.2);
    return document;
  }
  const Policy wide_ = Compiled(Document());
  Separation free_{wide_};
};

TEST_F(EnforcePropertyTest, NeverRaisesAMagnitudeNorTurnsASignAndIsFiniteForAnyInput) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 150'000; ++i) {
    World world = RandomWorld(random);
    const Enforcement result = RunIn(wide_, free_, world);
    ASSERT_EQ(result.values.size(), 2U);
    const bool finite = std::isfinite(world.wanted[0]) && std::isfinite(world.wanted[1]);
    for (size_t k = 0; k < 2; ++k) {
      ASSERT_TRUE(std::isfinite(result.values[k]));
      if (!finite) {
        ASSERT_EQ(result.values[k], 0);
        continue;
      }
      ASSERT_LE(std::abs(result.values[k]), std::abs(world.wanted[k]));
      ASSERT_GE(result.values[k] * world.wanted[k], 0);
    }
    if (finite) {
      ASSERT_TRUE(IsSound(wide_, world.wanted, result.values));
    }
  }
}

TEST_F(EnforcePropertyTest, StaysWithinEveryAbsoluteBoundForAnyInput) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 150'000; ++i) {
    World world = RandomWorld(random);
    const Enforcement result = RunIn(wide_, free_, world);
    const double vx = result.values[0];
    const double wz = result.values[1];
    ASSERT_LE(vx, 1.0);
    ASSERT_GE(vx, -0.5);
    ASSERT_LE(std::abs(wz), wide_.nominal().wz_abs_max_radps.At(std::abs(vx)) + 1e-12);
    const double step = 1.2 * world.situation.acc_s + 1e-12;
    ASSERT_LE(std::abs(vx), std::max(0.0, std::abs(world.last[0])) + step);
    if (vx * world.last[0] < 0) {
      ASSERT_LE(std::abs(vx), step);
    }
    if (world.situation.degraded) {
      ASSERT_LE(std::abs(vx),
                std::max(0.4, std::abs(world.last[0]) - 2.0 * world.situation.dec_s) + 1e-12);
    }
    if (!world.situation.motion) {
      ASSERT_LE(std::abs(vx),
                std::max(0.0, std::abs(world.last[0]) - 2.0 * world.situation.dec_s) + 1e-12);
    }
  }
}

TEST_F(EnforcePropertyTest, IsIdempotent) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 100'000; ++i) {
    World world = RandomWorld(random);
    const Enforcement once = RunIn(wide_, free_, world);
    world.wanted = once.values;
    const Enforcement twice = RunIn(wide_, free_, world);
    for (size_t k = 0; k < 2; ++k) {
      // A curve recomputed from scaled numbers may differ in its last bits, and the free way with
      // it.
      ASSERT_NEAR(twice.values[k], once.values[k], 1e-6) << i;
    }
  }
}

TEST_F(EnforcePropertyTest, AnotherViolationNeverLoosensTheOutput) {
  std::mt19937_64 random(4);
  Separation occupied(wide_);
  v1::LaserScan scan;
  for (int i = 0; i < 10; ++i) scan.add_ranges_m(0.8F);
  for (uint64_t i = 1; i <= 3; ++i) occupied.See(scan, i);
  for (int i = 0; i < 100'000; ++i) {
    World world = RandomWorld(random);
    world.situation.degraded = world.situation.transition = false;
    // On a straight line nothing but the speed matters, so magnitudes compare.
    world.wanted[1] = 0;
    const double before = std::abs(RunIn(wide_, free_, world).values[0]);
    World worse = world;
    switch (random() % 3) {
      case 0:
        worse.situation.degraded = true;
        break;
      case 1:
        worse.situation.transition = true;
        break;
      default:
        ASSERT_LE(std::abs(RunIn(wide_, occupied, world).values[0]), before + kEdge);
        continue;
    }
    ASSERT_LE(std::abs(RunIn(wide_, free_, worse).values[0]), before + kEdge);
  }
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

// --- arms
// --------------------------------------------------------------------------------------------

class ArmTest : public testing::Test {
 protected:
  static v1::ControlPolicy Document() {
    v1::ControlPolicy policy = NavPolicyDocument();
    policy.mutable_command()->set_type("joints");
    policy.mutable_command()->set_fields(0, "j1");
    policy.mutable_command()->set_fields(1, "j2");
    (*policy.mutable_inputs())["joints"] = policy.inputs().at("odom");
    policy.mutable_limits()->clear_nominal();
    policy.mutable_limits()->clear_transition();
    policy.mutable_limits()->clear_degraded();
    policy.clear_envelope();
    policy.clear_footprint();
    policy.clear_separation();
    for (const char* name : {"j1", "j2"}) {
      v1::JointLimit& joint = (*policy.mutable_joints())[name];
      joint.set_q_min_rad(-1);
      joint.set_q_max_rad(2);
      joint.set_qd_abs_max_radps(1.0);
    }
    return policy;
  }
  Enforcement Run(const std::vector<double>& wanted) {
    Enforcement result;
    Situation now{.last = last_,
                  .last_raw = last_raw_,
                  .acc_s = kPeriod,
                  .dec_s = kPeriod,
                  .motion = {},
                  .joints_rad = measured_};
    Enforce(policy_, separation_, wanted, now, result);
    return result;
  }
  const Policy policy_ = Compiled(Document());
  Separation separation_{policy_};
  std::vector<double> last_ = {0, 1.99};
  std::vector<double> last_raw_;
  std::vector<double> measured_ = {0.5, 0.5};
};

TEST_F(ArmTest, HoldsPositionAndVelocity) {
  EXPECT_THAT(Run({0.05, 2.0}).values, ElementsAre(0.05, 2.0));
  const Enforcement fast = Run({0.06, 2.0});
  EXPECT_THAT(fast.values, ElementsAre(0.05, 2.0));
  EXPECT_THAT(fast.reasons, ElementsAre("joint_velocity"));
  const Enforcement far = Run({0.0, 2.01});
  EXPECT_THAT(far.values, ElementsAre(0.0, 2.0));
  EXPECT_THAT(far.reasons, ElementsAre("joint_position"));
  EXPECT_TRUE(far.clamped);
}

TEST_F(ArmTest, BlamesTheModelForItsOwnStepOnly) {
  last_raw_ = {1.0, 2.0};
  EXPECT_FALSE(Run({1.0, 2.0}).clamped) << "the arm is on its way";
  last_raw_ = {0.0, 2.0};
  EXPECT_TRUE(Run({1.0, 2.0}).clamped);
}

TEST_F(ArmTest, StartsFromWhatIsMeasured) {
  last_.clear();
  EXPECT_THAT(Run({1.0, 0.0}).values, ElementsAre(0.55, 0.45));
}

TEST_F(ArmTest, CommandsNothingWhenNobodyKnowsWhereItIs) {
  last_.clear();
  measured_.clear();
  EXPECT_THAT(Run({1.0, 0.0}).values, IsEmpty());
}

TEST_F(ArmTest, WhatIsNotFiniteHoldsTheLastTarget) {
  EXPECT_THAT(Run({kNan, 0.0}).values, ElementsAre(0, 1.99));
}

TEST_F(ArmTest, BrakingHoldsTheLastTarget) {
  std::vector<double> values;
  BrakeAlong(policy_, last_, {.dec_mps2 = 1, .seconds = 1}, values);
  EXPECT_THAT(values, ElementsAre(0, 1.99));
}

TEST_F(ArmTest, NeverLeavesItsRangeForAnyInput) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 100'000; ++i) {
    std::vector<double> wanted = {In(random, -9, 9), std::bit_cast<double>(random())};
    last_ = {In(random, -1, 2), In(random, -1, 2)};
    const Enforcement result = Run(wanted);
    for (size_t k = 0; k < 2; ++k) {
      ASSERT_GE(result.values[k], -1);
      ASSERT_LE(result.values[k], 2);
      ASSERT_LE(std::abs(result.values[k] - last_[k]), kPeriod + 1e-12);
    }
  }
}

}  // namespace
}  // namespace agent::runtime
