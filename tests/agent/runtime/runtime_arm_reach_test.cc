#include "agent/runtime/limits.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/arm_world.h"

// How fast a joint nears a target that it cannot have in one tick, and what counts as held back:
// exact numbers on both sides.

namespace agent::runtime {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Joints that gather and shed 4 rad/s2.

class SlowArmTest : public ArmTest {
 protected:
  SlowArmTest() {
    Compile([](P& p) { SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); }); });
  }
  void LimitJerk() {
    Compile([](P& p) {
      SetJoints(p, [](v1::JointLimit& j) {
        j.set_qdd_abs_max_radps2(4);
        j.set_qddd_abs_max_radps3(20);
      });
    });
  }
};

TEST_F(SlowArmTest, IsAsFastAsItCanStopFrom) {
  // One more tick at 0.8 rad/s is 0.04 rad, the stop after it 0.08 rad.
  motion_.Start(2, std::vector<double>{0.8, 0});
  const Enforcement result = Run({0.12, 0.5});
  EXPECT_NEAR(result.values[0], 0.8 * kPeriodS, 1e-12);
  EXPECT_THAT(result.reasons, ElementsAre("joint_acceleration"));
}

TEST_F(SlowArmTest, GoesOnWithATargetThatMovesAndCatchesUpAsFastAsItCanStop) {
  // 0.4 rad/s with the target, and 0.4 rad/s more for the 0.04 rad it lags behind.
  motion_.Start(2, std::vector<double>{0.8, 0});
  last_raw_ = {0.04, 0.5};
  EXPECT_NEAR(Run({0.06, 0.5}).values[0], 0.8 * kPeriodS, 1e-12);
}

TEST_F(SlowArmTest, LeavesItsRangeForNoTargetThatRunsAhead) {
  last_ = {2, 0.5};
  last_raw_ = {1.89, 0.5};
  EXPECT_EQ(Run({1.94, 0.5}).values[0], 2) << "the target comes at 1 rad/s";
}

TEST_F(SlowArmTest, ComesBackToTheEndOfItsRangeFromBeyondIt) {
  last_ = {2.001, 0.5};
  const Enforcement result = Run({2, 0.5});
  EXPECT_NEAR(result.values[0], 2, 1e-12);
  EXPECT_THAT(result.reasons, IsEmpty());
}

TEST_F(SlowArmTest, GathersSpeedAgainAtOnceAfterItHasBraked) {
  LimitJerk();
  for (const double way : {1.0, -1.0}) {
    motion_.Start(2, std::vector<double>{way * 0.8, 0});
    last_ = {0, 0.5};
    Drive({{way * 0.03, 0.5}, {}, false});
    ASSERT_NEAR(motion_.accelerations_radps2()[0], way * -4, 1e-9);
    EXPECT_NEAR(Drive({way * 0.9, 0.5}).values[0], way * (0.03 + 0.65 * kPeriodS), 1e-12);
    EXPECT_NEAR(motion_.accelerations_radps2()[0], way * 1, 1e-9);
  }
}

TEST_F(SlowArmTest, IsHeldToItsJerkFromWhereItTurns) {
  LimitJerk();
  for (const double way : {1.0, -1.0}) {
    motion_.Start(2, std::vector<double>{way * -0.1, 0});
    last_ = {0, 0.5};
    EXPECT_NEAR(Run({way * 0.9, 0.5}).values[0], way * 0.05 * kPeriodS, 1e-12);
  }
}

TEST_F(SlowArmTest, StoodWhenNobodyKnowsHowItMoved) {
  LimitJerk();
  motion_.Start(0, {});
  EXPECT_THAT(Run({0.9, -0.9}).values, ElementsAre(DoubleNear(0.05 * kPeriodS, 1e-12),
                                                   DoubleNear(0.5 - 0.05 * kPeriodS, 1e-12)));
}

// --- a command that differs by no more than noise is as it was wanted

TEST_F(SlowArmTest, AtAMillionthBeyondItsReachIsNotHeldBack) {
  motion_.Start(2, std::vector<double>{0.5, 0});
  const Enforcement result = Run({(0.7 + 5e-7) * kPeriodS, 0.5});
  EXPECT_NEAR(result.values[0], 0.7 * kPeriodS, 1e-12);
  EXPECT_THAT(result.reasons, IsEmpty());
  EXPECT_THAT(Run({(0.7 + 2e-6) * kPeriodS, 0.5}).reasons, ElementsAre("joint_acceleration"));
}

TEST_F(SlowArmTest, AtAMillionthTooFastForItsRoomIsNotHeldBack) {
  motion_.Start(2, std::vector<double>{0.8, 0});
  // From 0.9 rad/s it stops within 0.14625 rad.
  last_ = {2 - 0.14625, 0.5};
  EXPECT_THAT(Run({last_[0] + (0.9 + 5e-7) * kPeriodS, 0.5}).reasons, IsEmpty());
  EXPECT_THAT(Run({last_[0] + (0.9 + 2e-6) * kPeriodS, 0.5}).reasons,
              ElementsAre("joint_position"));
}

// A tick of a second and joints that hardly move: differences are kNoise to the last bit.
class NoiseTest : public ArmTest {
 protected:
  void Limit(double speed, double acceleration, double q_max = 2) {
    Compile([=](P& p) {
      SetJoints(p, [=](v1::JointLimit& j) {
        j.set_qd_abs_max_radps(speed);
        j.set_qdd_abs_max_radps2(acceleration);
        j.set_q_max_rad(q_max);
      });
    });
    situation_.acc_s = 1;
    last_ = {0, 0};
    last_raw_.clear();
  }
};

TEST_F(NoiseTest, ATargetBeyondTheRangeByItIsSound) {
  Limit(1, 1000, 0);
  const Enforcement noise = Run({kNoise, 0});
  EXPECT_FALSE(noise.clamped);
  EXPECT_THAT(noise.reasons, IsEmpty());
  EXPECT_TRUE(Run({1.5 * kNoise, 0}).clamped);
}

TEST_F(NoiseTest, ASpeedBeyondTheReachByItIsThatOfTheReach) {
  Limit(10 * kNoise, 0.5 * kNoise);
  motion_.Start(2, std::vector<double>{0.5 * kNoise, 0});
  last_raw_ = {3 * kNoise, 0};
  const Enforcement result = Run({2 * kNoise, 0});
  EXPECT_EQ(result.values[0], kNoise);
  EXPECT_THAT(result.reasons, IsEmpty());
}

TEST_F(NoiseTest, ASpeedTooFastForTheRoomByItIsNoFaultOfThePosition) {
  Limit(10 * kNoise, kNoise, 0);
  last_raw_ = {-15 * kNoise, 0};
  const Enforcement result = Run({-5 * kNoise, 0});
  EXPECT_EQ(result.values[0], 0);
  EXPECT_THAT(result.reasons, ElementsAre("joint_acceleration"));
}

TEST_F(NoiseTest, ASpeedBeyondTheLargestByItIsSound) {
  Limit(kNoise, 1000);
  const Enforcement noise = Run({2 * kNoise, 0});
  EXPECT_EQ(noise.values[0], kNoise);
  EXPECT_THAT(noise.reasons, IsEmpty());
  EXPECT_THAT(Run({2.5 * kNoise, 0}).reasons, ElementsAre("joint_velocity"));
}

TEST_F(NoiseTest, AnOwnStepBeyondTheLargestByItIsNoFaultOfTheModel) {
  Limit(kNoise, 1000);
  last_raw_ = {2 * kNoise, 0};
  EXPECT_FALSE(Run({4 * kNoise, 0}).clamped);
  EXPECT_TRUE(Run({4.5 * kNoise, 0}).clamped);
}

// --- braking

TEST(ArmBraking, ShedsWhatTheJointMayAndStandsThenButNeverGathersSpeedWhereNoTimePasses) {
  const JointLimits joint{.qdd_abs_max_radps2 = 4};
  for (const double way : {1.0, -1.0}) {
    EXPECT_DOUBLE_EQ(BrakedRadps(joint, way * 0.8, 0.05), way * 0.6);
    EXPECT_EQ(BrakedRadps(joint, way * 0.8, 0.25), 0);
    EXPECT_EQ(BrakedRadps(joint, way * 0.8, 0), way * 0.8);
    EXPECT_EQ(BrakedRadps(joint, way * 0.8, -0.05), way * 0.8);
  }
}

}  // namespace
}  // namespace agent::runtime
