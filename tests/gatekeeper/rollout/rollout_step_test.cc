#include "gatekeeper/rollout/step.h"
#include "tests/gatekeeper/rollout/rollout_world.h"
#include "tests/support/status_matchers.h"

namespace {

using gatekeeper::rollout::Action;
using gatekeeper::rollout::HoldUnit;
using gatekeeper::rollout::OpenIncident;
using gatekeeper::rollout::SetDesired;
using testing::HasSubstr;
using tests::kNew;
using tests::kOld;
using tests::RolloutWorld;
namespace v1 = gatekeeper::v1;

template <class T>
std::vector<T> Of(const std::vector<Action>& actions) {
  std::vector<T> found;
  for (const Action& action : actions) {
    if (const T* one = std::get_if<T>(&action)) found.push_back(*one);
  }
  return found;
}

TEST(RolloutStepTest, TellsOnlyTheFirstWaveToShadow) {
  RolloutWorld world(3);

  const auto orders = Of<SetDesired>(world.Step());

  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0].robot, "r0");
  EXPECT_EQ(orders[0].digest, kNew);
  EXPECT_EQ(orders[0].stage, v1::STAGE_SHADOW);
  EXPECT_TRUE(world.state.robots(0).touched());
  EXPECT_EQ(world.state.robots(0).previous_digest(), kOld);
}

TEST(RolloutStepTest, GoesThroughShadowTrialCommitAndSoakOfEachWave) {
  RolloutWorld world(4);
  std::vector<std::string> passed;
  v1::RolloutPhase last = v1::ROLLOUT_PHASE_UNSPECIFIED;

  world.RunUntil(120, [&] {
    if (world.state.phase() != last) {
      last = world.state.phase();
      passed.push_back(std::to_string(world.state.wave()) + v1::RolloutPhase_Name(last));
    }
    return last == v1::DONE;
  });

  EXPECT_THAT(passed, testing::ElementsAre("0SHADOW", "0TRIAL", "0COMMITTING", "0SOAK", "1SHADOW",
                                           "1TRIAL", "1COMMITTING", "1SOAK", "1DONE"));
}

TEST(RolloutStepTest, GivesATrialItsLease) {
  RolloutWorld world(1);
  ASSERT_TRUE(world.RunUntilPhase(v1::TRIAL));

  EXPECT_EQ(world.fleet["r0"].desired.stage(), v1::STAGE_TRIAL);
  EXPECT_EQ(world.fleet["r0"].desired.lease_ms(), 10'000u);
}

TEST(RolloutStepTest, WantsTheWholeStretchBetweenReportsNotByWaiting) {
  RolloutWorld world(1);
  world.Step();
  world.RunUntil(2.5, [] { return false; });
  ASSERT_EQ(world.state.phase(), v1::SHADOW);
  const int64_t last_report = world.now_ms;

  world.now_ms = last_report + 4'000;  // no report comes
  world.Step();

  EXPECT_EQ(world.state.phase(), v1::SHADOW);
}

TEST(RolloutStepTest, AnUnhealthySecondBeginsTheStretchAnew) {
  RolloutWorld world(1);
  world.Step();
  world.RunUntil(2.5, [] { return false; });
  world.now_ms += 500;
  world.Report("r0");
  world.Control("r0").set_candidate_state(v1::CANDIDATE_LOADING);
  world.Step();
  const int64_t broken = world.now_ms;

  ASSERT_TRUE(world.RunUntilPhase(v1::TRIAL));

  EXPECT_GE(world.now_ms - broken, 3'000);
}

TEST(RolloutStepTest, TooFewTicksAreNotHealthHoweverLongTheyLast) {
  RolloutWorld world(1);
  world.Step();
  world.RunUntil(15, [&] {
    world.Control("r0").mutable_candidate()->set_ticks(5);
    return false;
  });

  EXPECT_EQ(world.state.phase(), v1::SHADOW);
  EXPECT_THAT(gatekeeper::rollout::WaitingFor(world.state, world.fleet, world.now_ms),
              HasSubstr("of 20 ticks in shadow"));
}

// Each row spoils one thing in the trial of the canary.
struct BadRow {
  const char* name;
  void (*spoil)(RolloutWorld&);
  bool unit_fault;
  const char* reason;
};

class BadCanaryTest : public testing::TestWithParam<BadRow> {};

TEST_P(BadCanaryTest, SendsEveryTouchedRobotBack) {
  RolloutWorld world(2);
  ASSERT_TRUE(world.RunUntilPhase(v1::TRIAL));
  world.now_ms += 500;
  world.ReportAll();
  world.fleet["r0"].observed.mutable_control()->mutable_candidate()->set_ticks(100);
  GetParam().spoil(world);

  const auto actions = world.Step();

  ASSERT_EQ(world.state.phase(), v1::ABORTING);
  EXPECT_THAT(world.state.reason(), HasSubstr(GetParam().reason));
  const auto orders = Of<SetDesired>(actions);
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0].robot, "r0");
  EXPECT_EQ(orders[0].digest, kOld);
  EXPECT_TRUE(orders[0].rollback);
  EXPECT_EQ(Of<OpenIncident>(actions).size(), 1u);
  EXPECT_EQ(Of<HoldUnit>(actions).size(), GetParam().unit_fault ? 1u : 0u);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BadCanaryTest,
    testing::Values(
        BadRow{"Clamps",
               [](RolloutWorld& w) { w.Control("r0").mutable_candidate()->set_clamped(11); }, true,
               "clamped 11 of 100 commands in trial (11.0 %, limit 10.0 %)"},
        BadRow{
            "Misses",
            [](RolloutWorld& w) { w.Control("r0").mutable_candidate()->set_deadline_misses(11); },
            true, "missed the deadline on 11 of 100 ticks"},
        BadRow{
            "FallsBack",
            [](RolloutWorld& w) { w.Control("r0").mutable_candidate()->set_fallback_episodes(1); },
            true, "left the nominal state 1 times"},
        BadRow{"NotFinite",
               [](RolloutWorld& w) { w.Control("r0").mutable_candidate()->set_nonfinite(1); }, true,
               "not finite"},
        BadRow{"Fails",
               [](RolloutWorld& w) {
                 w.Control("r0").set_candidate_state(v1::CANDIDATE_FAILED);
                 w.Control("r0").set_candidate_reason("policy_saturated");
               },
               true, "reports the unit failed: policy_saturated"},
        BadRow{"Quarantined",
               [](RolloutWorld& w) {
                 v1::Quarantined* entry = w.Control("r0").add_quarantine();
                 entry->set_digest(kNew);
                 entry->set_reason("3 attempts");
               },
               true, "has quarantined the unit: 3 attempts"},
        BadRow{"RolledBack",
               [](RolloutWorld& w) {
                 w.fleet["r0"].observed.set_lifecycle(v1::ROLLED_BACK);
                 w.fleet["r0"].observed.set_reason("lease ran out");
               },
               true, "went back from the unit by itself: lease ran out"},
        BadRow{"RefusedBeforeItWasLoaded",
               [](RolloutWorld& w) {
                 w.fleet["r0"].observed.set_lifecycle(v1::REFUSED);
                 w.fleet["r0"].observed.set_reason("the bytes that came hash to 12");
               },
               false, "refused the unit: the bytes that came hash to 12"},
        BadRow{"RefusedBecauseItFailed",
               [](RolloutWorld& w) {
                 w.fleet["r0"].observed.set_lifecycle(v1::REFUSED);
                 w.fleet["r0"].failed_digest = kNew;
               },
               true, "refused the unit"},
        BadRow{"RefusedInQuarantine",
               [](RolloutWorld& w) {
                 w.fleet["r0"].observed.set_lifecycle(v1::REFUSED);
                 w.Control("r0").add_quarantine()->set_digest(kNew);
               },
               true, "refused the unit"},
        BadRow{"Silent", [](RolloutWorld& w) { w.now_ms += 5'001; }, false,
               "silent for 5.0 s (limit 5.0 s)"}),
    [](const auto& row) { return row.param.name; });

TEST(RolloutStepTest, ExactlyAtTheLimitIsHealthy) {
  RolloutWorld world(1);
  ASSERT_TRUE(world.RunUntilPhase(v1::TRIAL));
  world.now_ms += 500;
  world.ReportAll();
  v1::UnitHealth* health = world.Control("r0").mutable_candidate();
  health->set_ticks(100);
  health->set_clamped(10);
  health->set_deadline_misses(10);
  world.Step();

  EXPECT_EQ(world.state.phase(), v1::TRIAL);
  EXPECT_NE(world.state.robots(0).healthy_since_ms(), 0);
}

TEST(RolloutStepTest, AStaleReportOfAnEarlierAttemptDecidesNothing) {
  RolloutWorld world(1);
  world.fleet["r0"].observed.set_lifecycle(v1::REFUSED);
  world.fleet["r0"].observed.set_candidate_digest(kNew);
  world.Step();  // told, generation 1; the report still speaks of generation 0
  world.Step();

  EXPECT_EQ(world.state.phase(), v1::SHADOW);
}

TEST(RolloutStepTest, AReleasedUnitsOldQuarantineIsNotHeldAgainstIt) {
  RolloutWorld world(1);
  world.Step();
  world.fleet["r0"].desired.set_release_quarantine(true);
  world.Report("r0");
  v1::Quarantined* entry = world.Control("r0").add_quarantine();
  entry->set_digest(kNew);
  world.Step();

  EXPECT_EQ(world.state.phase(), v1::SHADOW);
}

TEST(RolloutStepTest, IsAbortedOnlyWhenTheRobotReportsItsPreviousUnitRunning) {
  RolloutWorld world(1);
  ASSERT_TRUE(world.RunUntilPhase(v1::TRIAL));
  world.RunUntil(1, [] { return false; });  // it drives now
  const auto next = gatekeeper::rollout::Abort(world.state, "mara saw it wobble", world.now_ms);
  world.state = next.state;
  world.Carry(next.actions);

  world.now_ms += 100'000;  // nothing is heard
  world.Step();
  EXPECT_EQ(world.state.phase(), v1::ABORTING);

  world.fleet["r0"].observed.set_generation(world.fleet["r0"].desired.generation());
  world.Step();  // taken in, but the new unit still drives
  EXPECT_EQ(world.state.phase(), v1::ABORTING);

  world.ReportAll();
  world.Step();
  EXPECT_EQ(world.state.phase(), v1::ABORTED);
  EXPECT_EQ(world.state.reason(), "mara saw it wobble");
}

TEST(RolloutStepTest, NamesTheRobotsThatCannotBeReachedWhileAborting) {
  RolloutWorld world(3);
  ASSERT_TRUE(world.RunUntilWave(1, v1::TRIAL));
  const auto next = gatekeeper::rollout::Abort(world.state, "stop", world.now_ms);
  world.state = next.state;
  world.Carry(next.actions);
  world.fleet["r2"].connected = false;

  EXPECT_EQ(gatekeeper::rollout::WaitingFor(world.state, world.fleet, world.now_ms),
            "on their way back: r0, r1; unreachable: r2");
}

TEST(RolloutStepTest, ARobotThatIsAwayStaysUntouchedAndIsWaitedForUntilTheStepDeadline) {
  RolloutWorld world(2);
  world.fleet["r1"].connected = false;
  ASSERT_TRUE(world.RunUntilWave(1, v1::SHADOW));

  world.RunUntil(22, [] { return false; });
  EXPECT_EQ(world.state.phase(), v1::SHADOW);
  EXPECT_EQ(gatekeeper::rollout::WaitingFor(world.state, world.fleet, world.now_ms),
            "r1 is not connected");
  world.RunUntil(3, [] { return false; });

  EXPECT_EQ(world.state.phase(), v1::ABORTED);
  EXPECT_THAT(world.state.reason(), HasSubstr("(limit 23.0 s): r1 is not connected"));
  EXPECT_EQ(world.fleet["r0"].observed.control().running_digest(), kOld);
  EXPECT_EQ(world.fleet["r1"].desired.generation(), 0u);
}

TEST(RolloutStepTest, ARobotThatComesBackInTimeTakesPart) {
  RolloutWorld world(2);
  world.fleet["r1"].connected = false;
  ASSERT_TRUE(world.RunUntilWave(1, v1::SHADOW));
  world.RunUntil(10, [] { return false; });

  world.fleet["r1"].connected = true;

  EXPECT_TRUE(world.RunUntilPhase(v1::DONE));
}

TEST(RolloutStepTest, ACommittedRobotOfAnEarlierWaveThatGoesBackAbortsAll) {
  RolloutWorld world(3);
  ASSERT_TRUE(world.RunUntilWave(1, v1::TRIAL));
  world.now_ms += 500;
  world.ReportAll();
  world.Control("r0").mutable_pointer()->set_committed_digest(kOld);
  world.Control("r0").set_running_digest(kOld);

  const auto orders = Of<SetDesired>(world.Step());

  EXPECT_EQ(world.state.phase(), v1::ABORTING);
  EXPECT_THAT(world.state.reason(), HasSubstr("r0 went back to aaaaaaaaaaaa after the commit"));
  EXPECT_EQ(orders.size(), 3u);
}

TEST(RolloutStepTest, ARobotThatRunsTheUnitAlreadyIsNotShadowedAgainstItself) {
  RolloutWorld world(1, kNew);

  const auto orders = Of<SetDesired>(world.Step());

  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0].stage, v1::STAGE_COMMIT);
  EXPECT_TRUE(world.RunUntilPhase(v1::DONE));
}

TEST(RolloutStepTest, AFirstUnitThatIsAbortedInShadowLeavesTheRobotWithItsRules) {
  RolloutWorld world(1, "");
  world.Step();
  world.RunUntil(1, [] { return false; });
  const auto next = gatekeeper::rollout::Abort(world.state, "stop", world.now_ms);
  world.state = next.state;
  world.Carry(next.actions);

  EXPECT_EQ(world.fleet["r0"].desired.stage(), v1::STAGE_IDLE);
  world.ReportAll();
  world.Step();
  EXPECT_EQ(world.state.phase(), v1::ABORTED);
}

TEST(RolloutStepTest, ARestartedGatekeeperBeginsStretchesAnewAndGivesRobotsTimeToReturn) {
  RolloutWorld world(1);
  ASSERT_TRUE(world.RunUntilPhase(v1::TRIAL));
  world.RunUntil(3, [] { return false; });
  world.now_ms = 5'000;  // another clock
  world.state = gatekeeper::rollout::Resume(world.state, world.now_ms);
  world.fleet["r0"].report_ms = world.fleet["r0"].tick_ms = -1;

  world.now_ms += 4'000;
  world.Step();
  EXPECT_EQ(world.state.phase(), v1::TRIAL);
  EXPECT_EQ(world.state.robots(0).healthy_since_ms(), 0);

  EXPECT_TRUE(world.RunUntilPhase(v1::DONE));
}

TEST(RolloutStepTest, FinalPhasesStayWhatTheyAre) {
  for (const auto phase : {v1::DONE, v1::ABORTED, v1::SUPERSEDED}) {
    RolloutWorld world(1);
    world.state.set_phase(phase);
    EXPECT_TRUE(world.Step().empty());
    EXPECT_TRUE(gatekeeper::rollout::Abort(world.state, "x", world.now_ms).actions.empty());
    EXPECT_EQ(gatekeeper::rollout::Supersede(world.state, "x", world.now_ms).phase(), phase);
  }
}

TEST(RolloutStepTest, ARollbackTakesOverFromEveryPhaseUnderWay) {
  for (const auto phase : {v1::SHADOW, v1::TRIAL, v1::COMMITTING, v1::SOAK, v1::ABORTING}) {
    RolloutWorld world(1);
    world.state.set_phase(phase);
    const auto state = gatekeeper::rollout::Supersede(world.state, "rolled back", world.now_ms);
    EXPECT_EQ(state.phase(), v1::SUPERSEDED);
    EXPECT_EQ(state.reason(), "rolled back");
  }
}

}  // namespace
