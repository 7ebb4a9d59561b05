#include <random>
#include <set>

#include "agent/runtime/fallback_machine.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/status_matchers.h"

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::tests::kStartOfTime;
using ::tests::NavFallbackDocument;
using ::tests::NavPolicyDocument;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

constexpr Nanos kPeriod = milliseconds(50);
// From 1 m/s at the 1 m/s2 of CONTROLLED_STOP.
constexpr Nanos kStopTakes = seconds(1);

Fallback NavRules() {
  const auto policy = Policy::Compile(NavPolicyDocument());
  EXPECT_TRUE(policy.ok()) << policy.status();
  auto rules = Fallback::Compile(NavFallbackDocument(), *policy);
  EXPECT_TRUE(rules.ok()) << rules.status();
  return *std::move(rules);
}

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
      status_ = Next(rules_, status_, {raised, previous_runs_, standing_, now_});
    }
  }
  void Once(TriggerMask raised) { Live(raised, kPeriod); }
  const std::string& state() const { return rules_.states()[status_.state].name; }

  const Fallback rules_ = NavRules();
  FallbackStatus status_;
  Nanos now_ = kStartOfTime;
  bool previous_runs_ = true;
  bool standing_ = false;
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
  EXPECT_EQ(state(), "CONTROLLED_STOP");
}

TEST_F(FallbackMachineTest, LeavesThePreviousUnitInTheTickInWhichItFails) {
  Once(Mask("nonfinite"));
  EXPECT_EQ(state(), "PREVIOUS_MODEL");
  previous_runs_ = false;
  Once(0);
  EXPECT_EQ(state(), "CONTROLLED_STOP");
  previous_runs_ = true;
  Once(0);
  EXPECT_EQ(state(), "CONTROLLED_STOP") << "what it was for has not cleared";
}

TEST_F(FallbackMachineTest, DwellsInThePreviousUnitForItsBoundAndNotLonger) {
  Once(Mask("model_failed"));
  Live(Mask("model_failed"), milliseconds(29'950));
  EXPECT_EQ(state(), "PREVIOUS_MODEL");
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
  EXPECT_EQ(status_.Active(), Mask("input_stale"));
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
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(NavPolicyDocument()));
  ASSERT_OK_AND_ASSIGN(const Fallback to, Fallback::Compile(other, policy));
  const FallbackStatus carried = CarriedOver(rules_, status_, to, now_);
  EXPECT_EQ(to.states()[carried.state].name, "CONTROLLED_STOP");
}

// --- exhaustive
// -------------------------------------------------------------------------------------

// All triggers a robot's world can raise: the policy's and the three that always exist.
std::vector<TriggerMask> AllSubsets(const Fallback& rules) {
  const size_t count = rules.latched();  // the machine's own come last
  std::vector<TriggerMask> subsets;
  for (TriggerMask mask = 0; mask < (TriggerMask{1} << count); ++mask) subsets.push_back(mask);
  return subsets;
}

TEST_F(FallbackMachineTest, EverySetOfTriggersWithAStopReachesAMinimalRiskConditionInTime) {
  int stops = 0;
  for (bool previous : {false, true}) {
    for (bool brakes : {false, true}) {
      for (TriggerMask mask : AllSubsets(rules_)) {
        FallbackStatus status;
        Nanos now = kStartOfTime;
        status = Next(rules_, status, {mask, previous, false, now});
        if (rules_.states()[status.state].driver != Driver::kStop) continue;
        ++stops;
        const Nanos fault = now;
        while (!rules_.states()[status.state].minimal_risk) {
          now += kPeriod;
          const bool standing = brakes && now - fault >= kStopTakes;
          status = Next(rules_, status, {mask, previous, standing, now});
          // One tick more than the bound: the machine is asked once a period.
          ASSERT_LE(now - fault, rules_.mrc_within() + kPeriod) << "triggers " << mask;
        }
      }
    }
  }
  EXPECT_EQ(stops, 2 * (256 - 32) + 2 * (256 - 2));
}

TEST_F(FallbackMachineTest, EverySetOfTriggersIsAtLeastAsRestrictiveAsEachOfItsParts) {
  const std::vector<TriggerMask> subsets = AllSubsets(rules_);
  std::vector<std::vector<StateIndex>> walks;  // states over 10 s of each subset
  for (TriggerMask mask : subsets) {
    FallbackStatus status;
    std::vector<StateIndex>& walk = walks.emplace_back();
    for (int tick = 0; tick < 200; ++tick) {
      status = Next(rules_, status, {mask, true, false, kStartOfTime + tick * kPeriod});
      walk.push_back(status.state);
    }
  }
  for (TriggerMask mask : subsets) {
    for (TriggerMask part = mask; part != 0; part = (part - 1) & mask) {
      for (size_t tick = 0; tick < 200; tick += 7) {
        ASSERT_GE(walks[mask][tick], walks[part][tick]) << mask << " against " << part;
      }
    }
  }
}

TEST_F(FallbackMachineTest, NoPlaceEverDropsWhileItsTriggerIsActive) {
  std::mt19937_64 random(1);
  FallbackStatus status;
  Nanos now = kStartOfTime;
  std::set<StateIndex> visited;
  for (int step = 0; step < 200'000; ++step) {
    // Conditions come in stretches; steps have uneven lengths; sometimes a person re-arms.
    static TriggerMask raised = 0;
    if (random() % 8 == 0) raised = random() % 256 & random() & random();
    now += milliseconds(random() % 400);
    const FallbackStatus before = status;
    status = Next(rules_, status, {raised, random() % 4 != 0, random() % 3 == 0, now});
    visited.insert(status.state);
    StateIndex most = 0;
    for (size_t i = 0; i < rules_.triggers().size(); ++i) {
      if (!status.triggers[i].active) continue;
      most = std::max(most, status.triggers[i].place);
      ASSERT_GE(status.triggers[i].place, rules_.triggers()[i].to);
      if (before.triggers[i].active) {
        ASSERT_GE(status.triggers[i].place, before.triggers[i].place);
      }
      if (raised & MaskOf(i) && before.triggers[i].active) {
        ASSERT_TRUE(status.triggers[i].active);
      }
    }
    ASSERT_EQ(status.state, most);
    if (random() % 64 == 0) {
      if (auto next = Rearmed(rules_, status, seconds(60)); next.ok()) status = *next;
    }
  }
  EXPECT_EQ(visited.size(), rules_.states().size()) << "the walk met every state";
}

}  // namespace
}  // namespace agent::runtime
