#include <chrono>

#include "agent/trust/manifest.h"
#include "agent/trust/unit.h"
#include "gmock/gmock.h"
#include "tests/agent/lifecycle/robot_fixture.h"
#include "tests/support/status_matchers.h"

namespace {

using namespace tests;  // NOLINT: fixtures and proto alias
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class AgentTest : public testing::Test {
 protected:
  Robot robot_;
};

TEST_F(AgentTest, ClimbsStageByStageToTheCommitAndLeavesNothingLyingAbout) {
  robot_.gatekeeper.Publish(Unit("1.0.0"));
  robot_.gatekeeper.Want(Unit("1.0.0"), v1::STAGE_COMMIT);

  ASSERT_TRUE(robot_.Reaches("Committed"));
  robot_.Turns(12);

  EXPECT_THAT(robot_.control.Stages(),
              ElementsAre(v1::STAGE_IDLE, v1::STAGE_WARM, v1::STAGE_SHADOW, v1::STAGE_TRIAL,
                          v1::STAGE_COMMIT, v1::STAGE_IDLE));
  EXPECT_EQ(robot_.gatekeeper.observed.lifecycle(), v1::UNIT_COMMITTED);
  EXPECT_EQ(robot_.gatekeeper.observed.control().running_digest(), Unit("1.0.0").digest);
  EXPECT_THAT(robot_.gatekeeper.EventKinds(),
              ElementsAre("staged", "shadow_started", "trial_started", "committed"));
  EXPECT_EQ(robot_.CountIn("blobs"), 0u);
  EXPECT_EQ(robot_.CountIn("slots"), 1u);
}

TEST_F(AgentTest, GoesNoFurtherThanTheDirectiveSays) {
  robot_.gatekeeper.Publish(Unit("1.0.0"));
  robot_.gatekeeper.Want(Unit("1.0.0"), v1::STAGE_SHADOW);
  ASSERT_TRUE(robot_.Reaches("Shadowing"));
  robot_.Turns(50);
  EXPECT_EQ(robot_.StateName(), "Shadowing");

  robot_.gatekeeper.Want(Unit("1.0.0"), v1::STAGE_TRIAL);
  ASSERT_TRUE(robot_.Reaches("Trying"));
  robot_.Turns(100);
  EXPECT_EQ(robot_.StateName(), "Trying");
  EXPECT_EQ(robot_.control.trials, 1);

  robot_.gatekeeper.Want(Unit("1.0.0"), v1::STAGE_SHADOW);
  ASSERT_TRUE(robot_.Reaches("Shadowing"));
  robot_.Turns(3);
  EXPECT_FALSE(robot_.control.on_trial());
}

TEST_F(AgentTest, RefusesADirectiveOlderThanTheNewestAndSaysSoOnce) {
  robot_.Runs(Unit("1.0.0"));
  v1::ServerMessage old;
  *old.mutable_desired() = robot_.gatekeeper.desired();
  old.mutable_desired()->set_generation(0);
  old.mutable_desired()->set_unit_digest(Unit("1.1.0").digest);

  for (int i = 0; i < 5; ++i) robot_.agent->OnServer(old, robot_.clock.Now());
  robot_.Turns(3);

  EXPECT_EQ(robot_.agent->lifecycle().desired.unit_digest(), Unit("1.0.0").digest);
  EXPECT_EQ(robot_.gatekeeper.observed.generation(), 1u);
  EXPECT_THAT(robot_.gatekeeper.EventKinds(), Contains("stale_directive").Times(1));
}

TEST_F(AgentTest, RefusesADirectiveWhoseDigestIsNone) {
  robot_.gatekeeper.Want(Unit("1.0.0"), v1::STAGE_COMMIT,
                         [](v1::DesiredState& d) { d.set_unit_digest("../../etc"); });
  robot_.Turns(3);

  EXPECT_EQ(robot_.StateName(), "Refused");
  EXPECT_THAT(robot_.gatekeeper.observed.reason(), HasSubstr("'../../etc' is not a SHA-256"));
}

TEST_F(AgentTest, RollsBackToLastGoodAtOnceWithoutDownloadShadowOrTrial) {
  robot_.Runs(Unit("1.0.0"));
  robot_.Runs(Unit("1.1.0"));
  robot_.gatekeeper.Want(Unit("1.0.0"), v1::STAGE_COMMIT,
                         [](v1::DesiredState& d) { d.set_rollback(true); });

  robot_.Turn();
  EXPECT_EQ(robot_.control.orders.back().stage(), v1::STAGE_COMMIT);
  ASSERT_TRUE(robot_.Reaches("Committed"));
  robot_.Turns(2);

  EXPECT_EQ(robot_.gatekeeper.observed.control().running_digest(), Unit("1.0.0").digest);
  EXPECT_THAT(robot_.control.Stages(), ElementsAre(v1::STAGE_COMMIT, v1::STAGE_IDLE));
  EXPECT_THAT(robot_.gatekeeper.fetched, IsEmpty());
}

TEST_F(AgentTest, RefusesToRollBackToAUnitThatIsNotHere) {
  robot_.Runs(Unit("1.0.0"));
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_COMMIT,
                         [](v1::DesiredState& d) { d.set_rollback(true); });
  robot_.Turns(3);

  EXPECT_EQ(robot_.StateName(), "Refused");
  EXPECT_THAT(robot_.gatekeeper.observed.reason(), HasSubstr("nav@1.1.0, which has no slot"));
  EXPECT_EQ(robot_.control.pointer().committed_digest(), Unit("1.0.0").digest);
}

TEST_F(AgentTest, RefusesToRollBackToAUnitThatIsStagedButNeverWasInService) {
  robot_.Runs(Unit("1.0.0"));
  robot_.gatekeeper.Publish(Unit("1.1.0"));
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_SHADOW);
  ASSERT_TRUE(robot_.Reaches("Shadowing"));

  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_COMMIT,
                         [](v1::DesiredState& d) { d.set_rollback(true); });
  ASSERT_TRUE(robot_.Reaches("Refused"));

  EXPECT_THAT(robot_.agent->Observed().reason(), HasSubstr("never in service on this robot"));
  EXPECT_EQ(robot_.control.pointer().committed_digest(), Unit("1.0.0").digest);
}

TEST_F(AgentTest, EndsATrialWhenTheCommittedUnitIsWantedAgain) {
  robot_.Runs(Unit("1.0.0"));
  robot_.gatekeeper.Publish(Unit("1.1.0"));
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_TRIAL);
  ASSERT_TRUE(robot_.Reaches("Trying"));

  robot_.gatekeeper.Want(Unit("1.0.0"), v1::STAGE_COMMIT);
  robot_.Turn();
  EXPECT_EQ(robot_.StateName(), "Returning");
  EXPECT_EQ(robot_.control.orders.back().stage(), v1::STAGE_IDLE);
  ASSERT_TRUE(robot_.Reaches("Committed"));

  EXPECT_FALSE(robot_.control.on_trial());
  EXPECT_EQ(robot_.control.pointer().committed_digest(), Unit("1.0.0").digest);
}

TEST_F(AgentTest, LeaseDiesWithTheLinkNoLaterThanItsOwnLengthAfterTheLastWord) {
  robot_.Runs(Unit("1.0.0"));
  robot_.gatekeeper.Publish(Unit("1.1.0"));
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_TRIAL);
  ASSERT_TRUE(robot_.Reaches("Trying"));
  robot_.Turns(50);
  ASSERT_TRUE(robot_.control.on_trial());

  robot_.gatekeeper.Tell();  // its last word
  robot_.Turn();
  robot_.gatekeeper.connected = false;
  robot_.Turns(28);  // of a lease of 3 s
  EXPECT_TRUE(robot_.control.on_trial());
  EXPECT_FALSE(robot_.control.orders.back().link_up());
  robot_.Turns(3);
  EXPECT_FALSE(robot_.control.on_trial());
  EXPECT_EQ(robot_.StateName(), "Armed");

  const size_t ended = robot_.control.orders.size();
  robot_.Turns(100);
  for (size_t i = ended; i < robot_.control.orders.size(); ++i) {
    EXPECT_NE(robot_.control.orders[i].stage(), v1::STAGE_TRIAL);
  }
  robot_.gatekeeper.connected = true;
  ASSERT_TRUE(robot_.Reaches("Trying"));
  EXPECT_EQ(robot_.control.pointer().attempts(), 2u);
}

TEST_F(AgentTest, ReportsAFaultedTrialAsRolledBackAndRefusesTheUnitUntilItIsReleased) {
  robot_.Runs(Unit("1.0.0"));
  robot_.gatekeeper.Publish(Unit("1.1.0"));
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_TRIAL);
  ASSERT_TRUE(robot_.Reaches("Trying"));

  robot_.control.Fault("policy_saturated");
  ASSERT_TRUE(robot_.Reaches("RolledBack"));
  robot_.Turns(2);
  EXPECT_EQ(robot_.gatekeeper.observed.lifecycle(), v1::ROLLED_BACK);
  EXPECT_EQ(robot_.gatekeeper.observed.reason(), "policy_saturated");
  EXPECT_EQ(robot_.gatekeeper.observed.control().running_digest(), Unit("1.0.0").digest);

  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_COMMIT);
  robot_.Turn();
  ASSERT_TRUE(robot_.Reaches("Refused"));
  EXPECT_THAT(robot_.agent->Observed().reason(), HasSubstr("quarantine: policy_saturated"));

  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_COMMIT,
                         [](v1::DesiredState& d) { d.set_release_quarantine(true); });
  ASSERT_TRUE(robot_.Reaches("Committed"));
}

TEST_F(AgentTest, QuarantineOutlivesAWipedControlFolder) {
  robot_.Runs(Unit("1.0.0"));
  robot_.gatekeeper.Publish(Unit("1.1.0"));
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_TRIAL);
  ASSERT_TRUE(robot_.Reaches("Trying"));
  robot_.control.Fault("nonfinite");
  ASSERT_TRUE(robot_.Reaches("RolledBack"));

  robot_.control.~FakeControl();
  new (&robot_.control) FakeControl(robot_.fuse, robot_.clock);
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_COMMIT);

  ASSERT_TRUE(robot_.Reaches("Refused"));
}

TEST_F(AgentTest, WithoutControlItStagesAndReportsAndGoesOnWhenControlComes) {
  robot_.control.there = false;
  robot_.gatekeeper.Publish(Unit("1.0.0"));
  robot_.gatekeeper.Want(Unit("1.0.0"), v1::STAGE_COMMIT);

  ASSERT_TRUE(robot_.Reaches("Staged"));
  robot_.Turns(20);
  EXPECT_EQ(robot_.StateName(), "Staged");
  EXPECT_FALSE(robot_.gatekeeper.observed.has_control());
  EXPECT_EQ(robot_.gatekeeper.observed.reason(), "gatekeeper-control does not answer");

  robot_.control.there = true;
  ASSERT_TRUE(robot_.Reaches("Committed"));
}

TEST_F(AgentTest, GoesThroughTheStagesAgainWhenControlWasKilledInTheTrial) {
  robot_.Runs(Unit("1.0.0"));
  robot_.gatekeeper.Publish(Unit("1.1.0"));
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_TRIAL);
  ASSERT_TRUE(robot_.Reaches("Trying"));

  robot_.control.there = false;
  robot_.Turn();
  robot_.control.Restart();
  robot_.control.there = true;
  robot_.Turns(2);
  EXPECT_NE(robot_.StateName(), "Trying");

  ASSERT_TRUE(robot_.Reaches("Trying"));
  EXPECT_EQ(robot_.control.pointer().attempts(), 2u);
}

TEST_F(AgentTest, ARestartOfTheAgentDoesNotEndATrial) {
  robot_.Runs(Unit("1.0.0"));
  robot_.gatekeeper.Publish(Unit("1.1.0"));
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_TRIAL);
  ASSERT_TRUE(robot_.Reaches("Trying"));

  robot_.gatekeeper.connected = false;
  robot_.Kill();
  robot_.control.orders.clear();
  robot_.Boot();
  robot_.Turns(10);
  EXPECT_EQ(robot_.StateName(), "Trying");
  EXPECT_THAT(robot_.control.orders, IsEmpty());

  robot_.gatekeeper.connected = true;
  robot_.Turns(30);
  EXPECT_EQ(robot_.StateName(), "Trying");
  EXPECT_EQ(robot_.control.pointer().attempts(), 1u);
}

TEST_F(AgentTest, RefusesAUnitWhoseFileIsNotWhatTheManifestSays) {
  robot_.Runs(Unit("1.0.0"));
  robot_.gatekeeper.Publish(Unit("1.1.0"));
  robot_.gatekeeper.Tamper(agent::trust::Sha256("model of 1.1.0").hex());
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_COMMIT);

  ASSERT_TRUE(robot_.Reaches("Refused"));
  EXPECT_THAT(robot_.agent->Observed().reason(), HasSubstr("model/model.onnx"));
  EXPECT_FALSE(robot_.HasSlot(Unit("1.1.0")));
  EXPECT_THAT(robot_.control.Stages(), Each(v1::STAGE_IDLE));
}

TEST_F(AgentTest, RefusesAUnitBeforeTheDownloadWhenItsSealIsNotTrusted) {
  const SealedUnit foreign = MakeUnit({.version = "6.6.6", .sealing = Sealing::kStrangersKey});
  robot_.gatekeeper.Publish(foreign);
  robot_.gatekeeper.Want(foreign, v1::STAGE_COMMIT);

  ASSERT_TRUE(robot_.Reaches("Refused"));
  EXPECT_THAT(robot_.gatekeeper.fetched, IsEmpty());
}

TEST_F(AgentTest, RefusesAUnitThatGoesByAnotherNameThanTheDirectiveSays) {
  robot_.gatekeeper.Publish(Unit("1.0.0"));
  robot_.gatekeeper.Want(Unit("1.0.0"), v1::STAGE_COMMIT,
                         [](v1::DesiredState& d) { d.set_unit_version("9.0.0"); });

  ASSERT_TRUE(robot_.Reaches("Refused"));
  EXPECT_THAT(robot_.agent->Observed().reason(),
              HasSubstr("nav@9.0.0, its manifest calls it nav@1.0.0"));
}

TEST_F(AgentTest, ResumesADownloadWhereItBroke) {
  robot_.gatekeeper.Publish(Unit("1.0.0"));
  robot_.gatekeeper.chunk = 4;
  robot_.gatekeeper.break_after_bytes = 8;
  robot_.gatekeeper.Want(Unit("1.0.0"), v1::STAGE_COMMIT);

  ASSERT_TRUE(robot_.Reaches("Committed"));

  EXPECT_EQ(robot_.gatekeeper.fetched[0].first, robot_.gatekeeper.fetched[1].first);
  EXPECT_EQ(robot_.gatekeeper.fetched[0].second, 0u);
  EXPECT_EQ(robot_.gatekeeper.fetched[1].second, 8u);
}

TEST_F(AgentTest, ANewDirectiveMakesTheDownloadUnderWayUnwanted) {
  robot_.gatekeeper.Publish(Unit("1.0.0"));
  robot_.gatekeeper.Want(Unit("1.0.0"), v1::STAGE_COMMIT);
  std::optional<agent::lifecycle::Task> download;
  for (int i = 0; i < 20 && !download; ++i) {
    for (const auto& message : robot_.gatekeeper.TakeAnswers()) {
      robot_.agent->OnServer(message, robot_.clock.Now());
    }
    const auto task = robot_.agent->TakeTask(robot_.clock.Now());
    if (!task) continue;
    if (task->kind == agent::lifecycle::TaskKind::kFetchFiles) {
      download = task;
    } else {
      robot_.agent->OnTaskDone(*task, robot_.porter->Run(*task, false), robot_.clock.Now());
    }
  }
  ASSERT_TRUE(download);
  EXPECT_FALSE(robot_.agent->Unwanted(*download));

  robot_.gatekeeper.Publish(Unit("1.1.0"));
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_COMMIT);
  for (const auto& message : robot_.gatekeeper.TakeAnswers()) {
    robot_.agent->OnServer(message, robot_.clock.Now());
  }
  EXPECT_TRUE(robot_.agent->Unwanted(*download));
  EXPECT_THAT(robot_.porter->Run(*download, true),
              StatusIs(absl::StatusCode::kCancelled, testing::_));
  robot_.agent->OnTaskDone(*download, absl::CancelledError(), robot_.clock.Now());

  ASSERT_TRUE(robot_.Reaches("Committed"));
  EXPECT_EQ(robot_.control.pointer().committed_digest(), Unit("1.1.0").digest);
}

TEST_F(AgentTest, KeepsTheCommittedAndTheLastGoodUnitAndNoOther) {
  robot_.Runs(Unit("1.0.0"));
  robot_.Runs(Unit("1.1.0"));
  robot_.Runs(Unit("1.2.0"));
  robot_.Turns(5);

  EXPECT_FALSE(robot_.HasSlot(Unit("1.0.0")));
  EXPECT_TRUE(robot_.HasSlot(Unit("1.1.0")));
  EXPECT_TRUE(robot_.HasSlot(Unit("1.2.0")));
}

TEST_F(AgentTest, AFullDiskRefusesTheNewUnitAndTouchesNothingElse) {
  robot_.Runs(Unit("1.0.0"));
  robot_.files.FillDisk(true);
  robot_.gatekeeper.Publish(Unit("1.1.0"));
  robot_.gatekeeper.Want(Unit("1.1.0"), v1::STAGE_COMMIT);

  ASSERT_TRUE(robot_.Reaches("Refused"));
  EXPECT_THAT(robot_.agent->Observed().reason(), HasSubstr("No space left on device"));
  EXPECT_EQ(robot_.control.pointer().committed_digest(), Unit("1.0.0").digest);
  EXPECT_TRUE(robot_.HasSlot(Unit("1.0.0")));
}

TEST_F(AgentTest, AFirstUnitThatFaultsOnTrialLeavesTheRobotOnRulesOnly) {
  robot_.gatekeeper.Publish(Unit("1.0.0"));
  robot_.gatekeeper.Want(Unit("1.0.0"), v1::STAGE_TRIAL);
  ASSERT_TRUE(robot_.Reaches("Trying"));

  robot_.control.Fault("nonfinite");
  ASSERT_TRUE(robot_.Reaches("SafeFallback"));
  EXPECT_EQ(robot_.agent->Observed().reason(), "nonfinite");
}

}  // namespace
