#include <cmath>

#include "agent/runtime/controller.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/agent/runtime/rules_world.h"
#include "tests/support/status_matchers.h"

// What a tick hands on to the next one: motion, misses, a latch, a probation; and what it does not.

namespace agent::runtime {
namespace {

using agent::base::RunOutcome;
using std::chrono::milliseconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::tests::DrivenRobot;
using ::tests::WithDoubt;
namespace v1 = ::gatekeeper::v1;

TEST(HandoverTest, AProbationThatWasDrivenOutIsNotRenewedBySwappingInDriving) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.estop = true;
  robot.Tick();
  robot.estop = false;
  robot.Ticks(100);
  ASSERT_OK(robot.controller.Rearm(robot.now));
  robot.asking = false;
  robot.Ticks(22);
  robot.asking = true;
  robot.Ticks(20 * 60 + 20);
  ASSERT_EQ(robot.controller.fallback().probation, Nanos{0});
  ASSERT_TRUE(robot.controller.latch().probation) << "not written down before it stands";
  tests::Unit other(std::string(64, 'c'));
  robot.controller.SwapTo(other.pilot.get(), nullptr, robot.now);
  EXPECT_EQ(robot.controller.fallback().probation, Nanos{0});
}

TEST(HandoverTest, StandingBeginsWithTheCommandToStandWhateverIsMeasured) {
  DrivenRobot robot;
  robot.measured_mps = 0;  // its odometry is wrong: it drives
  robot.DriveAtEight();
  robot.estop = true;
  ASSERT_GT(robot.Tick().enforced[0], 0);
  robot.estop = false;
  while (robot.Tick().enforced[0] > 0) {
  }
  robot.Ticks(59);
  EXPECT_FALSE(robot.controller.MayRearm(robot.now).ok());
  robot.Tick();
  EXPECT_OK(robot.controller.MayRearm(robot.now));
}

TEST(HandoverTest, ASpentClampBudgetIsRaisedOnceForEachTimeItIsSpent) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {0.8F, 2.0F};
  ASSERT_THAT(robot.Ticks(42).triggers, ElementsAre("policy_saturated"));
  robot.unit.model->says = {0.3F, 0.0F};
  EXPECT_EQ(robot.Ticks(199).state, "SIMPLE_CONTROLLER");
  EXPECT_EQ(robot.Tick().state, "NOMINAL") << "10 s without another";
}

TEST(HandoverTest, AButtonThatWasLastSeenPressedIsPressed) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.estop = true;
  robot.Tick();
  robot.Silence();
  const TriggerMask button = MaskOf(robot.unit.pilot->rules->fallback.estop_button());
  EXPECT_EQ(robot.controller.fallback().raised & button, button);
}

TEST(HandoverTest, ALatchThatItsTriggerHoldsIsNotHeldTwice) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.estop = true;
  robot.Tick();
  robot.estop = false;
  EXPECT_THAT(robot.Ticks(20).triggers, ElementsAre("estop_button"));
}

TEST(HandoverTest, OnlyAnswersCountAmongTheDeadlines) {
  const auto miss = [](DrivenRobot& robot) -> const Tick& {
    robot.unit.model->outcome = RunOutcome::kDeadlineMissed;
    return robot.Tick();
  };
  const auto none = [](DrivenRobot& robot) {  // a run that failed is no answer
    robot.unit.model->outcome = RunOutcome::kFailed;
    robot.Tick();
  };
  const auto usable = [](DrivenRobot& robot) {
    robot.unit.model->outcome = RunOutcome::kDone;
    robot.Tick();
  };
  const auto nonfinite = [](DrivenRobot& robot) {
    robot.unit.model->outcome = RunOutcome::kDone;
    robot.unit.model->says = {kNanF, 0};
    robot.Tick();
  };
  const auto third = [&](const auto& between) {
    DrivenRobot robot;
    robot.DriveAtEight();
    miss(robot);
    miss(robot);
    between(robot);
    const auto& triggers = miss(robot).triggers;
    return std::vector<std::string>(triggers.begin(), triggers.end());  // the robot's own names
  };
  EXPECT_THAT(third(none), Contains("deadline_miss")) << "still the third in a row";
  EXPECT_THAT(third(usable), Not(Contains("deadline_miss")));
  EXPECT_THAT(third(nonfinite), Not(Contains("deadline_miss"))) << "it came in time";
}

TEST(HandoverTest, ARunWithoutAnAnswerTellsNothingOfTheModelsDoubt) {
  DrivenRobot robot(WithDoubt);
  robot.unit.model->says = {0.8F, 0, 0.9F, 0};
  robot.Ticks(100);
  robot.unit.model->says = {0.8F, 0, 0.2F, 0};
  robot.Tick();
  robot.unit.model->outcome = RunOutcome::kFailed;
  EXPECT_THAT(robot.Ticks(20).triggers, Contains("doubt"));
}

TEST(HandoverTest, AnAnswerOfThePreviousUnitEndsItsMissesInARow) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  robot.Ticks(2);
  for (const bool missed : {true, true, false, true, true}) {
    robot.previous.model->outcome = missed ? RunOutcome::kDeadlineMissed : RunOutcome::kDone;
    EXPECT_EQ(robot.Tick().state, "PREVIOUS_MODEL");
  }
  robot.previous.model->outcome = RunOutcome::kDeadlineMissed;
  EXPECT_EQ(robot.Tick().state, "SIMPLE_CONTROLLER");
}

TEST(HandoverTest, APreviousUnitThatDoubtsItselfGivesWay) {
  struct Case {
    std::vector<float> says;
    const char* state;
  };
  const float sure = 0.3F;  // 0.3 and a little
  const float calm = std::nextafter(sure, 0.0F);
  for (const Case& c : {Case{{0.3F, 0, sure, calm}, "PREVIOUS_MODEL"},
                        Case{{0.3F, 0, calm, calm}, "SIMPLE_CONTROLLER"},
                        Case{{0.3F, 0, sure, sure}, "SIMPLE_CONTROLLER"}}) {
    DrivenRobot robot(WithDoubt);
    robot.GivePrevious();
    robot.unit.model->says = {0.3F, 0, 1, 0};
    robot.previous.model->says = c.says;
    robot.Ticks(100);
    robot.unit.model->says = {kNanF, 0, 1, 0};
    EXPECT_EQ(robot.Tick().state, "PREVIOUS_MODEL");
    EXPECT_EQ(robot.Ticks(2).state, c.state);
  }
}

TEST(HandoverTest, APreviousUnitIsNotBlamedForTheDoubtOfARunThatIsLate) {
  DrivenRobot robot(WithDoubt);
  robot.GivePrevious();
  robot.unit.model->says = {0.3F, 0, 1, 0};
  robot.previous.model->says = {0.3F, 0, 0, 1};
  robot.Ticks(100);
  robot.unit.model->says = {kNanF, 0, 1, 0};
  robot.previous.model->outcome = RunOutcome::kDeadlineMissed;
  EXPECT_EQ(robot.Ticks(3).state, "PREVIOUS_MODEL");
}

TEST(HandoverTest, AModelThatComesBackHasItsWholeClampBudget) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {0.8F, 2.0F};
  robot.Ticks(30);
  robot.unit.model->says = {kNanF, 0};
  ASSERT_EQ(robot.Tick().state, "SIMPLE_CONTROLLER");
  robot.unit.model->says = {0.3F, 0};
  const Tick& back = robot.Ticks(200);
  ASSERT_EQ(back.state, "NOMINAL");
  EXPECT_FALSE(back.model_fault);
  robot.unit.model->says = {0.3F, 2.0F};
  EXPECT_THAT(robot.Ticks(30).triggers, IsEmpty());
}

TEST(HandoverTest, NoUnitDrivesOnTheOthersAnswer) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.previous.model->says = {0.3F, 0};
  robot.unit.model->says = {0.8F, 2.0F};
  ASSERT_EQ(robot.Ticks(41).state, "NOMINAL");
  const Tick& to_previous = robot.Tick();
  ASSERT_EQ(to_previous.state, "PREVIOUS_MODEL");
  EXPECT_THAT(to_previous.reasons, Contains("substituted"));
  robot.unit.model->says = {0.8F, 0};
  const Tick* back = &robot.Tick();
  while (back->state == "PREVIOUS_MODEL") back = &robot.Tick();
  ASSERT_EQ(back->state, "NOMINAL");
  EXPECT_THAT(back->reasons, Contains("substituted"));
}

TEST(HandoverTest, TheTransitionAfterASwapEndsExactlyAtItsTime) {
  DrivenRobot robot;
  robot.DriveAtEight();
  tests::Unit other(std::string(64, 'c'));
  other.model->says = {0.8F, 0};
  robot.controller.SwapTo(other.pilot.get(), nullptr, robot.now);
  EXPECT_THAT(robot.Ticks(39).enforced, ElementsAre(Near(0.4), 0.0)) << "1950 ms";
  EXPECT_GT(robot.Tick().enforced[0], 0.41) << "2000 ms";
}

TEST(HandoverTest, WhatHoldsASubstituteBackIsNotTheModelsDoing) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->outcome = RunOutcome::kDeadlineMissed;
  const Tick& tick =
      robot.Tick([](v1::Observation& packet) { packet.mutable_odom()->set_x_m(19.6); });
  EXPECT_THAT(tick.reasons, Contains("envelope:hall"));
  EXPECT_FALSE(tick.clamped);
}

TEST(HandoverTest, ALateTickBrakesForAllTheTimeThatHasPassed) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->outcome = RunOutcome::kDeadlineMissed;
  robot.now += milliseconds(50);
  EXPECT_THAT(robot.Tick().enforced, ElementsAre(Near(0.6), 0.0)) << "2 m/s2 for 0.1 s";
}

TEST(HandoverTest, AHoldThatFollowsAClampIsNone) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {0.8F, 2.0F};
  ASSERT_TRUE(robot.Tick().clamped);
  robot.unit.model->says = {0.8F};
  const Tick& tick = robot.Tick();
  ASSERT_EQ(tick.state, "ESTOP_LATCHED");
  EXPECT_FALSE(tick.clamped);
}

TEST(HandoverTest, TheClampBudgetIsTheModelsAlone) {
  DrivenRobot robot([](v1::ControlPolicy& policy, v1::FallbackRules&, v1::ModelCard&) {
    policy.mutable_limits()->mutable_clamp_budget()->set_max_fraction(0.001);
  });
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0};
  robot.previous.model->says = {0.3F, 2.0F};
  ASSERT_TRUE(robot.Ticks(2).clamped);
  EXPECT_THAT(robot.Tick().triggers, ElementsAre("nonfinite"));
}

TEST(HandoverTest, NothingIsPutOffByAPoseThatIsOld) {
  DrivenRobot robot([](v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
    policy = tests::RichPolicyDocument();
    rules = tests::RichFallbackDocument();
    v1::OutputBinding& output = *card.add_outputs();
    output.set_tensor("command");
    output.set_index(2);
    output.set_field("confidence");
  });
  robot.unit.model->says = {0.8F, 0, 0.9F};
  const auto at_dock = [](v1::Observation& packet) {
    packet.mutable_odom()->set_y_m(2);
    packet.set_network_up(false);
  };
  for (int i = 0; i < 60; ++i) robot.Tick(at_dock);
  EXPECT_THAT(robot.Tick(at_dock).triggers, IsEmpty()) << "it may wait there for 5 s more";
  const auto blind = [&](v1::Observation& packet) {
    at_dock(packet);
    packet.clear_odom();
  };
  for (int i = 0; i < 5; ++i) robot.Tick(blind);
  EXPECT_THAT(robot.Tick(blind).triggers, Contains("network_down"));
}

}  // namespace
}  // namespace agent::runtime
