#include <functional>
#include <optional>
#include <vector>

#include "agent/runtime/enforce.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"

// The filter of a mobile base's commands, number by number.

namespace agent::runtime {
namespace {

using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::tests::NavPolicyDocument;
namespace v1 = ::gatekeeper::v1;

class TwistFilterTest : public testing::Test {
 protected:
  TwistFilterTest() {
    Compile([](v1::ControlPolicy&) {});
  }
  void Compile(const std::function<void(v1::ControlPolicy&)>& edit) {
    v1::ControlPolicy document = NavPolicyDocument();
    edit(document);
    auto policy = Policy::Compile(document);
    ASSERT_TRUE(policy.ok()) << policy.status();
    policy_.emplace(*std::move(policy));
    separation_.emplace(*policy_);
  }
  Enforcement Run(double vx, double wz) {
    Enforcement result;
    const std::vector<double> wanted = {vx, wz};
    situation_.last = last_;
    situation_.last_raw = last_raw_;
    Enforce(*policy_, *separation_, wanted, situation_, result);
    return result;
  }

  std::optional<Policy> policy_;
  std::optional<Separation> separation_;
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

TEST_F(TwistFilterTest, AMillionthIsNoReason) {
  const double most = 1 - kNoise;
  Compile(
      [&](v1::ControlPolicy& p) { p.mutable_limits()->mutable_nominal()->set_vx_max_mps(most); });
  last_ = {most, 0};
  EXPECT_THAT(Run(1, 0).values, ElementsAre(most, 0));
  EXPECT_THAT(Run(1, 0).reasons, IsEmpty());
  EXPECT_THAT(Run(1 + kNoise / 100, 0).reasons, ElementsAre("speed"));
}

TEST_F(TwistFilterTest, ALastCommandThatIsMissingOrNoNumberIsStanding) {
  for (const std::vector<double>& last : {std::vector<double>{}, std::vector<double>{kNan, kNan}}) {
    last_ = last;
    EXPECT_THAT(Run(0.8, 1.0).values, ElementsAre(DoubleEq(1.2 * kPeriodS), DoubleEq(0.3)));
  }
}

TEST_F(TwistFilterTest, ALastSpeedThatIsNoNumberDoesNotHideTheTurnThatIsStopped) {
  situation_.motion.reset();
  last_ = {kNan, 0.5};
  EXPECT_THAT(Run(0.01, 0.5).values, ElementsAre(0, DoubleEq(0.5 - 6.0 * kPeriodS)));
}

TEST_F(TwistFilterTest, WhereASituationForbidsDrivingBackwardsNoRollForwardsAllowsIt) {
  Compile([](v1::ControlPolicy& p) {
    p.mutable_limits()->mutable_nominal()->set_vx_min_mps(-0.6);
    p.mutable_limits()->mutable_transition()->set_vx_min_mps(0);
  });
  last_ = {0.03, 0};
  situation_.motion->vx_mps = 0;
  situation_.dec_s = 0.001;
  EXPECT_THAT(Run(-0.6, 0).values, ElementsAre(DoubleEq(-0.03), 0)) << "nominally it may";
  situation_.transition = true;
  situation_.acc_s = 0.1;
  EXPECT_THAT(Run(-0.6, 0).values, ElementsAre(0, 0));
}

TEST_F(TwistFilterTest, WhatASituationDoesNotHoldBackItIsNoReasonFor) {
  last_ = {0.3, 0.5};
  situation_.transition = true;
  situation_.degraded = true;
  EXPECT_THAT(Run(0.3, 0.5).reasons, IsEmpty());
}

TEST_F(TwistFilterTest, ATurnIsSlowedToADegradedCapAsItBrakes) {
  last_ = {0.3, 1.4};
  situation_.degraded = true;
  const Enforcement result = Run(0.3, 1.4);
  EXPECT_THAT(result.values, ElementsAre(0.3, DoubleEq(1.4 - 6.0 * kPeriodS)));
  EXPECT_THAT(result.reasons, ElementsAre("degraded"));
  EXPECT_FALSE(result.clamped);
}

TEST_F(TwistFilterTest, AYawStepIsBlamedOnTheModelWhenItIsItsOwn) {
  last_raw_ = {0.5, 1.0};
  EXPECT_THAT(Run(0.5, 1.0).values, ElementsAre(0.5, DoubleEq(0.3)));
  EXPECT_FALSE(Run(0.5, 1.0).clamped) << "it has asked for that before";
  last_raw_ = {0.5, 0.7};
  EXPECT_FALSE(Run(0.5, 1.0).clamped) << "just what one period allows";
  last_raw_ = {0.5, 0.69};
  EXPECT_TRUE(Run(0.5, 1.0).clamped);
  last_raw_ = {0.5, -1.0};
  EXPECT_FALSE(Run(0.5, -1.0).clamped) << "to the other side alike";
  last_raw_ = {0.5, -0.69};
  EXPECT_TRUE(Run(0.5, -1.0).clamped);
}

TEST_F(TwistFilterTest, AStepOfSpeedIsBlamedOnTheModelFromOnePeriodsAccelerationOn) {
  last_raw_ = {0.741, 0};
  EXPECT_FALSE(Run(0.8, 0).clamped);
  last_raw_ = {0.739, 0};
  EXPECT_TRUE(Run(0.8, 0).clamped);
}

TEST_F(TwistFilterTest, WithoutAMeasuredSpeedTheYawRateIsThatOfTheCommand) {
  Compile([](v1::ControlPolicy& p) {
    p.clear_envelope();
    p.clear_requirements();
  });
  situation_.motion.reset();
  last_ = {0.2, 1.4};
  EXPECT_THAT(Run(0.2, 1.45).values, ElementsAre(0.2, 1.45));
  last_ = {1.0, 1.2};
  EXPECT_THAT(Run(1.0, 1.3).values[1], DoubleEq(1.5 - 0.3 * (0.9 - 0.5) / 0.5))
      << "slowed to 0.9 m/s";
}

TEST_F(TwistFilterTest, ARobotThatStandsAnywayNeedsNoPose) {
  situation_.motion.reset();
  last_ = {0, 0};
  EXPECT_THAT(Run(0, 0).reasons, IsEmpty());
  EXPECT_THAT(Run(0.01, 0).reasons, ElementsAre("envelope:no_pose"));
}

}  // namespace
}  // namespace agent::runtime
