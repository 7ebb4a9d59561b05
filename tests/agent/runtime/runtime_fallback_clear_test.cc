#include <bit>

#include "tests/agent/runtime/rich_machine.h"

// How triggers of the rich rules wait at the dock and clear too often.

namespace agent::runtime {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::tests::kPeriod;
using ::tests::kStartOfTime;
using ::tests::StatusIs;

constexpr ZoneMask kDock = ZoneMask{1} << 2;

// --- defer

class DeferTest : public RichMachineTest {};

TEST_F(DeferTest, OutsideItsZoneActsAfterItsTime) {
  Live(Mask("network_down"), seconds(2));
  EXPECT_EQ(state(), "NOMINAL");
  Once(Mask("network_down"));
  EXPECT_EQ(state(), "CONTROLLED_STOP");
}

TEST_F(DeferTest, WaitsInsideItsZoneForItsBoundAndNotLonger) {
  zones_ = kDock;
  Live(Mask("network_down"), seconds(7));
  EXPECT_EQ(state(), "NOMINAL");
  Once(Mask("network_down"));
  EXPECT_EQ(state(), "CONTROLLED_STOP");
}

TEST_F(DeferTest, ActsInTheTickInWhichTheZoneIsLeft) {
  zones_ = kDock;
  Live(Mask("network_down"), seconds(4));
  zones_ = 0;
  Once(Mask("network_down"));
  EXPECT_EQ(state(), "CONTROLLED_STOP");
}

TEST_F(DeferTest, DoesNotWaitInOtherZones) {
  zones_ = ~kDock;
  Live(Mask("network_down"), seconds(2) + kPeriod);
  EXPECT_EQ(state(), "CONTROLLED_STOP");
}

TEST_F(DeferTest, IsNotTakenBackByEnteringTheZoneLater) {
  Live(Mask("network_down"), seconds(2) + kPeriod);
  zones_ = kDock;
  Live(Mask("network_down"), seconds(1));
  EXPECT_EQ(state(), "CONTROLLED_STOP");
}

TEST_F(DeferTest, PostponesNoOtherTrigger) {
  zones_ = kDock;
  Once(Mask("network_down") | Mask("input_stale"));
  EXPECT_EQ(state(), "CONTROLLED_STOP");
}

TEST_F(DeferTest, StartsAnewWhenTheConditionWasGone) {
  zones_ = kDock;
  Live(Mask("network_down"), seconds(6));
  Once(0);
  Live(Mask("network_down"), seconds(6));
  EXPECT_EQ(state(), "NOMINAL");
}

// --- max_per_hour

class ClearsTest : public RichMachineTest {
 protected:
  // Doubt for a tick, and the calm after it.
  void Doubt() {
    Once(Mask("low_confidence"));
    EXPECT_EQ(state(), "DEGRADED");
    Live(0, seconds(1));
  }
};

TEST_F(ClearsTest, ByItselfAsOftenAsAllowedAndThenGoesToItsElse) {
  for (int i = 0; i < 2; ++i) {
    Doubt();
    EXPECT_EQ(state(), "NOMINAL");
    Rest(minutes(5));
  }
  Doubt();
  EXPECT_EQ(state(), "PREVIOUS_MODEL");
  EXPECT_EQ(status_.held, Mask("low_confidence"));
}

TEST_F(ClearsTest, OnlyAnOperatorClearsItThen) {
  for (int i = 0; i < 3; ++i) Doubt();
  Rest(seconds(29));
  EXPECT_EQ(state(), "PREVIOUS_MODEL");
  Rest(hours(2));
  EXPECT_NE(state(), "NOMINAL");
  EXPECT_TRUE(status_.IsActive(std::countr_zero(Mask("low_confidence"))));
  ASSERT_OK_AND_ASSIGN(status_, Rearmed(rules_, status_, Nanos{0}));
  Once(0);
  EXPECT_EQ(state(), "NOMINAL");
  EXPECT_EQ(status_.probation, Nanos{0}) << "an operator's act is no re-arm";
}

class OnceAnHourTest : public RichMachineTest {
 protected:
  OnceAnHourTest()
      : RichMachineTest(RulesWith([](tests::Rules& rules) {
          tests::Rule(rules, "low_confidence").mutable_clear()->set_max_per_hour(1);
        })) {}
};

TEST_F(OnceAnHourTest, TheSecondTimeIsOneTooMany) {
  for (const TriggerMask held : {TriggerMask{0}, Mask("low_confidence")}) {
    Once(Mask("low_confidence"));
    Live(0, seconds(1));
    EXPECT_EQ(status_.held, held);
  }
}

class FirstTriggerTest : public RichMachineTest {
 protected:
  FirstTriggerTest()
      : RichMachineTest(RulesWith([](tests::Rules& rules) {
          tests::Rule(rules, "input_stale").mutable_clear()->clear_quiet_ms();
          tests::Rule(rules, "input_stale").mutable_clear()->set_operator_(true);
        })) {}
};

TEST_F(FirstTriggerTest, IsClearedByAPersonAsAnyOther) {
  ASSERT_EQ(Mask("input_stale"), TriggerMask{1});
  Once(Mask("input_stale"));
  Live(0, seconds(10));
  EXPECT_EQ(status_.active, Mask("input_stale"));
  ASSERT_OK_AND_ASSIGN(status_, Rearmed(rules_, status_, Nanos{0}));
  EXPECT_EQ(status_.active, 0U);
}

TEST_F(RichMachineTest, WhatWantsARearmWantsItBesideWhatAnOperatorClears) {
  status_.active = Mask("estop_button") | MaskOf(rules_.flapping());
  ASSERT_LT(Mask("estop_button"), MaskOf(rules_.flapping()));
  EXPECT_THAT(Rearmed(rules_, status_, rules_.standstill() - kPeriod),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("must have stood")));
  EXPECT_OK(Rearmed(rules_, status_, rules_.standstill()).status());
}

TEST_F(RichMachineTest, UnderNewRulesAConditionGoesOnBeingCounted) {
  Live(Mask("network_down"), seconds(1));
  status_ = CarriedOver(rules_, status_, rules_, now_);
  Live(Mask("network_down"), seconds(1));
  EXPECT_EQ(state(), "NOMINAL") << "two seconds are not over yet";
  Once(Mask("network_down"));
  EXPECT_EQ(state(), "CONTROLLED_STOP");
}

// Flapping leads to a rest that is left for a deeper one after a second.
class FlapRestTest : public RichMachineTest {
 protected:
  FlapRestTest()
      : RichMachineTest(RulesWith([](tests::Rules& rules) {
          tests::State(rules, "EMERGENCY_STOP").set_rank(16);
          tests::State(rules, "ESTOP_LATCHED").set_rank(17);
          tests::State(rules, "PARKED") = tests::State(rules, "SAFE_STOPPED");
          tests::State(rules, "PARKED").set_rank(9);
          tests::State(rules, "SAFE_STOPPED").set_max_dwell_s(1);
          tests::State(rules, "SAFE_STOPPED").set_else_("PARKED");
        })) {}
};

TEST_F(FlapRestTest, IsNotBegunAnewByFurtherRises) {
  for (int i = 0; i < 6; ++i) {
    Once(Mask("input_stale"));
    Live(0, seconds(1));
  }
  ASSERT_TRUE(status_.IsActive(rules_.flapping()));
  Live(0, seconds(1));
  EXPECT_EQ(state(), "PARKED");
  Once(Mask("estop_button"));
  EXPECT_EQ(state(), "EMERGENCY_STOP");
  EXPECT_EQ(rules_.states()[status_.triggers[rules_.flapping()].place].name, "PARKED");
}

TEST_F(ClearsTest, TheOperatorWaitsUntilTheConditionIsGone) {
  for (int i = 0; i < 3; ++i) Doubt();
  Once(Mask("low_confidence"));
  EXPECT_THAT(Rearmed(rules_, status_, seconds(9)),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("low_confidence")));
}

TEST_F(ClearsTest, CountsAnewAfterTheOperator) {
  for (int i = 0; i < 3; ++i) Doubt();
  ASSERT_OK_AND_ASSIGN(status_, Rearmed(rules_, status_, Nanos{0}));
  Doubt();
  EXPECT_EQ(state(), "NOMINAL");
  EXPECT_EQ(status_.held, 0U);
}

TEST_F(ClearsTest, ForgetsAClearAfterAnHourAndNotBefore) {
  Doubt();
  const Nanos first = now_;
  Doubt();
  // The third clear falls just within the hour after the first one, or just after it.
  const FallbackStatus two = status_;
  for (const Nanos late : {Nanos{0}, kPeriod}) {
    status_ = two;
    now_ = first + hours(1) - kPeriod - seconds(1) - kPeriod + late;
    Doubt();
    EXPECT_EQ(now_ - first, hours(1) - kPeriod + late);
    EXPECT_EQ(state(), late == Nanos{0} ? "PREVIOUS_MODEL" : "NOMINAL");
  }
}

TEST_F(ClearsTest, NeverGoesLowerThanWhereItStands) {
  Doubt();
  Doubt();
  // It dwells in DEGRADED until that gives way to a stop; the calm after that is one too many.
  standing_ = true;
  Live(Mask("low_confidence"), seconds(41));
  EXPECT_EQ(state(), "SAFE_STOPPED");
  Live(0, seconds(1));
  EXPECT_EQ(status_.held, Mask("low_confidence"));
  EXPECT_EQ(state(), "SAFE_STOPPED");
}

TEST_F(ClearsTest, UnderNewRulesWhatIsHeldStaysHeld) {
  // A trigger of the model is dropped with it, so this one is told to be the firmware's.
  tests::Rules document = tests::RichFallbackDocument();
  tests::Rule(document, "low_confidence").set_layer("firmware");
  const auto rules = Fallback::Compile(document, tests::Compiled(tests::RichPolicyDocument()));
  ASSERT_TRUE(rules.ok()) << rules.status();
  for (int i = 0; i < 3; ++i) Doubt();
  const FallbackStatus carried = CarriedOver(rules_, status_, *rules, now_);
  EXPECT_EQ(carried.held, Mask("low_confidence"));
  EXPECT_EQ(carried.clears, status_.clears);
  EXPECT_EQ(rules->states()[carried.state].name, "PREVIOUS_MODEL");
}

// --- the shape of the status

TEST_F(RichMachineTest, FlappingThatIsActiveIsNotSetBackByFurtherRises) {
  for (int i = 0; i < 6; ++i) {
    Once(Mask("input_stale"));
    Live(0, seconds(1));
  }
  ASSERT_TRUE(status_.IsActive(rules_.flapping()));
  const StateIndex place = status_.triggers[rules_.flapping()].place;
  Once(Mask("estop_button"));
  EXPECT_EQ(state(), "EMERGENCY_STOP");
  EXPECT_EQ(status_.triggers[rules_.flapping()].place, place);
}

TEST_F(RichMachineTest, DemandsOfASetWhatTheMachineDoesInItsFirstStep) {
  for (TriggerMask set = 0; set < MaskOf(rules_.latched()); ++set) {
    if ((set & Mask("network_down")) != 0) continue;  // which waits
    FallbackInput input{.raised = set, .previous_runs = set % 3 != 0, .now = kStartOfTime};
    input.fresh = set % 2 == 0 ? ~InputMask{0} : 0;
    EXPECT_EQ(Demanded(rules_, set, input), Next(rules_, {}, input).state) << set;
  }
}

TEST_F(RichMachineTest, AdvancesInPlaceAsItDoesByValue) {
  FallbackStatus place;
  FallbackStatus value;
  for (int i = 0; i < 400; ++i) {
    const FallbackInput input{.raised = static_cast<TriggerMask>(i % 7 == 0 ? i : 0) % 1024,
                              .now = kStartOfTime + i * kPeriod};
    Advance(rules_, input, place);
    value = Next(rules_, value, input);
    ASSERT_EQ(place, value);
  }
}

}  // namespace
}  // namespace agent::runtime
