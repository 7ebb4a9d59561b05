#include <memory>

#include "agent/runtime/controller.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/agent/runtime/numbers.h"

// Units that come and go while the robot drives, and the previous one standing by.

namespace agent::runtime {
namespace {

using agent::base::RunOutcome;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::tests::DrivenRobot;
using ::tests::kStartOfTime;
using ::tests::WithDoubt;
namespace v1 = ::gatekeeper::v1;

TEST(SwapTest, ATicksViewsOutliveSeveralSwaps) {
  auto robot = std::make_unique<DrivenRobot>();
  robot->DriveAtEight();
  robot->unit.model->says = {kNanF, 0};
  const Tick& tick = robot->Tick();
  auto other = std::make_unique<tests::Unit>(std::string(64, 'c'));
  robot->controller.SwapTo(other->pilot.get(), nullptr, robot->now);
  robot->controller.SwapTo(nullptr, nullptr, robot->now);
  robot->unit.pilot.reset();
  other.reset();
  EXPECT_THAT(tick.triggers, ElementsAre("nonfinite"));
  EXPECT_EQ(tick.state, "SIMPLE_CONTROLLER");
}

TEST(SwapTest, BeingToldAgainThatThereIsNoUnitChangesNothing) {
  Controller controller{LatchState{.awaiting_start = true, .cause = {}}};
  controller.SwapTo(nullptr, nullptr, kStartOfTime);
  EXPECT_EQ(controller.Step(kStartOfTime).state, "SAFE");
  EXPECT_EQ(controller.fallback().probation, Nanos{0}) << "there are no rules to take it from";
  EXPECT_TRUE(controller.latch().probation);
}

TEST(SwapTest, APreviousUnitWithoutAnActiveOneDoesNotDrive) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.previous.model->says = {0.8F, 0.0F};
  robot.controller.SwapTo(nullptr, robot.previous.pilot.get(), robot.now);
  EXPECT_EQ(robot.Tick().state, "SAFE");
  EXPECT_THAT(robot.Ticks(30).enforced, ElementsAre(0, 0));
  EXPECT_EQ(robot.previous.model->runs, 0);
}

TEST(SwapTest, APreviousUnitThatIsTakenAwayWhileItDrivesIsBrakedFor) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.previous.model->says = {0.8F, 0.0F};
  robot.unit.model->says = {kNanF, 0.0F};
  ASSERT_EQ(robot.Ticks(10).state, "PREVIOUS_MODEL");
  const double before = robot.Tick().enforced[0];
  const int runs = robot.previous.model->runs;

  robot.controller.SwapTo(robot.unit.pilot.get(), nullptr, robot.now);
  const Tick& tick = robot.Tick();

  EXPECT_EQ(tick.state, "SIMPLE_CONTROLLER");
  EXPECT_LT(tick.enforced[0], before);
  EXPECT_THAT(tick.raw, IsEmpty());
  EXPECT_EQ(robot.previous.model->runs, runs);
}

TEST(SwapTest, APreviousUnitIsNotBlamedForInputsThatAreAway) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.previous.model->says = {0.3F, 0.0F};
  robot.unit.model->says = {kNanF, 0.0F};
  ASSERT_EQ(robot.Ticks(10).state, "PREVIOUS_MODEL");
  for (int i = 0; i < 5; ++i) robot.Silence();
  ASSERT_EQ(robot.Silence().state, "CONTROLLED_STOP") << "the inputs are old";
  EXPECT_EQ(robot.Ticks(20).state, "PREVIOUS_MODEL") << "they are back, and it drives again";
}

TEST(SwapTest, DrivesWithoutAnInputThatIsNotRequired) {
  DrivenRobot robot([](v1::ControlPolicy& policy, v1::FallbackRules&, v1::ModelCard&) {
    (*policy.mutable_inputs())["imu"] = policy.inputs().at("odom");
    (*policy.mutable_inputs())["imu"].set_required(false);
  });
  robot.DriveAtEight();
  const Tick& tick = robot.Tick();
  EXPECT_EQ(tick.state, "NOMINAL");
  EXPECT_THAT(tick.enforced, ElementsAre(Near(0.8), 0.0));
}

TEST(SwapTest, TheButtonHoldsARobotWithoutAUnitAsLongAsItWasLastSeenPressed) {
  DrivenRobot robot;
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  robot.estop = true;
  robot.Tick();
  const Tick& tick = robot.Silence();
  EXPECT_THAT(tick.triggers, ElementsAre("estop_button")) << "nobody said it was released";
  EXPECT_EQ(tick.state, "SAFE_LATCHED");
  EXPECT_EQ(robot.controller.latch().cause, "estop_button");
  robot.estop = false;
  EXPECT_THAT(robot.Tick().triggers, IsEmpty());
}

TEST(SwapTest, TheRulesOfATicksViewsAreKeptUntilTheNextTickAndNoLonger) {
  DrivenRobot robot;
  robot.DriveAtEight();
  auto other = std::make_unique<tests::Unit>(std::string(64, 'c'));
  const std::weak_ptr<const UnitRules> ticked = robot.unit.pilot->rules;
  robot.controller.SwapTo(other->pilot.get(), nullptr, robot.now);
  robot.unit.pilot.reset();
  EXPECT_FALSE(ticked.expired());
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  EXPECT_FALSE(ticked.expired()) << "however many units come and go in between";
  robot.Tick();
  EXPECT_TRUE(ticked.expired());
}

TEST(SwapTest, AUnitWithoutADigestDrivesToo) {
  tests::Unit nameless("");
  Controller controller{LatchState{}};
  controller.SwapTo(nameless.pilot.get(), nullptr, kStartOfTime);
  EXPECT_EQ(controller.Step(kStartOfTime).state, "CONTROLLED_STOP") << "by its rules";
}

TEST(SwapTest, AModelsFaultGoesWithTheModel) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  ASSERT_EQ(robot.Tick().state, "SIMPLE_CONTROLLER");
  tests::Unit other(std::string(64, 'c'));
  other.model->says = {0.8F, 0.0F};
  robot.controller.SwapTo(other.pilot.get(), nullptr, robot.now);
  const Tick& tick = robot.Tick();
  EXPECT_EQ(tick.state, "NOMINAL");
  EXPECT_THAT(tick.triggers, IsEmpty());
}

TEST(SwapTest, WhatTheOldModelSpentIsNotChargedToTheNewOne) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {0.8F, 2.0F};
  ASSERT_EQ(robot.Ticks(41).state, "NOMINAL") << "the next tick would find the budget spent";
  tests::Unit other(std::string(64, 'c'));
  other.model->says = {0.7F, 0.0F};
  robot.controller.SwapTo(other.pilot.get(), nullptr, robot.now);
  EXPECT_THAT(robot.Tick().triggers, IsEmpty());
}

TEST(SwapTest, AStepFromTheOldModelsAnswerToTheNewOnesIsNobodysFault) {
  DrivenRobot robot;
  robot.DriveAtEight();
  tests::Unit other(std::string(64, 'c'));
  other.model->says = {0.8F, 0.9F};
  robot.controller.SwapTo(other.pilot.get(), nullptr, robot.now);
  EXPECT_FALSE(robot.Tick().clamped);
  other.model->says = {0.8F, -0.9F};
  EXPECT_TRUE(robot.Tick().clamped) << "its own is";
}

TEST(SwapTest, DoubtOfOneModelIsNoneOfTheNext) {
  for (const std::vector<float>& says :
       {std::vector<float>{0.8F, 0, 0.2F, 0}, {0.8F, 0, 0.9F, 0.4F}}) {
    DrivenRobot robot(WithDoubt);
    robot.unit.model->says = {0.8F, 0, 0.9F, 0};
    robot.Ticks(100);
    robot.unit.model->says = says;
    ASSERT_EQ(robot.Tick().state, "DEGRADED");
    tests::Unit sure(std::string(64, 'c'));
    sure.model->says = {0.8F, 0.0F};
    robot.controller.SwapTo(sure.pilot.get(), nullptr, robot.now);
    const Tick& tick = robot.Tick();
    EXPECT_EQ(tick.state, "NOMINAL");
    EXPECT_THAT(tick.triggers, IsEmpty());
  }
}

TEST(SwapTest, WhatOnlyAPersonClearedUnderTheOldRulesDoesNotLatchUnderTheNew) {
  DrivenRobot robot([](v1::ControlPolicy&, v1::FallbackRules& rules, v1::ModelCard&) {
    for (v1::Trigger& trigger : *rules.mutable_triggers()) {
      if (trigger.id() == "network_down") trigger.mutable_clear()->set_rearm(true);
      if (trigger.id() == "network_down") trigger.mutable_clear()->clear_quiet_ms();
    }
  });
  robot.DriveAtEight();
  tests::Unit other(std::string(64, 'c'));
  robot.controller.SwapTo(other.pilot.get(), nullptr, robot.now);
  robot.controller.SetLink(false, robot.now);
  EXPECT_EQ(robot.Ticks(102).state, "DEGRADED");
  EXPECT_FALSE(robot.controller.latch().latched);
}

TEST(SwapTest, TheFirstTriggerOfTheRulesLatchesAsAnyOther) {
  DrivenRobot robot([](v1::ControlPolicy&, v1::FallbackRules& rules, v1::ModelCard&) {
    for (v1::Trigger& trigger : *rules.mutable_triggers()) {
      trigger.mutable_clear()->clear_quiet_ms();
      trigger.mutable_clear()->clear_max_per_hour();
      trigger.mutable_clear()->clear_else_();
      trigger.mutable_clear()->clear_operator_();
      trigger.mutable_clear()->set_rearm(true);
    }
  });
  ASSERT_EQ(robot.unit.pilot->rules->fallback.triggers()[0].id, "input_stale");
  robot.Silence();
  EXPECT_TRUE(robot.controller.latch().latched) << "and not only once it stands";
}

// --- the previous unit's faults

TEST(SwapTest, APreviousUnitThatFailedIsTriedAgainOnlyWhenItIsAnotherOne) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  const auto lose = [&] {
    robot.unit.model->says = {kNanF, 0.0F};
    const std::string state = robot.Ticks(2).state;
    robot.unit.model->says = {0.8F, 0.0F};
    return state;
  };
  ASSERT_EQ(lose(), "PREVIOUS_MODEL");
  robot.previous.model->outcome = RunOutcome::kFailed;
  const Tick& failed = robot.Tick();
  ASSERT_EQ(failed.state, "SIMPLE_CONTROLLER");
  EXPECT_THAT(failed.triggers, ElementsAre("nonfinite")) << "the active model's run did not fail";
  robot.previous.model->outcome = RunOutcome::kDone;
  robot.GivePrevious();
  ASSERT_EQ(robot.Ticks(210).state, "NOMINAL");
  EXPECT_EQ(lose(), "SIMPLE_CONTROLLER") << "handed over again it is the same one";
  ASSERT_EQ(robot.Ticks(210).state, "NOMINAL");
  tests::Unit other(std::string(64, 'c'));
  robot.controller.SwapTo(robot.unit.pilot.get(), other.pilot.get(), robot.now);
  EXPECT_EQ(lose(), "PREVIOUS_MODEL");
}

TEST(SwapTest, AnotherPreviousUnitMayMissAsManyDeadlinesAsTheOneBefore) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  robot.Ticks(2);
  robot.previous.model->outcome = RunOutcome::kDeadlineMissed;
  ASSERT_EQ(robot.Ticks(2).state, "PREVIOUS_MODEL");
  tests::Unit other(std::string(64, 'c'));
  other.model->outcome = RunOutcome::kDeadlineMissed;
  robot.controller.SwapTo(robot.unit.pilot.get(), other.pilot.get(), robot.now);
  EXPECT_EQ(robot.Ticks(2).state, "PREVIOUS_MODEL");
  const Tick& third = robot.Tick();
  EXPECT_EQ(third.state, "SIMPLE_CONTROLLER");
  EXPECT_THAT(third.triggers, ElementsAre("nonfinite")) << "the active model missed none";
}

TEST(SwapTest, AMissOfAPreviousUnitThatIsGoneIsNotToldAgain) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  robot.Ticks(2);
  robot.previous.model->outcome = RunOutcome::kDeadlineMissed;
  ASSERT_TRUE(robot.Tick().deadline_missed);
  robot.controller.SwapTo(robot.unit.pilot.get(), nullptr, robot.now);
  EXPECT_FALSE(robot.Tick().deadline_missed);
}

TEST(SwapTest, ThePreviousUnitIsAskedOnInputsThatAreFreshByItsOwnRules) {
  const auto hasty = [](v1::ControlPolicy& policy, v1::FallbackRules&, v1::ModelCard&) {
    (*policy.mutable_inputs())["scan"].set_max_age_ms(60);
  };
  DrivenRobot robot;
  tests::Unit previous(std::string(64, 'b'), hasty);
  robot.controller.SwapTo(robot.unit.pilot.get(), previous.pilot.get(), robot.now);
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  robot.Ticks(2);
  const int runs = previous.model->runs;
  robot.Silence();
  EXPECT_EQ(previous.model->runs, runs + 1) << "50 ms old";
  robot.Silence();
  EXPECT_EQ(previous.model->runs, runs + 1) << "100 ms old: for the active unit's rules fresh";
}

// --- an arm instead of wheels

void MakeWheelNamedArm(v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
  tests::MakeArm(policy, {"vx_mps", "wz_radps"});
  rules.mutable_states()->erase("SIMPLE_CONTROLLER");
  tests::StopAsJointsDo(rules);
  (*rules.mutable_states())["PREVIOUS_MODEL"].set_else_("CONTROLLED_STOP");
  for (int i = rules.triggers_size(); i-- > 0;) {
    const std::string& id = rules.triggers(i).id();
    const bool unraised = id == "envelope_breach" || id == "requirement_violated";
    if (unraised) rules.mutable_triggers()->DeleteSubrange(i, 1);
  }
  card.set_schema("model_card/1");
}

TEST(SwapTest, AnArmIsNoPreviousUnitForWheelsHoweverItsJointsAreCalled) {
  DrivenRobot robot;
  tests::Unit arm(std::string(64, 'b'), MakeWheelNamedArm);
  ASSERT_EQ(arm.pilot->rules->policy.command().fields,
            robot.unit.pilot->rules->policy.command().fields);
  robot.controller.SwapTo(robot.unit.pilot.get(), arm.pilot.get(), robot.now);
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  EXPECT_EQ(robot.Ticks(2).state, "SIMPLE_CONTROLLER");
  EXPECT_EQ(arm.model->runs, 0);
}

TEST(SwapTest, AnArmThatCameAndWentInBetweenLeavesNoSpeedToDrive) {
  DrivenRobot robot;
  robot.DriveAtEight();
  tests::Unit arm(std::string(64, 'c'), MakeWheelNamedArm);
  robot.controller.SwapTo(arm.pilot.get(), nullptr, robot.now);
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  const Tick& tick = robot.Tick();
  EXPECT_THAT(tick.enforced, IsEmpty());
  EXPECT_TRUE(tick.stop);
}

// --- requirements, where several samples are decided in one tick

TEST(SwapTest, AnUnknownOutcomeIsNotHiddenByOneThatHolds) {
  DrivenRobot robot([](v1::ControlPolicy& policy, v1::FallbackRules&, v1::ModelCard&) {
    policy.clear_requirements();
    v1::Requirement& requirement = *policy.add_requirements();
    requirement.set_id("calm");
    requirement.set_formula("always[0,0.1](raw_vx_mps < 9)");
    requirement.set_trigger("requirement_violated");
  });
  robot.DriveAtEight();
  ASSERT_EQ(robot.Tick().requirements.at(0).verdict, monitor::Verdict::kHolds);
  // Two periods later: the sample before last is known to hold, the last one reaches the tick in
  // which there is no answer.
  robot.now += tests::kPeriod;
  robot.unit.model->outcome = RunOutcome::kDeadlineMissed;
  EXPECT_EQ(robot.Tick().requirements.at(0).verdict, monitor::Verdict::kUnknown);
}

}  // namespace
}  // namespace agent::runtime
