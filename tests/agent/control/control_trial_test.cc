#include <gmock/gmock.h>

#include <cmath>

#include "tests/agent/control/control_fixture.h"
#include "tests/support/status_matchers.h"

namespace tests {
namespace {

using std::chrono::nanoseconds;
using ::testing::Contains;
using ::testing::HasSubstr;

class TrialTest : public ControlTest {
 protected:
  TrialTest() { Commit(a_); }

  v1::Command TickAt(Nanos now) {
    core_->Tick(now);
    return core_->CommandFor(0);
  }
};

TEST_F(TrialTest, LetsTheCandidateDriveUntilTheLastNanosecondOfItsLease) {
  const Nanos begun = clock_.Now();
  Order(v1::STAGE_TRIAL, b_);

  EXPECT_EQ(TickAt(begun + milliseconds(1000) - nanoseconds(1)).unit_digest(), b_);
  EXPECT_EQ(TickAt(begun + milliseconds(1000)).unit_digest(), a_);
}

TEST_F(TrialTest, GoesBackWithoutQuarantineWhenTheLeaseRunsOut) {
  Order(v1::STAGE_TRIAL, b_);

  EXPECT_EQ(Steps(25).unit_digest(), a_);

  const v1::ControlReport report = Report();
  EXPECT_EQ(report.candidate_state(), v1::CANDIDATE_READY);
  EXPECT_THAT(report.candidate_reason(), HasSubstr("lease"));
  EXPECT_EQ(report.pointer().phase(), v1::COMMITTED);
  EXPECT_EQ(report.pointer().attempts(), 1);
  EXPECT_EQ(report.quarantine_size(), 0);
  EXPECT_THAT(Kinds(), Contains("rolled_back"));
}

TEST_F(TrialTest, RenewsTheLeaseWithEveryRepeatOfTheOrder) {
  const v1::ControlOrder order = OrderFor(v1::STAGE_TRIAL, b_);
  for (int i = 0; i < 10; ++i) {
    Apply(order);
    ASSERT_EQ(Steps(15).unit_digest(), b_) << i;
  }
  EXPECT_EQ(Report().pointer().attempts(), 1);
}

TEST_F(TrialTest, BeginsNoTrialWhoseLeaseRanOutWhileTheUnitLoaded) {
  source_->slow[b_] = 1;
  Order(v1::STAGE_TRIAL, b_);
  Steps(20);
  source_->slow.clear();

  EXPECT_EQ(Steps(2).unit_digest(), a_);

  EXPECT_EQ(Report().candidate_state(), v1::CANDIDATE_READY);
  EXPECT_EQ(Report().pointer().attempts(), 0);
}

TEST_F(TrialTest, RevertsAndQuarantinesByItselfWhenTheModelIsAtFault) {
  Order(v1::STAGE_TRIAL, b_);
  Steps(3);
  source_->ScriptOf(b_)->vx_mps = std::nanf("");

  const v1::Command faulty = Step();
  EXPECT_TRUE(std::isfinite(faulty.values(0)));
  EXPECT_EQ(Step().unit_digest(), a_);

  const v1::ControlReport report = Report();
  EXPECT_EQ(report.candidate_state(), v1::CANDIDATE_FAILED);
  ASSERT_EQ(report.quarantine_size(), 1);
  EXPECT_EQ(report.quarantine(0).digest(), b_);
  EXPECT_THAT(report.quarantine(0).reason(), HasSubstr("nonfinite"));
  EXPECT_EQ(report.pointer().phase(), v1::COMMITTED);
  EXPECT_EQ(report.fallback_state(), "NOMINAL");
}

TEST_F(TrialTest, CountsOnlyWhatTheCandidateDrove) {
  const v1::ControlOrder order = OrderFor(v1::STAGE_TRIAL, b_);
  Apply(order);
  Steps(10);
  ASSERT_EQ(Report().candidate().ticks(), 10);

  estop_pressed_ = true;
  Steps(9);
  Apply(order);
  Steps(15);

  EXPECT_EQ(Report().candidate_state(), v1::CANDIDATE_ON_TRIAL);
  EXPECT_EQ(Report().candidate().ticks(), 10);
}

TEST_F(TrialTest, HoldsNoMissAgainstAUnitThatStands) {
  const uint64_t driven = Report().active().ticks();
  source_->ScriptOf(a_)->outcome = RunOutcome::kDeadlineMissed;
  Step();
  EXPECT_EQ(Report().active().ticks(), driven + 1);
  EXPECT_EQ(Report().active().deadline_misses(), 1);
  source_->ScriptOf(a_)->outcome = RunOutcome::kDone;
  Step();
  estop_pressed_ = true;
  Steps(10);

  source_->ScriptOf(a_)->outcome = RunOutcome::kDeadlineMissed;
  Step();

  EXPECT_EQ(Report().active().deadline_misses(), 1);
}

TEST_F(TrialTest, RevertsWhenTheWorkerOfTheCandidateIsLost) {
  Order(v1::STAGE_TRIAL, b_);
  Steps(3);
  source_->Lose(b_, "killed by signal 9");

  EXPECT_EQ(Steps(2).unit_digest(), a_);

  EXPECT_EQ(Report().quarantine_size(), 1);
}

TEST_F(TrialTest, RefusesAQuarantinedUnitOverRestartsUntilItIsReleasedByName) {
  source_->ScriptOf(b_)->vx_mps = std::nanf("");
  Order(v1::STAGE_TRIAL, b_);
  Steps(3);
  Start();
  Steps(2);

  EXPECT_EQ(Order(v1::STAGE_TRIAL, b_).candidate_state(), v1::CANDIDATE_FAILED);
  EXPECT_THAT(Report().candidate_reason(), HasSubstr("quarantined"));

  v1::ControlOrder release = OrderFor(v1::STAGE_TRIAL, b_);
  release.set_release_quarantine(true);
  EXPECT_EQ(Apply(release).candidate_state(), v1::CANDIDATE_ON_TRIAL);
  EXPECT_EQ(Report().quarantine_size(), 0);
}

TEST_F(TrialTest, ReleasesOnlyOnceHoweverOftenTheOrderIsRepeated) {
  source_->ScriptOf(b_)->vx_mps = std::nanf("");
  v1::ControlOrder order = OrderFor(v1::STAGE_TRIAL, b_);
  order.set_release_quarantine(true);
  Apply(order);
  Steps(3);
  ASSERT_EQ(Report().quarantine_size(), 1);

  EXPECT_EQ(Apply(order).candidate_state(), v1::CANDIDATE_FAILED);
  Start();

  EXPECT_EQ(Apply(order).candidate_state(), v1::CANDIDATE_FAILED);
}

TEST_F(TrialTest, QuarantinesAtTheFourthAttempt) {
  for (uint32_t attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_EQ(Order(v1::STAGE_TRIAL, b_).candidate_state(), v1::CANDIDATE_ON_TRIAL);
    ASSERT_EQ(Report().pointer().attempts(), attempt);
    Order(v1::STAGE_WARM, b_);
  }

  EXPECT_EQ(Order(v1::STAGE_TRIAL, b_).candidate_state(), v1::CANDIDATE_FAILED);

  EXPECT_EQ(Report().quarantine_size(), 1);
  EXPECT_EQ(Step().unit_digest(), a_);
}

TEST_F(TrialTest, BurnsTheAttemptOfATrialThatARestartEnded) {
  for (uint32_t attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_EQ(Order(v1::STAGE_TRIAL, b_).candidate_state(), v1::CANDIDATE_ON_TRIAL);
    Start();
    ASSERT_EQ(Steps(2).unit_digest(), a_);
    ASSERT_EQ(Report().pointer().phase(), v1::COMMITTED);
    ASSERT_EQ(Report().pointer().attempts(), attempt);
  }
  EXPECT_EQ(Order(v1::STAGE_TRIAL, b_).candidate_state(), v1::CANDIDATE_FAILED);
}

TEST_F(TrialTest, RefusesATrialThatCannotBeWrittenDownAndDrivesOn) {
  Order(v1::STAGE_WARM, b_);
  files_.FailOverwrites(true);

  const v1::ControlReport report = Order(v1::STAGE_TRIAL, b_);

  EXPECT_EQ(report.candidate_state(), v1::CANDIDATE_READY);
  EXPECT_THAT(report.candidate_reason(), HasSubstr("cannot be written down"));
  EXPECT_EQ(report.pointer().phase(), v1::COMMITTED);
  EXPECT_EQ(Steps(3).unit_digest(), a_);
  files_.FailOverwrites(false);
  EXPECT_EQ(Order(v1::STAGE_TRIAL, b_).candidate_state(), v1::CANDIDATE_ON_TRIAL);
}

TEST_F(TrialTest, RefusesATrialOnADiskThatWasFullFromTheStart) {
  CrashFiles full;
  full.FillDisk();
  ScriptedSource source;
  agent::control::ControlCore core("state", full, clock_, source);

  core.Apply(OrderFor(v1::STAGE_TRIAL, b_), clock_.Now());
  core.Poll(clock_.Now());

  const v1::ControlReport report = core.Report(clock_.Now());
  EXPECT_EQ(report.candidate_state(), v1::CANDIDATE_READY);
  EXPECT_THAT(report.candidate_reason(), HasSubstr("No space left"));
}

TEST_F(TrialTest, LetsNoQuarantinedUnitStandBy) {
  Commit(b_);  // last-good is a
  source_->ScriptOf(a_)->vx_mps = std::nanf("");
  Order(v1::STAGE_TRIAL, a_);
  Steps(3);
  ASSERT_EQ(Report().quarantine_size(), 1);
  const int runs = source_->ScriptOf(a_)->runs;

  source_->ScriptOf(b_)->vx_mps = std::nanf("");
  Steps(5);

  EXPECT_EQ(source_->ScriptOf(a_)->runs, runs);
  EXPECT_EQ(Report().fallback_state(), "SAFE_STOPPED");
}

TEST_F(TrialTest, CommitsAndRollsBackOnAFullDisk) {
  files_.FillDisk();

  Order(v1::STAGE_TRIAL, b_);
  EXPECT_EQ(Order(v1::STAGE_COMMIT, b_).candidate_state(), v1::CANDIDATE_COMMITTED);
  EXPECT_EQ(Order(v1::STAGE_COMMIT, a_).candidate_state(), v1::CANDIDATE_COMMITTED);

  EXPECT_EQ(Step().unit_digest(), a_);
}

TEST_F(TrialTest, StaysOnTrialWhileTheCommitCannotBeWrittenAndEndsItWithTheLease) {
  Order(v1::STAGE_TRIAL, b_);
  files_.FailOverwrites(true);

  const v1::ControlReport report = Order(v1::STAGE_COMMIT, b_);
  EXPECT_EQ(report.candidate_state(), v1::CANDIDATE_ON_TRIAL);
  EXPECT_THAT(report.candidate_reason(), HasSubstr("cannot be written down"));

  EXPECT_EQ(Steps(25).unit_digest(), a_);
}

TEST_F(TrialTest, KeepsTheQuarantineInMindWhenItCannotBeWritten) {
  source_->ScriptOf(b_)->vx_mps = std::nanf("");
  Order(v1::STAGE_TRIAL, b_);
  files_.FillDisk();
  Steps(3);
  EXPECT_EQ(Report().quarantine_size(), 1);
  EXPECT_THAT(Kinds(), Contains("state_not_saved"));

  files_.FillDisk(false);
  Steps(25);
  Start();

  EXPECT_EQ(Report().quarantine_size(), 1);
}

TEST_F(TrialTest, BeginsNoTrialWhileAnEmergencyStopWaits) {
  estop_pressed_ = true;
  Steps(40);
  ASSERT_TRUE(Report().latched());

  EXPECT_EQ(Order(v1::STAGE_TRIAL, b_).candidate_state(), v1::CANDIDATE_READY);

  EXPECT_THAT(Report().candidate_reason(), HasSubstr("emergency stop"));
  EXPECT_EQ(Report().pointer().attempts(), 0);
}

TEST_F(TrialTest, GivesTheTrialOfTheFirstUnitBackToTheRulesAlone) {
  CrashFiles empty;
  ScriptedSource source;
  agent::control::ControlCore core("state", empty, clock_, source);
  core.Apply(OrderFor(v1::STAGE_TRIAL, b_), clock_.Now());
  core.Poll(clock_.Now());
  core.Tick(clock_.Now());
  ASSERT_EQ(core.Report(clock_.Now()).candidate_state(), v1::CANDIDATE_ON_TRIAL);

  core.Apply(OrderFor(v1::STAGE_IDLE, ""), clock_.Now());
  core.Tick(clock_.Now() + milliseconds(50));

  EXPECT_EQ(core.Report(clock_.Now()).pointer().phase(), v1::EMPTY);
  EXPECT_TRUE(core.CommandFor(0).stop());
}

}  // namespace
}  // namespace tests
