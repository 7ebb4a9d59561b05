#include <algorithm>
#include <bit>
#include <cmath>
#include <random>

#include "gmock/gmock.h"
#include "tests/agent/runtime/arm_world.h"
#include "tests/support/cases.h"

// What an arm's joints may be commanded, and that every limit holds on any drive.

namespace agent::runtime {
namespace {

using ::testing::Contains;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(ArmTest, LeavesASoundTargetAlone) {
  const Enforcement result = Run({0.04, 0.48});
  EXPECT_THAT(result.values, ElementsAre(DoubleNear(0.04, 1e-12), DoubleNear(0.48, 1e-12)));
  EXPECT_THAT(result.reasons, IsEmpty());
  EXPECT_FALSE(result.clamped);
}

TEST_F(ArmTest, HoldsSpeedAndPosition) {
  const Enforcement fast = Run({0.06, 0.5});
  EXPECT_THAT(fast.values, ElementsAre(DoubleNear(0.05, 1e-12), 0.5));
  EXPECT_THAT(fast.reasons, ElementsAre("joint_velocity"));
  EXPECT_FALSE(fast.clamped) << "nobody knows what it said before";
  const Enforcement far = Run({0.0, 2.01});
  EXPECT_THAT(far.reasons, Contains("joint_position"));
  EXPECT_TRUE(far.clamped);
}

TEST_F(ArmTest, BlamesTheModelForItsOwnStepOnly) {
  last_raw_ = {1.0, 0.5};
  EXPECT_FALSE(Run({1.0, 0.5}).clamped) << "the arm is on its way";
  last_raw_ = {0.0, 0.5};
  EXPECT_TRUE(Run({1.0, 0.5}).clamped);
}

TEST_F(ArmTest, GathersSpeedAndBrakesNoFasterThanItMay) {
  Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); }); });
  const Enforcement first = Drive({0.5, 0.5});
  EXPECT_NEAR(first.values[0], 4 * kPeriodS * kPeriodS, 1e-12);
  EXPECT_THAT(first.reasons, ElementsAre("joint_acceleration"));
  EXPECT_FALSE(first.clamped);
  for (int i = 0; i < 3; ++i) Drive({0.5, 0.5});
  EXPECT_NEAR(motion_.speeds_radps()[0], 0.8, 1e-9);
  // Told to stand at once, it sheds 4 rad/s2 a tick.
  Drive(Run(last_));
  EXPECT_NEAR(motion_.speeds_radps()[0], 0.6, 1e-9);
}

TEST_F(ArmTest, SettlesOnATargetThatStands) {
  Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); }); });
  double farthest = 0;
  for (int i = 0; i < 60; ++i) farthest = std::max(farthest, Drive({0.9, -0.5}).values[0]);
  EXPECT_NEAR(last_[0], 0.9, 1e-9);
  EXPECT_NEAR(last_[1], -0.5, 1e-9);
  EXPECT_TRUE(motion_.stands());
  EXPECT_LE(farthest, 0.9 + 4 * kPeriodS * kPeriodS) << "beyond it by one tick's shedding at most";
}

TEST_F(ArmTest, FollowsATargetThatMovesAtItsSpeed) {
  Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); }); });
  double target = 0.02;  // beyond what it can do in its first tick
  for (int i = 0; i < 20; ++i, target += 0.8 * kPeriodS) {
    Drive({target, 0.5});
    last_raw_ = {target, 0.5};
  }
  EXPECT_NEAR(motion_.speeds_radps()[0], 0.8, 1e-6);
  EXPECT_NEAR(last_[0], target - 0.8 * kPeriodS, 1e-6) << "without a lag";
}

TEST_F(ArmTest, HoldsTheJerkOfGatheringSpeedAndNotOfBraking) {
  Compile([](P& p) {
    SetJoints(p, [](v1::JointLimit& j) {
      j.set_qdd_abs_max_radps2(4);
      j.set_qddd_abs_max_radps3(20);
    });
  });
  Drive({1.5, 0.5});
  EXPECT_NEAR(motion_.accelerations_radps2()[0], 1, 1e-9);
  Drive({1.5, 0.5});
  EXPECT_NEAR(motion_.accelerations_radps2()[0], 2, 1e-9);
  for (int i = 0; i < 4; ++i) Drive({1.5, 0.5});
  const double before = motion_.speeds_radps()[0];
  Drive(Run(last_));
  EXPECT_NEAR(motion_.speeds_radps()[0], before - 0.2, 1e-9) << "all of its braking at once";
}

TEST_F(ArmTest, StopsBeforeTheEndOfItsRange) {
  Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(2); }); });
  last_ = {1.5, 0.5};
  bool held = false;
  for (int i = 0; i < 100; ++i) {
    const double ahead = last_[0] + 0.05;  // a model that looks at the next tick only
    const Enforcement result = Drive({std::min(ahead, 2.0), 0.5});
    ASSERT_LE(last_[0], 2.0);
    ASSERT_GE(motion_.accelerations_radps2()[0], -2 - 1e-6);
    for (std::string_view reason : result.reasons) held = held || reason == "joint_position";
  }
  EXPECT_TRUE(held);
  EXPECT_GT(last_[0], 1.99);
}

TEST_F(ArmTest, DegradedTransitionAndDeratingScaleSpeeds) {
  situation_.degraded = true;
  const Enforcement degraded = Run({1.0, 0.5});
  EXPECT_NEAR(degraded.values[0], 0.025, 1e-12);
  EXPECT_THAT(degraded.reasons, ElementsAre("degraded"));
  situation_.degraded = false;
  situation_.transition = true;
  last_raw_ = {0, 0.5};
  const Enforcement transition = Run({1.0, 0.5});
  EXPECT_THAT(transition.reasons, ElementsAre("transition"));
  EXPECT_FALSE(transition.clamped) << "not the model's doing";
  situation_.derate = 0.2;
  situation_.derate_reason = "derate:x";
  const Enforcement derated = Run({1.0, 0.5});
  EXPECT_NEAR(derated.values[0], 0.005, 1e-12);
  EXPECT_THAT(derated.reasons, ElementsAre("derate:x"));
}

TEST_F(ArmTest, StartsFromWhatIsMeasured) {
  last_.clear();
  EXPECT_THAT(Run({1.0, 0.0}).values,
              ElementsAre(DoubleNear(0.55, 1e-12), DoubleNear(0.45, 1e-12)));
}

TEST_F(ArmTest, CommandsNothingWhenNobodyKnowsWhereItIs) {
  last_.clear();
  measured_.clear();
  const Enforcement result = Run({1.0, 0.0});
  EXPECT_THAT(result.values, IsEmpty());
  EXPECT_THAT(result.reasons, ElementsAre("joints:unknown"));
  measured_ = {kNan, 0.5};
  EXPECT_THAT(Run({1.0, 0.0}).values, IsEmpty());
}

TEST_F(ArmTest, WhatIsNotFiniteBrakes) {
  EXPECT_THAT(Run({kNan, 0.0}).values, ElementsAre(0, 0.5)) << "at rest it stays";
  Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); }); });
  for (int i = 0; i < 3; ++i) Drive({0.5, 0.5});
  const double before = motion_.speeds_radps()[0];
  Drive(Run({kNan, 0.0}));
  EXPECT_NEAR(motion_.speeds_radps()[0], before - 0.2, 1e-9);
}

TEST_F(ArmTest, NoTimeMovesNothing) {
  situation_.acc_s = 0;
  const Enforcement result = Run({0.04, 0.5});
  EXPECT_THAT(result.values, ElementsAre(0, 0.5));
  EXPECT_THAT(result.reasons, IsEmpty());
}

TEST_F(ArmTest, BackwardsSpeedsAreScaledAsMuch) {
  situation_.degraded = true;
  EXPECT_THAT(Run({-0.9, 0.5}).values, ElementsAre(DoubleNear(-0.025, 1e-12), 0.5));
}

TEST_F(ArmTest, AReasonIsGivenOnceForAllJoints) {
  EXPECT_THAT(Run({0.9, -0.9}).reasons, ElementsAre("joint_velocity"));
}

TEST_F(ArmTest, AStopShedsEveryJointsSpeedAsFastAsItMay) {
  Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); }); });
  for (int i = 0; i < 8; ++i) Drive({1.0, -1.0});
  int ticks = 0;
  while (!motion_.stands()) {
    Brake();
    ASSERT_GE(motion_.accelerations_radps2()[0], -4 - 1e-9);
    ASSERT_LE(motion_.accelerations_radps2()[1], 4 + 1e-9);
    ASSERT_LT(++ticks, 20);
  }
  EXPECT_EQ(ticks, 5) << "1 rad/s";
}

// --- properties over random drives

class ArmPropertyTest : public ArmTest {
 protected:
  ArmPropertyTest() {
    Compile([](P& p) {
      SetJoints(p, [](v1::JointLimit& j) {
        j.set_qdd_abs_max_radps2(5);
        j.set_qddd_abs_max_radps3(80);
      });
      p.mutable_arm()->set_tcp_v_max_mps(0.3);
      AddBox(p, "inclusion", {-0.2, -0.55}, {0.55, 0.55}, {-1, 1});
      AddBox(p, "exclusion", {0.1, 0.3}, {0.3, 0.6}, {-1, 1});
    });
  }
  bool Inside(const std::vector<double>& q) const { return ToolClearanceM(*policy_, q) > 0.035; }
};

TEST_F(ArmPropertyTest, EveryLimitHoldsOnEveryTickOfAnyDrive) {
  std::mt19937_64 random(5);
  int ticks = 0;
  while (ticks < tests::Cases(100'000)) {
    last_ = {In(random, -1, 2), In(random, -1, 2)};
    if (!Inside(last_)) continue;
    motion_.Start(2, {});
    std::vector<double> goal = last_;
    for (int tick = 0; tick < 100; ++tick, ++ticks) {
      if (random() % 20 == 0) goal = {In(random, -3, 3), In(random, -3, 3)};
      std::vector<double> wanted = {goal[0] + In(random, -0.02, 0.02),
                                    goal[1] + In(random, -0.02, 0.02)};
      if (random() % 50 == 0) wanted[random() % 2] = std::bit_cast<double>(random());
      const std::vector<double> from = last_;
      if (random() % 40 == 0) {
        Brake();
      } else {
        Drive(wanted);
      }
      // Along the whole step, with a finer look than the filter's own.
      double way = 0;
      std::vector<double> at = from;
      for (int k = 1; k <= 10; ++k) {
        const std::vector<double> next = {from[0] + (last_[0] - from[0]) * k / 10,
                                          from[1] + (last_[1] - from[1]) * k / 10};
        way += Distance(ToolPoint(policy_->arm().chain, at), ToolPoint(policy_->arm().chain, next));
        at = next;
        ASSERT_GT(ToolClearanceM(*policy_, at), 0.02) << ticks;
      }
      ASSERT_LE(way, 0.3 * kPeriodS * 1.001) << ticks;
      for (size_t i = 0; i < 2; ++i) {
        const double speed = motion_.speeds_radps()[i];
        const double before = before_.speeds_radps()[i];
        ASSERT_GE(last_[i], -1 - 1e-9);
        ASSERT_LE(last_[i], 2 + 1e-9);
        ASSERT_LE(std::abs(speed), 1 + 1e-9);
        ASSERT_LE(std::abs(speed - before), 5 * kPeriodS + 1e-9) << ticks;
        if (std::abs(speed) > std::abs(before) && speed * before > 0) {
          const double gained = std::copysign(1.0, speed) * motion_.accelerations_radps2()[i];
          const double had = std::copysign(1.0, speed) * before_.accelerations_radps2()[i];
          ASSERT_LE(gained, std::max(0.0, had) + 80 * kPeriodS + 1e-6);
        }
      }
    }
  }
}

TEST_F(ArmTest, WithoutItsMotionAnArmBrakesByKeepingItsTarget) {
  std::vector<double> values;
  BrakeAlong(*policy_, last_, {.seconds = kPeriodS, .joints_radps = {}}, values);
  EXPECT_EQ(values, last_);
}

TEST_F(ArmTest, ATargetOfAnotherNumberOfJointsIsUnsound) {
  EXPECT_TRUE(IsSound(*policy_, std::vector<double>{0, 1}, std::vector<double>{1, 2}));
  EXPECT_TRUE(IsSound(*policy_, std::vector<double>{0, 1}, std::vector<double>{}));
  EXPECT_FALSE(IsSound(*policy_, std::vector<double>{0, 1}, std::vector<double>{1}));
}

TEST(ArmMotionTest, StartsWithTheSpeedsOfEveryJointOrAtRest) {
  ArmMotion motion;
  motion.Start(2, std::vector<double>{0.5, -0.5});
  EXPECT_THAT(motion.speeds_radps(), ElementsAre(0.5, -0.5));
  EXPECT_THAT(motion.accelerations_radps2(), ElementsAre(0, 0));
  motion.Start(2, std::vector<double>{0.5});
  EXPECT_TRUE(motion.stands()) << "nobody knows whose speed that is";
}

TEST(ArmMotionTest, IsKeptWhereTargetsTellNothingOfIt) {
  ArmMotion motion;
  motion.Start(2, std::vector<double>{0.5, -0.5});
  const std::vector<double> one = {1};
  const std::vector<double> two = {1, 1};
  const std::vector<double> three = {1, 1, 1};
  motion.Follow(two, two, 0);
  motion.Follow(one, two, kPeriodS);
  motion.Follow(three, three, kPeriodS);
  EXPECT_EQ(motion.speeds_radps()[0], 0.5);
  EXPECT_EQ(motion.speeds_radps()[1], -0.5);
  motion.Follow(two, two, kPeriodS);
  EXPECT_TRUE(motion.stands());
}

}  // namespace
}  // namespace agent::runtime
