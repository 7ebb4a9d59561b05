#include <gmock/gmock.h>

#include "tests/agent/control/control_fixture.h"
#include "tests/support/status_matchers.h"

namespace tests {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class StartTest : public ControlTest {
 protected:
  StartTest() {
    Commit(a_);
    Commit(b_);  // last-good is a
  }
  // A life that begins with `digest` not loadable.
  void StartWithout(const std::string& digest) {
    core_.reset();
    source_ = std::make_unique<ScriptedSource>();
    source_->broken[digest] = "no trust.json";
    core_ = std::make_unique<agent::control::ControlCore>("state", files_, clock_, *source_);
  }
};

TEST_F(StartTest, RunsTheCommittedUnitAfterARestart) {
  Start();

  EXPECT_EQ(Steps(2).unit_digest(), b_);
  EXPECT_EQ(Report().pointer().last_good_digest(), a_);
}

TEST_F(StartTest, RunsTheLastGoodWhenTheCommittedUnitCannotBeLoaded) {
  StartWithout(b_);

  EXPECT_EQ(Steps(2).unit_digest(), a_);

  EXPECT_EQ(Report().pointer().committed_digest(), b_);
  EXPECT_THAT(Kinds(), Contains("load_failed"));
}

TEST_F(StartTest, StopsByRulesWhenNeitherUnitCanBeLoadedAndPicksThemUpWhenTheyCan) {
  StartWithout(b_);
  source_->broken[a_] = "no trust.json";
  core_ = std::make_unique<agent::control::ControlCore>("state", files_, clock_, *source_);
  const v1::Command stop = Steps(3);
  EXPECT_TRUE(stop.stop());
  EXPECT_EQ(stop.unit_digest(), "");

  source_->broken.clear();

  EXPECT_EQ(Steps(250).unit_digest(), b_);
}

TEST_F(StartTest, TellsAFailureToLoadOnceHoweverOftenItIsTriedAgain) {
  StartWithout(b_);
  Steps(1000);

  const std::vector<std::string> kinds = Kinds();
  EXPECT_EQ(std::ranges::count(kinds, "load_failed"), 1);
  EXPECT_GT(source_->requests[b_], 4);
  EXPECT_LT(source_->requests[b_], 15);
}

TEST_F(StartTest, RestartsALostWorkerWithoutForgettingTheUnit) {
  source_->Lose(b_, "killed by signal 9");
  // Rules of the unit go on: its fallback drives the previous unit.
  Steps(3);
  EXPECT_EQ(Report().fallback_state(), "PREVIOUS_MODEL");
  EXPECT_EQ(Report().pointer().committed_digest(), b_);

  source_->ScriptOf(b_)->outcome = RunOutcome::kDone;
  Steps(40);

  EXPECT_EQ(Report().fallback_state(), "NOMINAL");
  EXPECT_EQ(Report().running_digest(), b_);
  EXPECT_EQ(source_->requests[b_], 2);
}

TEST_F(StartTest, LetsThePreviousUnitDriveUntilTheLostWorkerIsReplaced) {
  source_->slow[b_] = 1;
  source_->Lose(b_, "killed by signal 9");
  Steps(2);
  for (int i = 0; i < 100; ++i) {
    Step();
    ASSERT_EQ(Report().fallback_state(), "PREVIOUS_MODEL") << i;
    ASSERT_EQ(Report().running_digest(), a_) << i;
  }

  source_->ScriptOf(b_)->outcome = RunOutcome::kDone;
  source_->slow.clear();
  Steps(15);

  EXPECT_EQ(Report().fallback_state(), "NOMINAL");
  EXPECT_EQ(Report().running_digest(), b_);
}

TEST_F(StartTest, LetsLastGoodTakeOverFromALostUnitThatCannotBeLoadedAgain) {
  source_->Lose(b_, "killed by signal 9");
  source_->broken[b_] = "card.yaml does not match its digest";
  Steps(40);
  EXPECT_EQ(Report().running_digest(), a_);
  EXPECT_EQ(Report().pointer().committed_digest(), b_);
  for (int i = 0; i < 1000; ++i) {
    Step();
    ASSERT_EQ(Report().fallback_state(), "NOMINAL") << i;
  }
  EXPECT_EQ(std::ranges::count(Kinds(), "load_failed"), 1);

  source_->ScriptOf(b_)->outcome = RunOutcome::kDone;
  source_->broken.clear();

  EXPECT_EQ(Steps(250).unit_digest(), b_);
}

TEST_F(StartTest, StopsByTheRulesOfALostUnitWhenLastGoodIsLostToo) {
  source_->Lose(b_, "killed by signal 9");
  source_->Lose(a_, "killed by signal 9");
  source_->broken[b_] = source_->broken[a_] = "the disk is gone";

  EXPECT_TRUE(Steps(100).stop());

  EXPECT_EQ(Report().fallback_state(), "SAFE_STOPPED");
}

TEST_F(StartTest, KillsAndRestartsAWorkerThatGivesNoAnswerForTwentyPeriods) {
  source_->ScriptOf(b_)->outcome = RunOutcome::kDeadlineMissed;
  Steps(20);
  EXPECT_EQ(source_->kills, 0);

  Step();
  EXPECT_EQ(source_->kills, 1);
  source_->ScriptOf(b_)->outcome = RunOutcome::kDone;

  EXPECT_EQ(Steps(60).unit_digest(), b_);
  EXPECT_EQ(source_->kills, 1);
}

TEST_F(StartTest, RestartsACrashingWorkerMoreAndMoreSeldom) {
  for (int i = 0; i < 100; ++i) {
    if (source_->ScriptOf(b_)->outcome != RunOutcome::kFailed) {
      source_->Lose(b_, "killed by signal 6");
    }
    source_->ScriptOf(b_)->outcome = RunOutcome::kDone;
    Steps(10);
  }

  EXPECT_LT(source_->requests[b_], 15);
}

TEST_F(StartTest, TakesADamagedPointerForNoUnitAndSaysSo) {
  files_.Damage("state/control/pointer", 20);
  files_.Damage("state/control/pointer", 532);
  Start();

  EXPECT_TRUE(Steps(2).stop());
  EXPECT_EQ(Report().pointer().phase(), v1::EMPTY);
  EXPECT_THAT(Kinds(), Contains("state_damaged"));
}

TEST_F(StartTest, SurvivesOneDamagedSlotOfThePointer) {
  files_.Damage("state/control/pointer", 20);
  Start();
  EXPECT_EQ(Steps(2).unit_digest(), b_);
}

TEST_F(StartTest, TakesADamagedLatchForAnEmergencyStop) {
  files_.Damage("state/control/latch", 20);
  files_.Damage("state/control/latch", 532);
  Start();

  EXPECT_TRUE(Steps(20).stop());
  EXPECT_TRUE(Report().latched());
}

TEST_F(StartTest, ForgetsADamagedQuarantineAloudAndRunsOn) {
  source_->ScriptOf(c_)->vx_mps = std::nanf("");
  Order(v1::STAGE_TRIAL, c_);
  Steps(3);
  files_.Damage("state/control/quarantine", 3);
  Start();

  EXPECT_EQ(Steps(2).unit_digest(), b_);
  EXPECT_THAT(Kinds(), Contains("state_damaged"));
}

}  // namespace
}  // namespace tests
