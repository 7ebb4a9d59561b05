#include <cmath>
#include <limits>

#include "agent/runtime/rule_id.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/support/status_matchers.h"

// Requirements of a policy: what they may name, and what the controller makes of their verdicts.

namespace agent::runtime {
namespace {

using agent::base::RunOutcome;
using monitor::Verdict;
using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using ::tests::DrivenRobot;
using ::tests::IsOk;
using ::tests::NavPolicyDocument;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

v1::Requirement& Add(v1::ControlPolicy& policy, const std::string& id, const std::string& formula) {
  v1::Requirement& requirement = *policy.add_requirements();
  requirement.set_id(id);
  requirement.set_formula(formula);
  requirement.set_trigger("requirement_violated");
  return requirement;
}

// A robot with these requirements and no others.
tests::Unit::Edit With(std::vector<std::string> formulas) {
  return [formulas](v1::ControlPolicy& policy, v1::FallbackRules&, v1::ModelCard&) {
    policy.clear_requirements();
    for (const std::string& formula : formulas) Add(policy, formula, formula);
  };
}

Verdict VerdictOf(const Tick& tick, size_t index = 0) {
  return tick.requirements.at(index).verdict;
}

// --- compiling

struct Seeded {
  std::string path;
  std::string rule;
  std::function<void(v1::ControlPolicy&)> seed;
};

TEST(RequirementTest, RefusesWhatCannotBeMonitoredByPathAndRule) {
  const std::vector<Seeded> table = {
      {"requirements[1].id", "S1", [](auto& p) { Add(p, "", "stop == 0"); }},
      {"requirements[1].id", "S1", [](auto& p) { Add(p, "good", "stop == 0"); }},
      {"requirements[1].formula", "S1", [](auto& p) { Add(p, "new", "stop =="); }},
      {"requirements[1].formula", "S1", [](auto& p) { Add(p, "new", ""); }},
      {"requirements[1].formula", "S1", [](auto& p) { Add(p, "new", "speed < 1"); }},
      {"requirements[1].formula", "S1", [](auto& p) { Add(p, "new", "scan < 1"); }},
      {"requirements[1].formula", "S1", [](auto& p) { Add(p, "new", "confidence < 1"); }},
      {"requirements[1].formula", "S1", [](auto& p) { Add(p, "new", "uncertainty < 1"); }},
      {"requirements[1].formula", "S1",
       [](auto& p) { Add(p, "new", "always[0,3600](stop == 0)"); }},
      {"requirements[1].trigger", "S2",
       [](auto& p) { Add(p, "new", "stop == 0").clear_trigger(); }},
      {"requirements", "S1",
       [](auto& p) { (*p.mutable_inputs())["stop"] = p.inputs().at("goal_range_m"); }},
      {"requirements", "S1",
       [](auto& p) {
         for (int i = 0; i < 32; ++i) Add(p, std::to_string(i), "stop == 0");
       }},
  };
  for (const Seeded& defect : table) {
    v1::ControlPolicy policy = NavPolicyDocument();
    policy.clear_requirements();
    Add(policy, "good", "stop == 0");
    ASSERT_THAT(Policy::Compile(policy), IsOk());
    defect.seed(policy);
    const auto compiled = Policy::Compile(policy);
    EXPECT_THAT(compiled,
                StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[" + defect.path + "] ")));
    EXPECT_EQ(RuleOf(compiled.status()), defect.rule) << defect.path;
  }
}

TEST(RequirementTest, SaysWhereInTheFormulaAndWhatItMayName) {
  v1::ControlPolicy policy = NavPolicyDocument();
  policy.clear_requirements();
  Add(policy, "typo", "stop == 0 and speed < 1");
  EXPECT_THAT(Policy::Compile(policy),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("column 15: there is no signal 'speed'; there are: vx_mps, "
                                 "wz_radps, raw_vx_mps, raw_wz_radps, stop, odom_vx_mps")));
}

TEST(RequirementTest, OffersOnlyWhatThePolicyKnows) {
  v1::ControlPolicy policy = NavPolicyDocument();
  policy.clear_requirements();
  Add(policy, "near", "clearance_m > 0");
  ASSERT_THAT(Policy::Compile(policy), IsOk());
  policy.clear_envelope();
  EXPECT_THAT(Policy::Compile(policy), Not(IsOk())) << "no edge, no clearance";
  policy.mutable_requirements(0)->set_formula("nearest_m > 0");
  ASSERT_THAT(Policy::Compile(policy), IsOk());
  policy.clear_separation();
  policy.mutable_inputs()->erase("scan");
  EXPECT_THAT(Policy::Compile(policy),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no signal 'nearest_m'")));
}

TEST(RequirementTest, OffersAnArmItsJointsAndNoWheels) {
  v1::ControlPolicy arm = NavPolicyDocument();
  tests::MakeArm(arm, {"j1", "j2"});
  arm.mutable_inputs()->erase("odom");
  Add(arm, "joints", "j1 < 1 and raw_j2 < 1");
  ASSERT_THAT(Policy::Compile(arm), IsOk());
  for (const char* wheels : {"x_m < 1", "odom_vx_mps < 1", "nearest_m < 1", "vx_mps < 1"}) {
    arm.mutable_requirements(0)->set_formula(wheels);
    EXPECT_THAT(Policy::Compile(arm), StatusIs(absl::StatusCode::kInvalidArgument,
                                               StartsWith("[requirements[0].formula] column 1")));
  }
}

TEST(RequirementTest, OffersNoChannelOfManyValues) {
  for (const char* channel : {"scan", "odom", "image", "imu", "joints"}) {
    v1::ControlPolicy policy = NavPolicyDocument();
    if (std::string(channel) == "joints") tests::MakeArm(policy, {"j1"});
    policy.clear_requirements();
    Add(policy, "one", std::string(channel) + " < 1");
    (*policy.mutable_inputs())[channel] = policy.inputs().at("odom");
    EXPECT_THAT(Policy::Compile(policy),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         HasSubstr("there is no signal '" + std::string(channel) + "'")));
  }
}

TEST(RequirementTest, NamesThatClashMatterToRequirementsOnly) {
  v1::ControlPolicy policy = NavPolicyDocument();
  (*policy.mutable_inputs())["stop"] = policy.inputs().at("goal_range_m");
  policy.clear_requirements();
  EXPECT_THAT(Policy::Compile(policy), IsOk());
}

TEST(RequirementTest, SaysHowManyItAccepts) {
  v1::ControlPolicy policy = NavPolicyDocument();
  policy.clear_requirements();
  for (int i = 0; i < 33; ++i) Add(policy, std::to_string(i), "stop == 0");
  EXPECT_THAT(Policy::Compile(policy),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("must be at most 32")));
}

TEST(RequirementTest, AcceptsAsManyAsItSays) {
  v1::ControlPolicy policy = NavPolicyDocument();
  policy.clear_requirements();
  for (int i = 0; i < 32; ++i) Add(policy, std::to_string(i), "stop == 0");
  ASSERT_THAT(Policy::Compile(policy), IsOk());
  EXPECT_THAT(Policy::Compile(policy)->requirements(), SizeIs(32));
}

// --- signals

TEST(RequirementTest, ReadsEverySignalOfTheTick) {
  DrivenRobot robot(With(
      {"vx_mps > 0 and vx_mps < 0.3", "wz_radps > 0 and wz_radps < 0.21",
       "raw_vx_mps > 0.29 and raw_vx_mps < 0.31", "raw_wz_radps > 0.19 and raw_wz_radps < 0.21",
       "stop == 0", "odom_vx_mps == 0.125", "odom_wz_radps == 0.5", "x_m == 10", "y_m == 4.5",
       "clearance_m > 4 and clearance_m < 4.5", "nearest_m > 4 and nearest_m < 5",
       "goal_bearing_rad == 0.25", "goal_range_m == 3"}));
  robot.unit.model->says = {0.3F, 0.2F};
  const Tick& tick = robot.Tick([](v1::Observation& packet) {
    packet.mutable_odom()->set_vx_mps(0.125);
    packet.mutable_odom()->set_wz_radps(0.5);
  });
  ASSERT_THAT(tick.requirements, SizeIs(13));
  for (const RequirementState& state : tick.requirements) {
    EXPECT_EQ(state.verdict, Verdict::kHolds) << state.id << " by " << state.robustness;
  }
}

TEST(RequirementTest, ReadsHowSureTheModelIsAndWhatDeratingLeft) {
  DrivenRobot robot(
      [](v1::ControlPolicy& policy, v1::FallbackRules& fallback, v1::ModelCard& card) {
        With({"confidence > 0.8", "uncertainty < 0.2", "derate < 0.6"})(policy, fallback, card);
        v1::Confidence& confidence = *policy.mutable_output()->mutable_confidence();
        confidence.set_enter_below(0.1);
        confidence.set_leave_above(0.2);
        confidence.set_leave_hold_ms(500);
        confidence.set_trigger("nonfinite");
        v1::Uncertainty& uncertainty = *policy.mutable_output()->mutable_uncertainty();
        uncertainty.set_enter_above(0.9);
        uncertainty.set_leave_below(0.8);
        uncertainty.set_leave_hold_ms(500);
        uncertainty.set_trigger("nonfinite");
        v1::DerateRule& derate = *policy.add_derate();
        derate.set_signal("heat");
        derate.add_points(10);
        derate.add_points(20);
        derate.add_scale(1);
        derate.add_scale(0.5);
        derate.set_absent_scale(0.5);
        derate.set_max_age_ms(1000);
        uint32_t index = 2;
        for (const char* field : {"confidence", "uncertainty"}) {
          v1::OutputBinding& output = *card.add_outputs();
          output.set_tensor("command");
          output.set_index(index++);
          output.set_field(field);
        }
      });
  robot.unit.model->says = {0.5F, 0.0F, 0.9F, 0.1F};
  for (const RequirementState& state : robot.Tick().requirements) {
    EXPECT_EQ(state.verdict, Verdict::kHolds) << state.id << " by " << state.robustness;
  }
  robot.unit.model->outcome = RunOutcome::kDeadlineMissed;
  EXPECT_EQ(VerdictOf(robot.Tick(), 0), Verdict::kUnknown);
  EXPECT_EQ(VerdictOf(robot.Tick(), 1), Verdict::kUnknown);
}

TEST(RequirementTest, WhatIsNotMeasuredOrAnsweredIsUnknown) {
  DrivenRobot robot(With({"raw_vx_mps < 9", "odom_vx_mps < 9", "clearance_m > -9", "nearest_m > -9",
                          "goal_range_m < 9", "vx_mps < 9"}));
  robot.Ticks(10);
  for (const RequirementState& state : robot.Tick().requirements) {
    EXPECT_EQ(state.verdict, Verdict::kHolds) << state.id;
  }
  for (int i = 0; i < 20; ++i) robot.Silence();
  const Tick& tick = robot.Silence();
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(VerdictOf(tick, i), Verdict::kUnknown) << tick.requirements[i].id;
    EXPECT_TRUE(std::isnan(tick.requirements[i].robustness));
  }
  EXPECT_EQ(VerdictOf(tick, 5), Verdict::kHolds) << "the command itself is always known";
}

TEST(RequirementTest, AScanThatReturnsNothingIsInfinitelyFree) {
  DrivenRobot robot(
      [](v1::ControlPolicy& policy, v1::FallbackRules& fallback, v1::ModelCard& card) {
        With({"nearest_m > 100"})(policy, fallback, card);
        (*policy.mutable_inputs())["scan"].set_min_valid_fraction(0);
      });
  const Tick& tick = robot.Tick([](v1::Observation& packet) {
    for (float& range : *packet.mutable_scan()->mutable_ranges_m()) {
      range = std::numeric_limits<float>::infinity();
    }
  });
  EXPECT_EQ(VerdictOf(tick), Verdict::kHolds);
}

// --- verdicts

TEST(RequirementTest, AViolationRaisesItsTriggerInTheNextTick) {
  DrivenRobot robot(With({"x_m < 12"}));
  robot.Ticks(10);
  const auto at = [](double x_m) {
    return [x_m](v1::Observation& packet) { packet.mutable_odom()->set_x_m(x_m); };
  };
  EXPECT_THAT(robot.Tick(at(11.9)).triggers, IsEmpty());
  EXPECT_EQ(VerdictOf(robot.Tick(at(11.9))), Verdict::kHolds);
  const Tick& violated = robot.Tick(at(12));
  EXPECT_EQ(VerdictOf(violated), Verdict::kViolated);
  EXPECT_THAT(violated.triggers, IsEmpty()) << "the command was decided before";
  EXPECT_THAT(robot.Tick(at(10)).triggers, Contains("requirement_violated"));
}

TEST(RequirementTest, AnUnknownRaisesNothing) {
  DrivenRobot robot(With({"historically[0,60](x_m < 12)"}));
  const Tick& tick = robot.Ticks(20);
  EXPECT_EQ(VerdictOf(tick), Verdict::kUnknown);
  EXPECT_THAT(tick.triggers, IsEmpty());
}

TEST(RequirementTest, AVerdictOnTheFutureComesWhenItsHorizonHasPassed) {
  DrivenRobot robot(With({"eventually[0,0.5](x_m > 12)"}));
  for (int i = 0; i < 10; ++i) EXPECT_EQ(VerdictOf(robot.Tick()), Verdict::kUnknown) << i;
  EXPECT_EQ(VerdictOf(robot.Tick()), Verdict::kViolated);
}

TEST(RequirementTest, OfSeveralOutcomesTheWorstIsTold) {
  DrivenRobot robot(With({"always[0,0.15](x_m < 12)", "not always[0,0.15](x_m < 12)"}));
  robot.Tick([](v1::Observation& packet) { packet.mutable_odom()->set_x_m(13); });
  robot.Tick();
  robot.now += milliseconds(100);  // a late tick, so that the next decides two samples at once
  const Tick& tick = robot.Tick();
  EXPECT_EQ(VerdictOf(tick, 0), Verdict::kViolated);
  EXPECT_EQ(tick.requirements[0].robustness, -1) << "of the first sample, whose window holds 13 m";
  EXPECT_EQ(VerdictOf(tick, 1), Verdict::kViolated) << "of the second sample";
}

// A late tick decides the samples of two ticks at once; that of a tick between them is in both
// windows and harms none.
TEST(RequirementTest, OfTwoOutcomesTheWorseIsToldWhicheverCameFirst) {
  const double none = std::numeric_limits<double>::quiet_NaN();
  struct Case {
    double first, second;  // what the model says; NaN: it misses its deadline
    Verdict verdict;
    double robustness;
  };
  for (const Case& c :
       {Case{0.25, 0.125, Verdict::kHolds, 0.25}, Case{0.125, 0.25, Verdict::kHolds, 0.25},
        Case{0.75, 1, Verdict::kViolated, -0.5}, Case{1, 0.75, Verdict::kViolated, -0.5},
        Case{0.75, 0.25, Verdict::kViolated, -0.25}, Case{0.25, 0.75, Verdict::kViolated, -0.25},
        Case{none, 0.75, Verdict::kViolated, -0.25}, Case{0.75, none, Verdict::kViolated, -0.25},
        Case{none, 0.25, Verdict::kUnknown, none}, Case{0.25, none, Verdict::kUnknown, none}}) {
    DrivenRobot robot(With({"always[0,0.15](raw_wz_radps < 0.5)"}));
    const auto tick = [&](double says) -> const RequirementState& {
      robot.unit.model->says = {0.0F, static_cast<float>(says)};
      robot.unit.model->outcome =
          std::isnan(says) ? RunOutcome::kDeadlineMissed : RunOutcome::kDone;
      return robot.Tick().requirements.at(0);
    };
    tick(c.first);
    tick(-1);
    robot.now += milliseconds(100);
    const RequirementState& state = tick(c.second);
    EXPECT_EQ(state.verdict, c.verdict) << c.first << ", " << c.second;
    if (std::isnan(c.robustness)) {
      EXPECT_TRUE(std::isnan(state.robustness)) << c.first << ", " << c.second;
    } else {
      EXPECT_EQ(state.robustness, c.robustness) << c.first << ", " << c.second;
    }
  }
}

TEST(RequirementTest, AStopIsOneAndNoStopZero) {
  DrivenRobot robot(With({"stop < 5"}));
  EXPECT_EQ(robot.Tick().requirements.at(0).robustness, 5);
  robot.estop = true;
  const Tick& stopped = robot.Ticks(100);
  ASSERT_TRUE(stopped.stop);
  EXPECT_EQ(stopped.requirements.at(0).robustness, 4);
}

TEST(RequirementTest, KeepsItsStateWhereATickComesTooSoonAndRaisesOnce) {
  DrivenRobot robot(With({"x_m < 12"}));
  robot.Ticks(10);
  robot.Tick([](v1::Observation& packet) { packet.mutable_odom()->set_x_m(12.5); });
  const auto soon = [&](Nanos later) -> const Tick& {
    robot.now += later;
    return robot.controller.Step(robot.now);
  };
  EXPECT_EQ(VerdictOf(soon(milliseconds(5))), Verdict::kViolated);
  EXPECT_THAT(soon(milliseconds(5)).requirements[0].robustness, -0.5);
}

TEST(RequirementTest, MonitorsATickFromAQuarterOfAPeriodAfterTheLastOn) {
  for (const auto& [later, robustness] : {std::pair{12, -0.5}, {13, -1.5}}) {
    DrivenRobot robot(With({"x_m < 12"}));
    robot.Ticks(10);
    robot.Tick([](v1::Observation& packet) { packet.mutable_odom()->set_x_m(12.5); });
    robot.now -= milliseconds(50 - later);
    const Tick& tick =
        robot.Tick([](v1::Observation& packet) { packet.mutable_odom()->set_x_m(13.5); });
    EXPECT_EQ(tick.requirements.at(0).robustness, robustness) << later;
  }
}

TEST(RequirementTest, ForgivesTwoLostTicksInARow) {
  for (const auto& [lost_ms, verdict] :
       {std::pair{100, Verdict::kHolds}, {101, Verdict::kUnknown}}) {
    DrivenRobot robot(With({"historically[0,0.5](x_m < 12)"}));
    ASSERT_EQ(VerdictOf(robot.Ticks(20)), Verdict::kHolds);
    robot.now += milliseconds(lost_ms);
    EXPECT_EQ(VerdictOf(robot.Tick()), verdict) << lost_ms;
  }
}

TEST(RequirementTest, MonitorsBeginAnewWithOtherRulesAndRestWithoutAUnit) {
  DrivenRobot robot(With({"historically[0,0.5](x_m < 12)"}));
  EXPECT_EQ(VerdictOf(robot.Ticks(20)), Verdict::kHolds);
  robot.controller.SwapTo(robot.previous.pilot.get(), nullptr, robot.now);
  EXPECT_EQ(VerdictOf(robot.Tick()), Verdict::kUnknown);
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  EXPECT_THAT(robot.Tick().requirements, IsEmpty());
}

TEST(RequirementTest, StandsInTheRecord) {
  DrivenRobot robot(With({"x_m < 12", "historically[0,60](x_m < 12)", "x_m > 12"}));
  const v1::TickRecord record = ToRecord(robot.Tick());
  ASSERT_EQ(record.requirements_size(), 3);
  EXPECT_EQ(record.requirements(0).id(), "x_m < 12");
  EXPECT_EQ(record.requirements(0).verdict(), "holds");
  EXPECT_EQ(record.requirements(0).robustness(), 2);
  EXPECT_EQ(record.requirements(1).verdict(), "unknown");
  EXPECT_EQ(record.requirements(2).verdict(), "violated");
  EXPECT_EQ(record.requirements(2).robustness(), -2);
}

}  // namespace
}  // namespace agent::runtime
