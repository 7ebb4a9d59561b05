#include <cmath>
#include <limits>

#include "agent/runtime/derate.h"
#include "agent/runtime/shadow_run.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/support/status_matchers.h"

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::tests::kStartOfTime;
using ::tests::NavPolicyDocument;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

v1::DerateRule Heat() {
  v1::DerateRule rule;
  rule.set_signal("soc_temp_degC");
  for (double point : {70.0, 80.0, 90.0}) rule.add_points(point);
  for (double scale : {1.0, 0.5, 0.0}) rule.add_scale(scale);
  rule.set_max_age_ms(1000);
  rule.set_absent_scale(0.4);
  rule.set_trigger("hardware_limit");
  rule.set_release_at(84);
  return rule;
}

v1::DerateRule Supply() {
  v1::DerateRule rule;
  rule.set_signal("supply_V");
  for (double point : {21.0, 23.0}) rule.add_points(point);
  for (double scale : {0.0, 1.0}) rule.add_scale(scale);
  rule.set_max_age_ms(1000);
  rule.set_absent_scale(1.0);
  rule.set_trigger("hardware_limit");
  rule.set_release_at(22);
  return rule;
}

v1::ControlPolicy WithDerates(const std::vector<v1::DerateRule>& rules) {
  v1::ControlPolicy document = NavPolicyDocument();
  document.clear_derate();
  for (const v1::DerateRule& rule : rules) *document.add_derate() = rule;
  return document;
}

class DerateTest : public testing::Test {
 protected:
  explicit DerateTest(const v1::ControlPolicy& document = WithDerates({Heat(), Supply()}))
      : policy_(*Policy::Compile(document)) {}

  void Measure(std::string_view signal, double value) { board_.SetSignal(signal, value, now_); }
  double Scale() {
    reasons_.clear();
    raised_ = derating_.Judge(board_, now_, reasons_);
    return derating_.scale();
  }
  double ScaleAt(double heat) {
    Measure("soc_temp_degC", heat);
    return Scale();
  }
  bool Raised() const { return raised_ != 0; }

  Policy policy_;
  InputBoard board_;
  Derating derating_{policy_};
  Nanos now_ = kStartOfTime;
  std::vector<std::string_view> reasons_;
  TriggerMask raised_ = 0;
};

TEST_F(DerateTest, IsLinearBetweenPointsAndFlatOutside) {
  EXPECT_EQ(ScaleAt(20), 1);
  EXPECT_EQ(ScaleAt(70), 1);
  EXPECT_DOUBLE_EQ(ScaleAt(75), 0.75);
  EXPECT_DOUBLE_EQ(ScaleAt(80), 0.5);
  EXPECT_DOUBLE_EQ(ScaleAt(86), 0.2);
  EXPECT_EQ(ScaleAt(90), 0);
  EXPECT_EQ(derating_.reason(), "derate:soc_temp_degC");
}

TEST_F(DerateTest, RaisesItsTriggerWhileTheScaleIsZeroAndUntilReleaseAt) {
  ScaleAt(89.9);
  EXPECT_FALSE(Raised());
  ScaleAt(90);
  EXPECT_TRUE(Raised());
  EXPECT_EQ(raised_, MaskOf(*policy_.derate()[0].trigger));
  EXPECT_THAT(reasons_, ElementsAre("derate:soc_temp_degC"));
  EXPECT_EQ(ScaleAt(84.1), 0) << "held down by the hysteresis";
  EXPECT_TRUE(Raised());
  EXPECT_DOUBLE_EQ(ScaleAt(84), 0.3);
  EXPECT_FALSE(Raised());
  EXPECT_THAT(reasons_, IsEmpty());
}

TEST_F(DerateTest, ASignalThatMustStayHighIsReleasedFromBelow) {
  Measure("soc_temp_degC", 20);
  Measure("supply_V", 21);
  EXPECT_EQ(Scale(), 0);
  EXPECT_TRUE(Raised());
  Measure("supply_V", 21.9);
  EXPECT_EQ(Scale(), 0);
  Measure("supply_V", 22);
  EXPECT_DOUBLE_EQ(Scale(), 0.5);
  EXPECT_FALSE(Raised());
}

TEST_F(DerateTest, AnAbsentOrOldSignalCountsAsDeclared) {
  EXPECT_EQ(Scale(), 0.4) << "never measured";
  EXPECT_EQ(ScaleAt(kNan), 0.4) << "nor is this a measurement";
  EXPECT_EQ(ScaleAt(20), 1);
  now_ += seconds(1);
  EXPECT_EQ(Scale(), 1);
  now_ += Nanos(1);
  EXPECT_EQ(Scale(), 0.4) << "too old";
  EXPECT_EQ(ScaleAt(20), 1);
  Measure("soc_temp_degC", kNan);
  now_ += seconds(1);
  EXPECT_EQ(Scale(), 1) << "what is no number is not taken";
}

TEST_F(DerateTest, ASignalNeverMeasuredIsAbsentFromTheFirstNanosecondOn) {
  now_ = Nanos{0};
  EXPECT_EQ(ScaleAt(kNan), 0.4) << "and not the scale of 0 degC, 0 s ago";
}

TEST_F(DerateTest, WhatSlowsNothingIsNoReason) {
  ScaleAt(75);
  EXPECT_EQ(derating_.reason(), "derate:soc_temp_degC");
  EXPECT_EQ(ScaleAt(20), 1);
  EXPECT_EQ(derating_.reason(), "");
}

TEST_F(DerateTest, ASignalLostAtZeroStaysAtZero) {
  EXPECT_EQ(ScaleAt(95), 0);
  now_ += seconds(5);
  EXPECT_EQ(Scale(), 0) << "and not 0.4: nobody has seen it cool";
  EXPECT_TRUE(Raised());
}

TEST_F(DerateTest, TheMostRestrictiveRuleHolds) {
  Measure("soc_temp_degC", 80);
  Measure("supply_V", 22.5);
  EXPECT_DOUBLE_EQ(Scale(), 0.5);
  EXPECT_EQ(derating_.reason(), "derate:soc_temp_degC");
  Measure("supply_V", 21.5);
  EXPECT_DOUBLE_EQ(Scale(), 0.25);
  EXPECT_EQ(derating_.reason(), "derate:supply_V");
}

class AbsentStopsTest : public DerateTest {
 protected:
  AbsentStopsTest() : DerateTest(Document()) {}
  static v1::ControlPolicy Document() {
    v1::DerateRule rule = Heat();
    rule.set_scale(2, 0.2);
    rule.set_absent_scale(0);
    return WithDerates({rule});
  }
};

TEST_F(AbsentStopsTest, ASignalWithoutWhichTheRobotMayNotDriveRaisesTheTrigger) {
  EXPECT_EQ(Scale(), 0);
  EXPECT_TRUE(Raised());
  EXPECT_EQ(ScaleAt(90), 0) << "there again, but not on the good side";
  EXPECT_DOUBLE_EQ(ScaleAt(80), 0.5);
  EXPECT_FALSE(Raised());
}

// --- in the control loop ----------------------------------------------------------------------

tests::Unit::Edit OnlyHeat() {
  return [](v1::ControlPolicy& policy, v1::FallbackRules&, v1::ModelCard&) {
    policy = WithDerates({Heat()});
  };
}

TEST(DeratedRobotTest, IsSlowedAsGentlyAsItBrakesAndNotBelowItsShare) {
  tests::DrivenRobot robot(OnlyHeat());
  robot.controller.SetSignal("soc_temp_degC", 20, robot.now);
  for (int i = 0; i < 100; ++i) {
    robot.unit.model->says = {0.8F, 0.3F};
    robot.controller.SetSignal("soc_temp_degC", 20, robot.now);
    robot.Tick();
  }
  robot.controller.SetSignal("soc_temp_degC", 80, robot.now);
  const Tick& first = robot.Tick();
  EXPECT_NEAR(first.enforced[0], 0.8 - 2.0 * 0.05, 1e-6);
  EXPECT_DOUBLE_EQ(first.derate, 0.5);
  EXPECT_THAT(first.reasons, ElementsAre("derate:soc_temp_degC"));
  EXPECT_FALSE(first.clamped) << "heat is not the model's doing";
  const Tick& later = robot.Ticks(5);
  EXPECT_NEAR(later.enforced[0], 0.5, 1e-9);
  EXPECT_NEAR(later.enforced[1], 0.3, 1e-6) << "turning is left to its own limits";
}

TEST(DeratedRobotTest, StopsByItsTriggerWhenNothingIsLeft) {
  tests::DrivenRobot robot(OnlyHeat());
  robot.controller.SetSignal("soc_temp_degC", 95, robot.now);
  const Tick& tick = robot.Tick();
  EXPECT_THAT(tick.triggers, ElementsAre("hardware_limit"));
  EXPECT_EQ(tick.derate, 0);
  EXPECT_EQ(tick.state, "CONTROLLED_STOP");
}

TEST(DeratedRobotTest, AShadowIsHeldByItsOwnRules) {
  tests::Unit candidate(std::string(64, 'c'), OnlyHeat());
  candidate.model->says = {0.8F, 0.0F};
  ShadowRun shadow(*candidate.pilot);
  InputBoard board;
  v1::Observation packet = tests::Packet(kStartOfTime);
  packet.mutable_odom()->set_vx_mps(0.8);
  board.Accept(packet, kStartOfTime);
  board.SetSignal("soc_temp_degC", 20, kStartOfTime);
  const std::vector<double> driven = {0.79, 0};
  EXPECT_NEAR(shadow.Step(board, driven, kStartOfTime).enforced[0], 0.8, 1e-6);
  board.SetSignal("soc_temp_degC", 80, kStartOfTime + Nanos(1));
  EXPECT_NEAR(shadow.Step(board, driven, kStartOfTime + Nanos(1)).enforced[0], 0.69, 1e-6);
}

// --- what is refused --------------------------------------------------------------------------

struct DerateDefect {
  const char* path;
  void (*seed)(v1::DerateRule&);
};

class BadDerateTest : public testing::TestWithParam<DerateDefect> {};

TEST_P(BadDerateTest, IsRefusedByThePathOfTheDefect) {
  v1::DerateRule rule = Heat();
  GetParam().seed(rule);
  EXPECT_THAT(Policy::Compile(WithDerates({rule})),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith(std::string("[derate[0]") + GetParam().path + "] ")));
}

INSTANTIATE_TEST_SUITE_P(
    Derate, BadDerateTest,
    testing::Values(
        DerateDefect{".signal", [](v1::DerateRule& r) { r.clear_signal(); }},
        DerateDefect{".signal", [](v1::DerateRule& r) { r.set_signal("odom"); }},
        DerateDefect{".points",
                     [](v1::DerateRule& r) {
                       r.clear_points();
                       r.add_points(1);
                     }},
        DerateDefect{".points", [](v1::DerateRule& r) { r.set_points(1, 70); }},
        DerateDefect{".points", [](v1::DerateRule& r) { r.set_points(0, kNan); }},
        DerateDefect{
            ".points",
            [](v1::DerateRule& r) { r.set_points(2, std::numeric_limits<double>::infinity()); }},
        DerateDefect{".scale", [](v1::DerateRule& r) { r.add_scale(0); }},
        DerateDefect{".scale", [](v1::DerateRule& r) { r.set_scale(0, 1.01); }},
        DerateDefect{".scale", [](v1::DerateRule& r) { r.set_scale(2, -0.01); }},
        DerateDefect{".scale", [](v1::DerateRule& r) { r.set_scale(1, kNan); }},
        DerateDefect{".scale",
                     [](v1::DerateRule& r) {
                       r.set_scale(1, 0);
                       r.set_scale(2, 0.5);
                     }},
        DerateDefect{".scale",
                     [](v1::DerateRule& r) {
                       for (int i = 0; i < 3; ++i) r.set_scale(i, 0.5);
                     }},
        DerateDefect{".max_age_ms", [](v1::DerateRule& r) { r.clear_max_age_ms(); }},
        DerateDefect{".absent_scale", [](v1::DerateRule& r) { r.set_absent_scale(1.01); }},
        DerateDefect{".absent_scale", [](v1::DerateRule& r) { r.set_absent_scale(kNan); }},
        DerateDefect{".trigger", [](v1::DerateRule& r) { r.clear_trigger(); }},
        DerateDefect{".trigger", [](v1::DerateRule& r) { r.set_scale(2, 0.1); }},
        DerateDefect{".trigger",
                     [](v1::DerateRule& r) {
                       r.set_scale(2, 0.1);
                       r.set_absent_scale(0);
                       r.clear_trigger();
                     }},
        DerateDefect{".release_at",
                     [](v1::DerateRule& r) {
                       r.set_scale(2, 0.1);
                       r.clear_trigger();
                     }},
        DerateDefect{".release_at", [](v1::DerateRule& r) { r.set_release_at(90); }},
        DerateDefect{".release_at", [](v1::DerateRule& r) { r.set_release_at(kNan); }}));

TEST(DeratePolicyTest, RefusesTheSameSignalTwice) {
  EXPECT_THAT(Policy::Compile(WithDerates({Heat(), Heat()})),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[derate[1].signal] ")));
}

TEST(DeratePolicyTest, NeedsNoTriggerWhereTheScaleStaysAboveZero) {
  v1::DerateRule rule = Heat();
  rule.set_scale(2, 0.1);
  rule.clear_trigger();
  rule.clear_release_at();
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(WithDerates({rule})));
  EXPECT_FALSE(policy.derate()[0].trigger.has_value());
  EXPECT_THAT(policy.triggers(), Not(Contains("hardware_limit")));
}

}  // namespace
}  // namespace agent::runtime
