#include "agent/runtime/fallback_machine.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/rules_world.h"

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::tests::Compiled;
using ::tests::kPeriod;
using ::tests::kStartOfTime;
using ::tests::NavFallbackDocument;
using ::tests::NavPolicyDocument;
using ::tests::NavRules;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

class FallbackMachineTest : public testing::Test {
 protected:
  TriggerMask Mask(const std::string& id) const {
    for (size_t i = 0; i < rules_.triggers().size(); ++i) {
      if (rules_.triggers()[i].id == id) return MaskOf(i);
    }
    ADD_FAILURE() << id;
    return 0;
  }
  // Steps every period for `time` with these conditions, from one period after the last step.
  void Live(TriggerMask raised, Nanos time) {
    const Nanos end = now_ + time;
    while (now_ < end) {
      now_ += kPeriod;
      status_ =
          Next(rules_, status_, {raised, previous_runs_, standing_, now_, fresh_, zones_, driven_});
    }
  }
  void Once(TriggerMask raised) { Live(raised, kPeriod); }
  const std::string& state() const { return rules_.states()[status_.state].name; }

  const Fallback rules_ = NavRules();
  FallbackStatus status_;
  Nanos now_ = kStartOfTime;
  bool previous_runs_ = true;
  bool standing_ = false;
  InputMask fresh_ = ~InputMask{0};
  ZoneMask zones_ = 0;
  Nanos driven_ = kPeriod;
};

TEST_F(FallbackMachineTest, IsNominalWithoutTriggers) {
  Live(0, seconds(5));
  EXPECT_EQ(state(), "NOMINAL");
}

TEST_F(FallbackMachineTest, TakesTheMostRestrictiveOfWhatTriggersDemand) {
  Once(Mask("nonfinite") | Mask("input_stale"));
  EXPECT_EQ(state(), "CONTROLLED_STOP");
  Once(Mask("nonfinite") | Mask("estop_button"));
  EXPECT_EQ(state(), "EMERGENCY_STOP");
}

TEST_F(FallbackMachineTest, WaitsForAfterMsAndNotLonger) {
  Live(Mask("network_down"), seconds(5));
  EXPECT_EQ(state(), "NOMINAL") << "the condition has held for 4.95 s";
  Once(Mask("network_down"));
  EXPECT_EQ(state(), "DEGRADED");
}

TEST_F(FallbackMachineTest, StartsToCountAfterMsAnewAfterAGap) {
  Live(Mask("network_down"), seconds(4));
  Once(0);
  Live(Mask("network_down"), seconds(4));
  EXPECT_EQ(state(), "NOMINAL");
}

TEST_F(FallbackMachineTest, ClearsAfterItsQuietTimeAndNotBefore) {
  Once(Mask("input_stale"));
  Live(0, milliseconds(450));
  EXPECT_EQ(state(), "CONTROLLED_STOP");
  Once(0);
  EXPECT_EQ(state(), "NOMINAL");
}

TEST_F(FallbackMachineTest, StartsTheQuietTimeAnewWhenTheConditionReturns) {
  Once(Mask("input_stale"));
  Live(0, milliseconds(400));
  Once(Mask("input_stale"));
  Live(0, milliseconds(450));
  EXPECT_EQ(state(), "CONTROLLED_STOP");
}

TEST_F(FallbackMachineTest, ClearingOneTriggerLeavesWhatAnotherDemands) {
  Once(Mask("input_stale") | Mask("nonfinite"));
  Live(0, milliseconds(500));
  EXPECT_EQ(state(), "PREVIOUS_MODEL");
}

TEST_F(FallbackMachineTest, AStopThatIsCompletedMovesToItsThen) {
  Once(Mask("input_stale"));
  standing_ = true;
  Once(Mask("input_stale"));
  EXPECT_EQ(state(), "SAFE_STOPPED");
  Live(Mask("input_stale"), seconds(60));
  EXPECT_EQ(state(), "SAFE_STOPPED") << "a place only moves up while its trigger is active";
}

TEST_F(FallbackMachineTest, AStopThatDoesNotCompleteInTimeMovesToItsElse) {
  Once(Mask("input_stale"));
  Live(Mask("input_stale"), milliseconds(1450));
  EXPECT_EQ(state(), "CONTROLLED_STOP");
  Once(Mask("input_stale"));
  EXPECT_EQ(state(), "EMERGENCY_STOP");
  Live(Mask("input_stale"), milliseconds(750));
  EXPECT_EQ(state(), "EMERGENCY_STOP");
  Once(Mask("input_stale"));
  EXPECT_EQ(state(), "ESTOP_LATCHED") << "without else it moves to its then";
}

TEST_F(FallbackMachineTest, SkipsThePreviousUnitWhenThereIsNone) {
  previous_runs_ = false;
  Once(Mask("nonfinite"));
  EXPECT_EQ(state(), "SIMPLE_CONTROLLER");
}

TEST_F(FallbackMachineTest, LeavesThePreviousUnitInTheTickInWhichItFails) {
  Once(Mask("nonfinite"));
  EXPECT_EQ(state(), "PREVIOUS_MODEL");
  previous_runs_ = false;
  Once(0);
  EXPECT_EQ(state(), "SIMPLE_CONTROLLER");
  previous_runs_ = true;
  Once(0);
  EXPECT_EQ(state(), "SIMPLE_CONTROLLER") << "what it was for has not cleared";
}

TEST_F(FallbackMachineTest, ABuiltInControllerGivesWayAtOnceWhenAnInputItNeedsIsLost) {
  const StateRule& simple = rules_.states()[3];
  for (InputMask lost = simple.needs; lost != 0; lost &= lost - 1) {
    status_ = {};
    previous_runs_ = false;
    fresh_ = ~InputMask{0};
    Once(Mask("nonfinite"));
    EXPECT_EQ(state(), "SIMPLE_CONTROLLER");
    fresh_ = ~(lost & ~(lost - 1));
    Once(0);
    EXPECT_EQ(state(), "CONTROLLED_STOP");
  }
}

TEST_F(FallbackMachineTest, ABuiltInControllerDoesNotMindInputsItDoesNotNeed) {
  previous_runs_ = false;
  fresh_ = rules_.needs();
  Live(Mask("nonfinite"), seconds(1));
  EXPECT_EQ(state(), "SIMPLE_CONTROLLER");
}

TEST_F(FallbackMachineTest, IsNotEvenTriedWithoutItsInputs) {
  previous_runs_ = false;
  fresh_ = 0;
  Once(Mask("nonfinite"));
  EXPECT_EQ(state(), "CONTROLLED_STOP");
}

TEST_F(FallbackMachineTest, SubstitutesDwellForTheirBoundsAndNotLonger) {
  Once(Mask("model_failed"));
  Live(Mask("model_failed"), milliseconds(29'950));
  EXPECT_EQ(state(), "PREVIOUS_MODEL");
  Once(Mask("model_failed"));
  EXPECT_EQ(state(), "SIMPLE_CONTROLLER");
  Live(Mask("model_failed"), milliseconds(19'950));
  EXPECT_EQ(state(), "SIMPLE_CONTROLLER");
  Once(Mask("model_failed"));
  EXPECT_EQ(state(), "CONTROLLED_STOP");
}

TEST_F(FallbackMachineTest, FiveRisesAMinuteAreAllowedAndTheSixthRests) {
  for (int i = 0; i < 5; ++i) {
    Once(Mask("input_stale"));
    Live(0, seconds(5));
    EXPECT_EQ(state(), "NOMINAL");
  }
  Once(Mask("input_stale"));
  EXPECT_EQ(state(), "SAFE_STOPPED");
  Live(0, seconds(300));
  EXPECT_EQ(state(), "SAFE_STOPPED") << "only a person clears flapping";
}

TEST_F(FallbackMachineTest, NewRulesForgetNoRise) {
  for (int i = 0; i < 5; ++i) {
    Once(Mask("input_stale"));
    Live(0, seconds(5));
  }
  status_ = CarriedOver(rules_, status_, NavRules(), now_);
  EXPECT_EQ(state(), "NOMINAL");
  Once(Mask("input_stale"));
  EXPECT_EQ(state(), "SAFE_STOPPED");
}

TEST_F(FallbackMachineTest, RisesFurtherApartThanTheWindowAreNoFlapping) {
  for (int i = 0; i < 20; ++i) {
    Once(Mask("input_stale"));
    Live(0, milliseconds(20'000));
    EXPECT_EQ(state(), "NOMINAL") << i;
  }
}

TEST_F(FallbackMachineTest, NothingButAPersonClearsALatch) {
  Once(Mask("estop_button"));
  standing_ = true;
  Live(0, seconds(3600));
  EXPECT_EQ(state(), "ESTOP_LATCHED");
}

TEST_F(FallbackMachineTest, RearmingClearsTheLatchAfterTheStandstillAndNotBefore) {
  Once(Mask("estop_button"));
  standing_ = true;
  Live(0, seconds(2));
  EXPECT_THAT(Rearmed(rules_, status_, milliseconds(2999)),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("stood")));
  ASSERT_OK_AND_ASSIGN(status_, Rearmed(rules_, status_, milliseconds(3000)));
  Once(0);
  EXPECT_EQ(state(), "NOMINAL");
}

TEST_F(FallbackMachineTest, RearmingIsRefusedWhileTheCauseHolds) {
  standing_ = true;
  Live(Mask("estop_button"), seconds(10));
  EXPECT_THAT(Rearmed(rules_, status_, seconds(60)),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("estop_button")));
}

TEST_F(FallbackMachineTest, RearmingIsRefusedWhenNothingWaits) {
  Once(Mask("input_stale"));
  EXPECT_THAT(Rearmed(rules_, status_, seconds(60)),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("nothing waits")));
}

TEST_F(FallbackMachineTest, FlappingIsClearedByAPersonWithoutStandstill) {
  for (int i = 0; i < 6; ++i) {
    Once(Mask("input_stale"));
    Live(0, seconds(1));
  }
  EXPECT_EQ(state(), "SAFE_STOPPED");
  ASSERT_OK_AND_ASSIGN(status_, Rearmed(rules_, status_, Nanos{0}));
  Once(0);
  EXPECT_EQ(state(), "NOMINAL");
}

TEST_F(FallbackMachineTest, NewRulesDropTheModelsTriggersAndKeepAllOthers) {
  Once(Mask("nonfinite") | Mask("input_stale"));
  standing_ = true;
  Once(Mask("nonfinite") | Mask("input_stale"));
  EXPECT_EQ(state(), "SAFE_STOPPED");
  status_ = CarriedOver(rules_, status_, NavRules(), now_);
  EXPECT_EQ(state(), "SAFE_STOPPED");
  EXPECT_EQ(status_.active, Mask("input_stale"));
}

TEST_F(FallbackMachineTest, NewRulesWithoutTheStateUseTheirOwn) {
  Once(Mask("input_stale"));
  standing_ = true;
  Once(Mask("input_stale"));
  v1::FallbackRules other = NavFallbackDocument();
  other.mutable_states()->insert({"PARKED", other.states().at("SAFE_STOPPED")});
  other.mutable_states()->erase("SAFE_STOPPED");
  (*other.mutable_states())["CONTROLLED_STOP"].set_then("PARKED");
  other.mutable_flap()->set_to("PARKED");
  other.mutable_rearm()->mutable_probation()->set_to("PARKED");
  ASSERT_OK_AND_ASSIGN(const Fallback to, Fallback::Compile(other, Compiled(NavPolicyDocument())));
  const FallbackStatus carried = CarriedOver(rules_, status_, to, now_);
  EXPECT_EQ(to.states()[carried.state].name, "CONTROLLED_STOP");
}

TEST_F(FallbackMachineTest, NewRulesMayHaveTriggersThatTheOldOnesDidNot) {
  tests::Rules document = tests::RichFallbackDocument();
  tests::Rule(document, "low_confidence").set_layer("firmware");
  ASSERT_OK_AND_ASSIGN(const Fallback to,
                       Fallback::Compile(document, Compiled(tests::RichPolicyDocument())));
  Once(Mask("input_stale"));
  const FallbackStatus carried = CarriedOver(rules_, status_, to, now_);
  for (size_t i = 0; i < to.triggers().size(); ++i) {
    EXPECT_EQ(carried.IsActive(static_cast<TriggerIndex>(i)), to.triggers()[i].id == "input_stale")
        << to.triggers()[i].id;
  }
  EXPECT_EQ(to.states()[carried.state].name, state());
}

}  // namespace
}  // namespace agent::runtime
