#include <algorithm>
#include <bit>
#include <random>

#include "agent/runtime/controller.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/agent/runtime/rules_world.h"
#include "tests/support/cases.h"

// What only a person clears outlives a restart of control, other rules and the lack of any.

namespace agent::runtime {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::tests::DrivenRobot;
using ::tests::kPeriod;
using ::tests::kRefused;
using ::tests::kStartOfTime;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

using Names = std::vector<std::string>;

TriggerIndex Named(const Fallback& rules, const std::string& id) {
  const auto at = std::ranges::find(rules.triggers(), id, &TriggerRule::id);
  return static_cast<TriggerIndex>(at - rules.triggers().begin());
}

FallbackStatus Held(const Fallback& rules, const Names& names) {
  FallbackStatus status;
  Hold(rules, names, kStartOfTime, status);
  return status;
}

// --- the machine

TEST(HoldTest, ATriggerStandsWhereFlappingWouldAtLeast) {
  const Fallback rules = tests::NavRules();
  const TriggerIndex heat = Named(rules, "hardware_limit");
  ASSERT_LT(rules.triggers()[heat].to, rules.flap().to);

  const FallbackStatus status = Held(rules, {"hardware_limit"});

  EXPECT_EQ(status.active, MaskOf(heat));
  EXPECT_EQ(status.held, MaskOf(heat));
  EXPECT_EQ(status.state, rules.flap().to);
  EXPECT_EQ(status.triggers[heat].place, rules.flap().to);
  EXPECT_EQ(status.triggers[heat].placed, kStartOfTime);
}

TEST(HoldTest, ATriggerThatLeadsHigherStandsThere) {
  const Fallback rules = tests::NavRules();
  EXPECT_EQ(rules.states()[Held(rules, {"estop_button"}).state].name, "EMERGENCY_STOP");
}

TEST(HoldTest, OneThatClearedTooOftenStandsWhereThatLedIt) {
  tests::Rules document = tests::NavFallbackDocument();
  tests::State(document, "RESTING") = tests::State(document, "SAFE_STOPPED");
  tests::State(document, "RESTING").set_rank(4);
  uint32_t rank = 5;
  for (const char* name : {"CONTROLLED_STOP", "SAFE_STOPPED", "EMERGENCY_STOP", "ESTOP_LATCHED"}) {
    tests::State(document, name).set_rank(rank++);
  }
  document.mutable_flap()->set_to("RESTING");
  ASSERT_OK_AND_ASSIGN(const Fallback rules,
                       Fallback::Compile(document, tests::Compiled(tests::NavPolicyDocument())));

  EXPECT_EQ(rules.states()[Held(rules, {"nonfinite"}).state].name, "CONTROLLED_STOP");
}

TEST(HoldTest, NamesThatTheRulesDoNotKnowHoldFlappingOnce) {
  const Fallback rules = tests::NavRules();
  const FallbackStatus status = Held(rules, {"contact", "brake_worn"});
  EXPECT_EQ(status.active, MaskOf(rules.flapping()));
  EXPECT_EQ(status.state, rules.flap().to);
}

TEST(HoldTest, WhatIsActiveStaysAsItIs) {
  const Fallback rules = tests::NavRules();
  const FallbackStatus before =
      Next(rules, {}, {.raised = MaskOf(Named(rules, "hardware_limit")), .now = kStartOfTime});
  FallbackStatus after = before;
  Hold(rules, {"hardware_limit"}, kStartOfTime + seconds(1), after);
  EXPECT_EQ(after, before);
}

TEST(HoldTest, WhatOtherRulesWouldClearByQuietStaysHeldAndItsPlaceStays) {
  const Fallback rules = tests::NavRules();
  FallbackStatus status;
  const TriggerIndex stale = Named(rules, "input_stale");
  ASSERT_EQ(rules.triggers()[stale].clear, ClearBy::kQuiet);
  status.active = MaskOf(stale);
  status.triggers[stale].place = rules.triggers()[stale].to;
  Hold(rules, {"input_stale"}, kStartOfTime, status);
  EXPECT_EQ(status.held, MaskOf(stale));
  EXPECT_EQ(status.triggers[stale].place, rules.triggers()[stale].to);
}

TEST(HoldTest, TheMostRestrictiveOfAllDecides) {
  const Fallback rules = tests::NavRules();
  FallbackStatus status =
      Next(rules, {}, {.raised = MaskOf(rules.estop_button()), .now = kStartOfTime});
  const StateIndex stopping = status.state;
  Hold(rules, {"hardware_limit"}, kStartOfTime, status);
  EXPECT_EQ(status.state, stopping);
  EXPECT_EQ(Held(rules, {}), FallbackStatus{});
}

class RestartTest : public testing::TestWithParam<bool> {};

INSTANTIATE_TEST_SUITE_P(Rules, RestartTest, testing::Bool(),
                         [](const auto& info) { return info.param ? "Rich" : "Nav"; });

// At any moment of any life: what waits for a person holds the robot in the next one.
TEST_P(RestartTest, AtAnyMomentLeavesTheRobotStoppedForWhatAPersonMustClear) {
  const Fallback rules = GetParam() ? tests::RichRules() : tests::NavRules();
  TriggerMask operators = 0;
  for (TriggerIndex i = 0; i < rules.triggers().size(); ++i) {
    if (rules.triggers()[i].clear == ClearBy::kOperator) operators |= MaskOf(i);
  }
  std::mt19937_64 random(7);
  FallbackStatus status;
  Nanos now = kStartOfTime;
  TriggerMask raised = 0;
  int restarts = 0;
  for (int step = 0; step < std::max(2000, tests::Cases(40'000)); ++step) {
    if (random() % 8 == 0) raised = random() & random() & random() & (MaskOf(rules.latched()) - 1);
    now += milliseconds(random() % 3000);
    status = Next(rules, status,
                  {.raised = raised, .standing = random() % 3 == 0, .now = now, .fresh = random()});
    const TriggerMask waiting = status.active & (operators | status.held);
    if (waiting != 0) {
      ++restarts;
      Names names;
      for (TriggerMask left = waiting; left != 0; left &= left - 1) {
        names.push_back(rules.triggers()[static_cast<size_t>(std::countr_zero(left))].id);
      }
      FallbackStatus next = Held(rules, names);
      ASSERT_EQ(next.active, waiting);
      for (int tick = 0; tick < 20; ++tick) {
        ASSERT_GE(next.state, rules.flap().to);
        next = Next(rules, next, {.standing = true, .now = now + hours(tick)});
      }
      ASSERT_EQ(next.active, waiting) << "no time clears it";
      ASSERT_OK_AND_ASSIGN(const FallbackStatus cleared, Rearmed(rules, next, hours(1)));
      ASSERT_EQ(cleared.active, 0u);
    }
    if (random() % 64 == 0) {
      if (const auto next = Rearmed(rules, status, hours(1)); next.ok()) status = *next;
    }
  }
  EXPECT_GT(restarts, 500);
}

// --- the controller

void Overheat(DrivenRobot& robot) {
  robot.controller.SetSignal("soc_temp_degC", 95, robot.now);
  robot.Tick();
  robot.controller.SetSignal("soc_temp_degC", 40, robot.now);
}

TEST(HeldTest, WhatAnOperatorClearsIsNamedUntilOneDoes) {
  DrivenRobot robot;
  robot.DriveAtEight();
  EXPECT_THAT(robot.controller.latch().held, IsEmpty());
  Overheat(robot);
  EXPECT_THAT(robot.controller.latch().held, ElementsAre("hardware_limit"));
  EXPECT_FALSE(robot.controller.latch().latched);
  robot.Ticks(100);
  EXPECT_THAT(robot.controller.latch().held, ElementsAre("hardware_limit"));

  ASSERT_OK(robot.controller.Rearm(robot.now));

  EXPECT_EQ(robot.controller.latch(), LatchState{}) << "before the next tick";
  EXPECT_EQ(robot.Tick().state, "NOMINAL");
  EXPECT_THAT(robot.controller.latch().held, IsEmpty());
  Overheat(robot);
  EXPECT_THAT(robot.controller.latch().held, ElementsAre("hardware_limit")) << "and once more";
}

TEST(HeldTest, WhatClearedByItselfTooOftenIsNamed) {
  DrivenRobot robot;
  robot.DriveAtEight();
  for (int fault = 1; fault <= 4; ++fault) {
    robot.unit.model->says = {kNanF, 0};
    robot.Tick();
    robot.unit.model->says = {0.8F, 0};
    EXPECT_THAT(robot.controller.latch().held, IsEmpty()) << fault;
    robot.Ticks(202);
  }
  EXPECT_THAT(robot.controller.latch().held, ElementsAre("nonfinite"));
}

TEST(HeldTest, ARestartedRobotWaitsForAPersonAndThenDrives) {
  DrivenRobot robot({}, LatchState{.held = {"hardware_limit"}});
  robot.unit.model->says = {0.8F, 0.0F};
  const Tick& tick = robot.Ticks(20 * 600);
  EXPECT_EQ(tick.state, "SAFE_STOPPED");
  EXPECT_THAT(tick.triggers, ElementsAre("hardware_limit"));
  EXPECT_TRUE(tick.stop);

  ASSERT_OK(robot.controller.Rearm(robot.now));

  EXPECT_EQ(robot.Tick().state, "NOMINAL");
}

TEST(HeldTest, WhatOnlyReArmingClearsLatches) {
  DrivenRobot robot({}, LatchState{.held = {"envelope_breach"}});
  robot.Ticks(2);
  EXPECT_TRUE(robot.controller.latch().latched);
}

TEST(HeldTest, NamesAreThoseOfThePresentRules) {
  DrivenRobot robot({}, LatchState{.held = {"hardware_limit", "contact", "nonfinite"}});
  EXPECT_THAT(robot.controller.latch().held,
              ElementsAre("nonfinite", "hardware_limit", "flapping"));
}

TEST(HeldTest, EveryTriggerOfTheRulesCanBeNamed) {
  const Fallback rules = tests::NavRules();
  for (const TriggerRule& rule : rules.triggers()) {
    const DrivenRobot robot({}, LatchState{.held = {rule.id}});
    EXPECT_THAT(robot.controller.latch().held, ElementsAre(rule.id));
  }
}

TEST(HeldTest, WhatComesBackInTheNextTickIsNamedAnew) {
  DrivenRobot robot([](v1::ControlPolicy&, v1::FallbackRules& rules, v1::ModelCard&) {
    v1::Trigger& stale = tests::Rule(rules, "input_stale");
    stale.mutable_clear()->clear_quiet_ms();
    stale.mutable_clear()->set_operator_(true);
  });
  ASSERT_EQ(Named(robot.unit.pilot->rules->fallback, "input_stale"), 0U) << "the first of all";
  robot.DriveAtEight();
  const auto lose_inputs = [&] {
    for (int i = 0; i < 40; ++i) robot.Silence();
  };
  lose_inputs();
  EXPECT_THAT(robot.controller.latch().held, ElementsAre("input_stale"));
  robot.Ticks(100);
  ASSERT_OK(robot.controller.Rearm(robot.now));
  EXPECT_THAT(robot.controller.latch().held, IsEmpty());
  robot.Tick([](v1::Observation& packet) { packet.mutable_odom()->set_stamp_ns(1); });
  EXPECT_THAT(robot.controller.latch().held, ElementsAre("input_stale"));
}

TEST(HeldTest, WhatWasClearedIsNotHeldAgainByOtherRules) {
  DrivenRobot robot({}, LatchState{.held = {"hardware_limit"}});
  ASSERT_OK(robot.controller.Rearm(robot.now));
  robot.controller.SwapTo(robot.previous.pilot.get(), nullptr, robot.now);
  EXPECT_THAT(robot.controller.latch().held, IsEmpty()) << "no tick in between";
  EXPECT_THAT(robot.Tick().triggers, IsEmpty());
}

TEST(HeldTest, AModelsFaultsGoWithItAndAllElseStays) {
  DrivenRobot robot({}, LatchState{.held = {"nonfinite", "hardware_limit"}});
  robot.controller.SwapTo(robot.previous.pilot.get(), nullptr, robot.now);
  EXPECT_THAT(robot.controller.latch().held, ElementsAre("hardware_limit"));
  EXPECT_THAT(robot.Tick().triggers, ElementsAre("hardware_limit"));
}

TEST(HeldTest, ASwapToRulesWithoutTheTriggerHoldsFlapping) {
  const tests::Unit other(std::string(64, 'c'), [](auto& policy, auto& fallback, auto&) {
    policy.clear_derate();
    for (int i = fallback.triggers_size(); i-- > 0;) {
      const bool heat = fallback.triggers(i).id() == "hardware_limit";
      if (heat) fallback.mutable_triggers()->DeleteSubrange(i, 1);
    }
  });
  DrivenRobot robot;
  robot.DriveAtEight();
  Overheat(robot);
  robot.controller.SwapTo(other.pilot.get(), nullptr, robot.now);
  EXPECT_THAT(robot.controller.latch().held, ElementsAre("flapping"));
  EXPECT_THAT(robot.Tick().triggers, ElementsAre("flapping"));
}

TEST(HeldTest, NothingIsForgottenWhileThereIsNoUnit) {
  DrivenRobot robot({}, LatchState{.held = {"nonfinite", "hardware_limit"}});
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  robot.Ticks(5);
  EXPECT_THAT(robot.controller.latch().held, ElementsAre("nonfinite", "hardware_limit"));
  robot.controller.SwapTo(robot.unit.pilot.get(), nullptr, robot.now);
  EXPECT_THAT(robot.Tick().triggers, ElementsAre("nonfinite", "hardware_limit"));
}

TEST(HeldTest, AnEmergencyStopNamesThemOn) {
  const LatchState held{.held = {"hardware_limit"}};
  DrivenRobot robot({}, held);
  Controller without_unit{held};
  robot.estop = true;
  robot.Tick();
  v1::Observation press = tests::Packet(kStartOfTime);
  press.set_estop_pressed(true);
  without_unit.Observe(press, kStartOfTime);
  without_unit.Step(kStartOfTime);
  for (const Controller* controller : {&robot.controller, &without_unit}) {
    EXPECT_TRUE(controller->latch().latched);
    EXPECT_THAT(controller->latch().held, ElementsAre("hardware_limit"));
  }
  robot.estop = false;
  robot.Ticks(100);
  ASSERT_OK(robot.controller.Rearm(robot.now));
  EXPECT_THAT(robot.controller.latch().held, IsEmpty()) << "a re-arm clears what an operator may";
}

TEST(HeldTest, WithoutAUnitAnAcknowledgementClears) {
  Controller controller{LatchState{.held = {"contact"}}};
  controller.Step(kStartOfTime);
  ASSERT_OK(controller.Rearm(kStartOfTime));
  EXPECT_EQ(controller.latch(), LatchState{}) << "and no start is awaited";
  EXPECT_THAT(controller.Rearm(kStartOfTime), StatusIs(kRefused, HasSubstr("nothing waits")));
}

TEST(HeldTest, WithoutAUnitAnEmergencyStopWantsStandstillAllTheSame) {
  Controller controller{LatchState{.latched = true, .cause = {}, .held = {"contact"}}};
  controller.Step(kStartOfTime);
  EXPECT_THAT(controller.Rearm(kStartOfTime), StatusIs(kRefused, HasSubstr("5 s")));
  EXPECT_THAT(controller.latch().held, ElementsAre("contact"));
}

}  // namespace
}  // namespace agent::runtime
