#include "agent/runtime/fallback_machine.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/rules_world.h"

// How triggers of the rich rules wait at the dock, clear too often, and stop a robot on probation.

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

class RichMachineTest : public testing::Test {
 protected:
  TriggerMask Mask(const std::string& id) const {
    for (size_t i = 0; i < rules_.triggers().size(); ++i) {
      if (rules_.triggers()[i].id == id) return MaskOf(i);
    }
    ADD_FAILURE() << id;
    return 0;
  }
  void Live(TriggerMask raised, Nanos time) {
    const Nanos end = now_ + time;
    while (now_ < end) {
      now_ += kPeriod;
      Advance(rules_,
              {.raised = raised,
               .previous_runs = true,
               .standing = standing_,
               .now = now_,
               .fresh = ~InputMask{0},
               .zones = zones_,
               .driven = driven_},
              status_);
    }
  }
  void Once(TriggerMask raised) { Live(raised, kPeriod); }
  // Nothing happens for a long time, which a machine that is asked seldom sees as well.
  void Rest(Nanos time) {
    now_ += time - kPeriod;
    Once(0);
  }
  const std::string& state() const { return rules_.states()[status_.state].name; }

  const Fallback rules_ = tests::RichRules();
  FallbackStatus status_;
  Nanos now_ = kStartOfTime;
  bool standing_ = false;
  ZoneMask zones_ = 0;
  Nanos driven_ = kPeriod;
};

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

// --- probation

class ProbationTest : public RichMachineTest {
 protected:
  void SetUp() override {
    Once(Mask("estop_button"));
    standing_ = true;
    Live(0, seconds(4));
    ASSERT_EQ(state(), "ESTOP_LATCHED");
    ASSERT_OK_AND_ASSIGN(status_, Rearmed(rules_, status_, seconds(4)));
    standing_ = false;
  }
};

TEST_F(ProbationTest, EndsAfterItsTimeOfDrivingAndNotBefore) {
  Live(0, milliseconds(59'950));
  EXPECT_EQ(status_.probation, kPeriod);
  Once(0);
  EXPECT_EQ(status_.probation, Nanos{0});
  Once(0);
  EXPECT_EQ(status_.probation, Nanos{0});
}

TEST_F(ProbationTest, DoesNotPassWhileTheRobotStands) {
  driven_ = Nanos{0};
  Live(0, seconds(120));
  EXPECT_EQ(status_.probation, seconds(60));
}

TEST_F(ProbationTest, AnyTriggerStopsTheRobotAndStartsItAnew) {
  Live(0, seconds(30));
  Once(Mask("low_confidence"));
  EXPECT_EQ(state(), "SAFE_STOPPED");
  EXPECT_EQ(status_.probation, seconds(60));
  Live(0, milliseconds(950));
  EXPECT_EQ(state(), "SAFE_STOPPED");
  EXPECT_EQ(status_.probation, seconds(60)) << "not while a trigger is active";
  Once(0);
  EXPECT_EQ(state(), "NOMINAL");
  Once(0);
  EXPECT_LT(status_.probation, seconds(60));
}

TEST_F(ProbationTest, AMoreRestrictiveTriggerGoesWhereItAlwaysGoes) {
  Once(Mask("envelope_breach"));
  EXPECT_EQ(state(), "EMERGENCY_STOP");
}

TEST_F(ProbationTest, AfterItATriggerGoesWhereItAlwaysGoes) {
  Live(0, seconds(60));
  Once(Mask("low_confidence"));
  EXPECT_EQ(state(), "DEGRADED");
}

TEST_F(ProbationTest, BeginsWithTheStart) {
  const TriggerMask waiting = MaskOf(rules_.awaiting_start());
  Once(waiting);
  EXPECT_EQ(state(), "SAFE_STOPPED") << "where it waits";
  Live(waiting | Mask("low_confidence"), seconds(1));
  const TriggerIndex doubt = static_cast<TriggerIndex>(std::countr_zero(Mask("low_confidence")));
  EXPECT_EQ(rules_.states()[status_.triggers[doubt].place].name, "DEGRADED")
      << "a robot that nobody started is on no probation";
  EXPECT_EQ(status_.probation, seconds(60));
}

TEST_F(ProbationTest, StartsAnewUnderNewRules) {
  Live(0, seconds(30));
  const FallbackStatus carried = CarriedOver(rules_, status_, rules_, now_);
  EXPECT_EQ(carried.probation, seconds(60));
  EXPECT_EQ(CarriedOver(rules_, FallbackStatus{}, rules_, now_).probation, Nanos{0});
}

TEST_F(ProbationTest, FlappingOnProbationEndsWhereBothDemand) {
  for (int i = 0; i < 6; ++i) {
    Once(Mask("low_confidence"));
    Live(0, seconds(1));
  }
  EXPECT_TRUE(status_.IsActive(rules_.flapping()) || status_.held == Mask("low_confidence"));
  EXPECT_EQ(state(), "SAFE_STOPPED");
}

TEST_F(ProbationTest, TheMachinesOwnLatchIsNoCauseThatMustGoFirst) {
  status_ = {};
  standing_ = true;
  Once(MaskOf(rules_.latched()));
  EXPECT_EQ(state(), "ESTOP_LATCHED");
  ASSERT_OK_AND_ASSIGN(status_, Rearmed(rules_, status_, seconds(4)));
  EXPECT_EQ(status_.raised, 0U);
  Once(0);
  EXPECT_EQ(state(), "NOMINAL");
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
