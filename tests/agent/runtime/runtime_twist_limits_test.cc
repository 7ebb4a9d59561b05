#include <random>

#include "agent/runtime/enforce.h"
#include "agent/runtime/twist_limits.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/agent/runtime/policy_bounds.h"
#include "tests/support/cases.h"
#include "tests/support/status_matchers.h"

// The limit sets of a mobile base, and what the two newest limits hold back.

namespace agent::runtime {
namespace {

using ::testing::Contains;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::tests::Compiled;
using ::tests::Degraded;
using ::tests::NavPolicyDocument;
using ::tests::Nominal;
using ::tests::PolicyDefect;
using ::tests::StatusIs;
using ::tests::Transition;
namespace v1 = ::gatekeeper::v1;

// --- the tightest of several curves -------------------------------------------------------------

TEST(TightestTest, BendsWhereTwoCurvesCross) {
  const Curve a{{0, 1}, {2, 0}};
  const Curve b{{0, 1}, {0.5, 1.5}};
  const Curve least = Tightest(a, b);
  EXPECT_THAT(least.points, ElementsAre(0, DoubleEq(0.5), 1));
  EXPECT_THAT(least.values, ElementsAre(0.5, DoubleEq(1), 0));
}

TEST(TightestTest, HasNoPointTwiceWhereTwoCurvesCrossAllButAtOne) {
  const Curve level{{1, 2}, {0, 0}};
  for (const Curve& crossing : {Curve{{1, 2}, {1e-20, -1}}, Curve{{1, 2}, {1, -1e-20}}}) {
    EXPECT_THAT(Tightest(level, crossing).points, ElementsAre(1, 2));
  }
}

TEST(TightestTest, IsTheLesserOfBothEverywhere) {
  std::mt19937_64 random(1);
  const auto any = [&] {
    Curve curve;
    double point = In(random, 0, 0.3);
    for (size_t i = 0; i <= random() % 4; ++i) {
      curve.points.push_back(point);
      curve.values.push_back(In(random, 0.1, 2));
      point += In(random, 0.05, 0.6);
    }
    return curve;
  };
  for (int i = 0; i < tests::Cases(20'000); ++i) {
    const Curve a = any();
    const Curve b = any();
    const Curve least = Tightest(a, b);
    for (int k = 0; k < 20; ++k) {
      const double x = In(random, -0.1, 3);
      ASSERT_NEAR(least.At(x), std::min(a.At(x), b.At(x)), 1e-9);
    }
  }
}

// --- sets ---------------------------------------------------------------------------------------

TEST(LimitSetTest, ASituationKeepsWhatItDoesNotTighten) {
  const Policy policy = Compiled(NavPolicyDocument());
  const TwistLimits& transition = policy.limits(LimitSituation::kTransition);
  EXPECT_EQ(transition.vx_max_mps, 0.4);
  EXPECT_EQ(transition.acc_max_mps2.At(0.9), 0.6);
  EXPECT_EQ(transition.wz_abs_max_radps.At(1.0), 1.2);
  EXPECT_EQ(transition.jerk_max_mps3.At(0.5), 10);
  EXPECT_EQ(transition.cmd_vs_measured_mps, 0.5);
  EXPECT_EQ(policy.transition_for(), std::chrono::seconds(2));
  EXPECT_TRUE(policy.has_degraded());
}

TEST(LimitSetTest, BothSituationsAtOnceHoldTheTightestOfEach) {
  v1::ControlPolicy document = NavPolicyDocument();
  Degraded(document).set_vx_max_mps(0.3);
  Degraded(document).set_wz_acc_max_radps2(3);
  Degraded(document).set_cmd_vs_measured_mps(0.2);
  Degraded(document).add_jerk_max_mps3(4);
  Transition(document).set_cmd_vs_measured_mps(0.3);
  const Policy policy = Compiled(document);
  const TwistLimits& both = policy.limits(SituationOf(true, true));
  EXPECT_EQ(both.vx_max_mps, 0.3);
  EXPECT_EQ(both.acc_max_mps2.At(0), 0.6);
  EXPECT_EQ(both.wz_abs_max_radps.At(0), 0.8);
  EXPECT_EQ(both.wz_acc_max_radps2, 3);
  EXPECT_EQ(both.cmd_vs_measured_mps, 0.2);
  EXPECT_EQ(both.jerk_max_mps3.At(1), 4);
  EXPECT_EQ(both.dec_max_mps2.At(1), 2);
}

TEST(LimitSetTest, WithoutADegradedSetThatSituationIsTheNominalOne) {
  v1::ControlPolicy document = NavPolicyDocument();
  document.mutable_limits()->clear_degraded();
  const Policy policy = Compiled(document);
  EXPECT_FALSE(policy.has_degraded());
  EXPECT_EQ(policy.limits(LimitSituation::kDegraded).vx_max_mps, 1.0);
  EXPECT_EQ(policy.limits(LimitSituation::kBoth).vx_max_mps, 0.4);
}

TEST(LimitSetTest, TakesArraysOverItsOwnSpeedPoints) {
  v1::ControlPolicy document = NavPolicyDocument();
  v1::LimitSet& set = Degraded(document);
  for (double point : {0.0, 0.2, 0.4}) set.add_speed_points_mps(point);
  set.clear_wz_abs_max_radps();
  for (double wz : {1.5, 0.8, 0.5}) set.add_wz_abs_max_radps(wz);
  const Policy policy = Compiled(document);
  EXPECT_DOUBLE_EQ(policy.limits(LimitSituation::kDegraded).wz_abs_max_radps.At(0.3), 0.65);
  EXPECT_DOUBLE_EQ(policy.limits(LimitSituation::kDegraded).wz_abs_max_radps.At(0.9), 0.5);
}

TEST(LimitSetTest, TakesArraysOverTheNominalSpeedPoints) {
  v1::ControlPolicy document = NavPolicyDocument();
  v1::LimitSet& set = Transition(document);
  set.clear_acc_max_mps2();
  for (double acc : {0.6, 0.4, 0.2}) set.add_acc_max_mps2(acc);
  const Policy policy = Compiled(document);
  EXPECT_DOUBLE_EQ(policy.limits(LimitSituation::kTransition).acc_max_mps2.At(0.25), 0.5);
}

TEST(LimitSetTest, ASituationsSpeedBoundsBothDirections) {
  v1::ControlPolicy document = NavPolicyDocument();
  Nominal(document).set_vx_min_mps(-0.7);
  EXPECT_EQ(Compiled(document).limits(LimitSituation::kTransition).vx_min_mps, -0.4);
  Transition(document).set_vx_min_mps(-0.1);
  EXPECT_EQ(Compiled(document).limits(LimitSituation::kTransition).vx_min_mps, -0.1);
  EXPECT_EQ(Compiled(document).limits(LimitSituation::kDegraded).vx_min_mps, -0.4);
}

TEST(LimitSetTest, TakesWhatIsJustAsTightAsNominal) {
  v1::ControlPolicy document = NavPolicyDocument();
  v1::LimitSet& set = Transition(document);
  set.set_vx_max_mps(1.0);
  set.clear_acc_max_mps2();
  set.add_speed_points_mps(0.3);
  set.add_speed_points_mps(0.75);
  set.add_acc_max_mps2(1.2);
  set.add_acc_max_mps2(1.0);
  EXPECT_OK(Policy::Compile(document).status());
}

class BadLimitSetTest : public testing::TestWithParam<PolicyDefect> {};

TEST_P(BadLimitSetTest, IsRefusedByThePathOfTheDefect) {
  v1::ControlPolicy policy = NavPolicyDocument();
  GetParam().seed(policy);
  EXPECT_THAT(Policy::Compile(policy),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith(std::string("[limits.") + GetParam().path + "] ")));
}

using P = v1::ControlPolicy;

INSTANTIATE_TEST_SUITE_P(
    Nominal, BadLimitSetTest,
    testing::Values(
        PolicyDefect{"nominal.jerk_max_mps3", [](P& p) { Nominal(p).clear_jerk_max_mps3(); }},
        PolicyDefect{"nominal.jerk_max_mps3", [](P& p) { Nominal(p).set_jerk_max_mps3(0, 0); }},
        PolicyDefect{"nominal.jerk_max_mps3", [](P& p) { Nominal(p).set_jerk_max_mps3(0, kNan); }},
        PolicyDefect{"nominal.jerk_max_mps3", [](P& p) { Nominal(p).add_jerk_max_mps3(10); }},
        PolicyDefect{"nominal.cmd_vs_measured_mps",
                     [](P& p) { Nominal(p).clear_cmd_vs_measured_mps(); }},
        PolicyDefect{"nominal.cmd_vs_measured_mps",
                     [](P& p) { Nominal(p).set_cmd_vs_measured_mps(0); }},
        PolicyDefect{"nominal.for_ms", [](P& p) { Nominal(p).set_for_ms(5); }}));

INSTANTIATE_TEST_SUITE_P(
    Situations, BadLimitSetTest,
    testing::Values(
        PolicyDefect{"transition.for_ms", [](P& p) { Transition(p).set_for_ms(0); }},
        PolicyDefect{"transition.acc_max_mps2", [](P& p) { Transition(p).clear_acc_max_mps2(); }},
        PolicyDefect{"transition.acc_max_mps2",
                     [](P& p) { Transition(p).set_acc_max_mps2(0, 1.05); }},
        PolicyDefect{"transition.acc_max_mps2", [](P& p) { Transition(p).set_acc_max_mps2(0, 0); }},
        PolicyDefect{"transition.vx_max_mps", [](P& p) { Transition(p).clear_vx_max_mps(); }},
        PolicyDefect{"transition.vx_max_mps", [](P& p) { Transition(p).set_vx_max_mps(1.01); }},
        PolicyDefect{"transition.vx_max_mps", [](P& p) { Transition(p).set_vx_max_mps(-0.1); }},
        PolicyDefect{"transition.vx_min_mps", [](P& p) { Transition(p).set_vx_min_mps(-0.1); }},
        PolicyDefect{"transition.vx_min_mps", [](P& p) { Transition(p).set_vx_min_mps(0.1); }},
        PolicyDefect{"transition.vx_min_mps", [](P& p) { Transition(p).set_vx_min_mps(kNan); }},
        PolicyDefect{"transition.dec_max_mps2", [](P& p) { Transition(p).add_dec_max_mps2(1); }},
        PolicyDefect{"transition.speed_points_mps",
                     [](P& p) { Transition(p).add_speed_points_mps(0.5); }},
        PolicyDefect{"transition.speed_points_mps",
                     [](P& p) {
                       Transition(p).add_speed_points_mps(0.5);
                       Transition(p).add_speed_points_mps(0.4);
                       Transition(p).add_jerk_max_mps3(1);
                       Transition(p).add_jerk_max_mps3(1);
                     }},
        PolicyDefect{"degraded.for_ms", [](P& p) { Degraded(p).set_for_ms(5); }},
        PolicyDefect{"degraded.wz_abs_max_radps",
                     [](P& p) { Degraded(p).clear_wz_abs_max_radps(); }},
        PolicyDefect{"degraded.wz_abs_max_radps",
                     [](P& p) { Degraded(p).set_wz_abs_max_radps(0, 1.3); }},
        PolicyDefect{"degraded.wz_abs_max_radps",
                     [](P& p) {
                       Degraded(p).add_speed_points_mps(0);
                       Degraded(p).add_speed_points_mps(1);
                       Degraded(p).add_wz_abs_max_radps(0.9);
                     }},
        PolicyDefect{"degraded.wz_acc_max_radps2",
                     [](P& p) { Degraded(p).set_wz_acc_max_radps2(6.1); }},
        PolicyDefect{"degraded.jerk_max_mps3", [](P& p) { Degraded(p).add_jerk_max_mps3(10.1); }},
        PolicyDefect{"degraded.cmd_vs_measured_mps",
                     [](P& p) { Degraded(p).set_cmd_vs_measured_mps(0.51); }},
        PolicyDefect{"degraded.cmd_vs_measured_mps",
                     [](P& p) { Degraded(p).set_cmd_vs_measured_mps(0); }}));

// --- jerk and the measured speed
// ------------------------------------------------------------------

class TwistTest : public testing::Test {
 protected:
  Enforcement Run(double vx) {
    Enforcement result;
    const std::vector<double> wanted = {vx, 0};
    situation_.last = last_;
    situation_.last_raw = last_raw_;
    Enforce(policy_, separation_, wanted, situation_, result);
    return result;
  }
  static v1::ControlPolicy Document() {
    v1::ControlPolicy document = NavPolicyDocument();
    Nominal(document).set_vx_min_mps(-0.6);
    return document;
  }

  const Policy policy_ = Compiled(Document());
  Separation separation_{policy_};
  std::vector<double> last_ = {0.5, 0};
  std::vector<double> last_raw_;
  Situation situation_{.last = {},
                       .last_raw = {},
                       .acc_s = kPeriodS,
                       .dec_s = kPeriodS,
                       .motion = Motion{.pose = {10, 4.5, 0}, .vx_mps = 0.5},
                       .joints_rad = {}};
};

TEST_F(TwistTest, TheAccelerationGrowsByTheJerkAtMost) {
  const double step = 10 * kPeriodS * kPeriodS;
  EXPECT_DOUBLE_EQ(Run(0.8).values[0], 0.5 + step) << "from no acceleration";
  EXPECT_THAT(Run(0.8).reasons, ElementsAre("acceleration", "jerk"));
  EXPECT_THAT(Run(0.53).reasons, ElementsAre("jerk"));
  EXPECT_THAT(Run(0.5 + step).reasons, IsEmpty()) << "just what the jerk allows";
  situation_.acc_mps2 = 0.4;
  EXPECT_DOUBLE_EQ(Run(0.8).values[0], 0.5 + (0.4 + 0.5) * kPeriodS);
  situation_.acc_mps2 = 0.7;
  EXPECT_DOUBLE_EQ(Run(0.8).values[0], 0.5 + 1.2 * kPeriodS) << "now the acceleration holds";
  EXPECT_THAT(Run(0.8).reasons, ElementsAre("acceleration"));
}

TEST_F(TwistTest, JerkIsNotTheModelsDoing) {
  last_raw_ = {0.5, 0};
  EXPECT_FALSE(Run(0.53).clamped);
}

TEST_F(TwistTest, JerkNeverHoldsBrakingBack) {
  EXPECT_EQ(Run(0.0).values[0], 0);
  EXPECT_EQ(Run(0.2).values[0], 0.2);
  situation_.acc_mps2 = -5;
  EXPECT_DOUBLE_EQ(Run(0.8).values[0], 0.5 + 10 * kPeriodS * kPeriodS) << "nor makes it brake on";
}

TEST_F(TwistTest, ACommandRunsAheadOfTheMeasuredSpeedByItsLimitAtMost) {
  last_ = {0.9, 0};
  situation_.motion->vx_mps = 0.4;
  EXPECT_EQ(Run(0.9).values[0], 0.9) << "just as far as allowed";
  EXPECT_THAT(Run(0.9).reasons, IsEmpty());
  situation_.motion->vx_mps = 0.3;
  EXPECT_DOUBLE_EQ(Run(0.9).values[0], 0.8);
  EXPECT_THAT(Run(0.9).reasons, ElementsAre("cmd_vs_measured"));
  EXPECT_FALSE(Run(0.9).clamped);
}

TEST_F(TwistTest, ARobotThatRollsTheOtherWayCountsAsStanding) {
  last_ = {-0.55, 0};
  situation_.motion->vx_mps = 0.3;
  EXPECT_DOUBLE_EQ(Run(-0.55).values[0], -0.5);
  situation_.motion->vx_mps = -0.1;
  EXPECT_DOUBLE_EQ(Run(-0.55).values[0], -0.55);
}

TEST_F(TwistTest, WithoutAMeasuredSpeedTheCommandIsSlowedAsTheRobotBrakes) {
  v1::ControlPolicy open = Document();
  open.clear_envelope();
  open.clear_requirements();
  const Policy policy = Compiled(open);
  Enforcement result;
  situation_.motion.reset();
  const std::vector<double> wanted = {0.9, 0};
  last_ = {0.9, 0};
  situation_.last = last_;
  Separation separation(policy);
  Enforce(policy, separation, wanted, situation_, result);
  EXPECT_DOUBLE_EQ(result.values[0], 0.9 - 2.0 * kPeriodS);
  EXPECT_THAT(result.reasons, Contains("cmd_vs_measured"));
  last_ = {0.5, 0};
  situation_.last = last_;
  result.reasons.clear();
  Enforce(policy, separation, wanted, situation_, result);
  EXPECT_DOUBLE_EQ(result.values[0], 0.5) << "which is the limit itself";
}

TEST_F(TwistTest, TheDirectionOfACapIsThatOfTheCommand) {
  last_ = {1.0, 0};
  situation_.motion->vx_mps = 1.0;
  situation_.transition = true;
  EXPECT_DOUBLE_EQ(Run(1.0).values[0], 0.9) << "forwards the robot may still brake";
  EXPECT_EQ(Run(-0.6).values[0], 0) << "backwards it was not driving";
}

TEST(RiseTest, IsHowFastTheSpeedRose) {
  const auto rise = [](double last, double driven, double seconds = 0.05) {
    return RiseOf(std::vector<double>{last, 9}, std::vector<double>{driven, 1}, seconds, 0.7);
  };
  EXPECT_NEAR(rise(0.5, 0.55), 1, 1e-12);
  EXPECT_NEAR(rise(-0.5, -0.55), 1, 1e-12);
  EXPECT_NEAR(rise(0, -0.05), 1, 1e-12);
  EXPECT_EQ(rise(0.5, 0.4), 0) << "braking";
  EXPECT_EQ(rise(0.1, -0.2), 0) << "turning round";
  EXPECT_EQ(rise(0.5, 0.55, 0), 0.7) << "no time has passed";
  EXPECT_EQ(RiseOf({}, std::vector<double>{1, 0}, 0.05, 0.7), 0);
  EXPECT_EQ(RiseOf(std::vector<double>{1, 0}, {}, 0.05, 0.7), 0);
}

TEST(JerkTest, HoldsFromTickToTickInTheControlLoop) {
  tests::DrivenRobot robot;
  robot.unit.model->says = {0.8F, 0.0F};
  robot.Ticks(60);
  robot.unit.model->says = {0.2F, 0.0F};
  robot.Ticks(20);
  robot.unit.model->says = {0.8F, 0.0F};
  double last = 0.2F;
  double rise = 0;
  for (int i = 0; i < 6; ++i) {
    const double vx = robot.Tick().enforced[0];
    rise = std::min(rise + 10 * kPeriodS, 1.2);
    EXPECT_NEAR(vx - last, rise * kPeriodS, 1e-6) << i;
    last = vx;
  }
}

TEST(BlockedRobotTest, IsCommandedNoFasterThanTheLimit) {
  tests::DrivenRobot robot;
  robot.unit.model->says = {0.8F, 0.0F};
  robot.measured_mps = 0;
  const Tick& tick = robot.Ticks(100);
  EXPECT_DOUBLE_EQ(tick.enforced[0], 0.5);
  EXPECT_THAT(tick.reasons, Contains("cmd_vs_measured"));
  EXPECT_THAT(tick.triggers, Not(Contains("policy_saturated")));
}

}  // namespace
}  // namespace agent::runtime
