#include "tests/gatekeeper/server/core_world.h"

namespace {

using absl::StatusCode;
using gatekeeper::server::ReceiptCursor;
using testing::HasSubstr;
using tests::CoreWorld;
using tests::StatusIs;
namespace v1 = gatekeeper::v1;

class FleetRollbackTest : public testing::Test {
 protected:
  FleetRollbackTest() {
    world_.AddFleet("north", 4);
    v100_ = world_.AddUnit("1.0.0");
    v110_ = world_.AddUnit("1.1.0");
    world_.Promote("1.0.0");
  }
  std::map<std::string, std::string> OutcomesOf(const std::string& incident, int64_t wait_ms) {
    ReceiptCursor cursor(incident, world_.now.ms + wait_ms);
    std::map<std::string, std::string> outcomes;
    for (int i = 0; i < 1000 && !cursor.done(); ++i) {
      for (const auto& receipt : world_.Receipts(cursor)) {
        const bool last = receipt.robot().empty();
        outcomes[last ? "summary" : receipt.robot()] =
            last ? (receipt.complete() ? "complete" : "partial") : receipt.outcome();
      }
      world_.Tick();
    }
    return outcomes;
  }

  CoreWorld world_;
  std::string v100_, v110_;
};

using Outcomes = std::map<std::string, std::string>;

TEST_F(FleetRollbackTest, BringsAWholeFleetBackToWhereTheLastRolloutFoundIt) {
  world_.Promote("1.1.0");
  ASSERT_OK_AND_ASSIGN(const std::string incident, world_.Rollback());

  EXPECT_EQ(OutcomesOf(incident, 10'000), (Outcomes{{"north-0", "running"},
                                                    {"north-1", "running"},
                                                    {"north-2", "running"},
                                                    {"north-3", "running"},
                                                    {"summary", "complete"}}));

  for (const auto& [name, robot] : world_.robots) {
    EXPECT_EQ(world_.Running(name), v100_);
    EXPECT_TRUE(robot.desired.rollback());
  }
  EXPECT_THAT(world_.store->FindUnit(v110_)->held_reason,
              HasSubstr("rolled back by operator/mara: it spins"));
  world_.Tick();
  world_.Tick();
  const auto shown = world_.core->ShowIncident(incident, world_.now);
  EXPECT_THAT(shown->title(), "Fleet north rolled back from nav@1.1.0");
  EXPECT_THAT(shown->report_markdown(), HasSubstr("restored: all 4 robots"));
}

TEST_F(FleetRollbackTest, WhatIsTakenBackIsRecalledBeforeAnyRobotReturns) {
  world_.Promote("1.1.0");
  EXPECT_EQ(world_.robots["north-0"].recalls, 1);  // an empty one, at the beginning
  EXPECT_EQ(world_.robots["north-0"].recalled, "");
  ASSERT_OK(world_.Rollback());

  for (const auto& [name, robot] : world_.robots) {
    EXPECT_EQ(robot.known_recalled, v110_ + " ") << name;
  }
  world_.TickUntil([&] { return world_.Running("north-3") == v100_; });
  world_.TickUntil([] { return false; }, 5);
  EXPECT_EQ(world_.robots["north-0"].recalls, 2);
}

TEST_F(FleetRollbackTest, ARecallIsSaidAgainToWhoeverComesBackAndLiftedByARelease) {
  world_.Promote("1.1.0");
  world_.Disconnect("north-0");
  ASSERT_OK(world_.Rollback());
  EXPECT_EQ(world_.robots["north-0"].recalled, "");
  world_.Restart();
  world_.Connect("north-0");
  world_.HandOut();
  EXPECT_EQ(world_.robots["north-0"].recalled, v110_ + " ");
  EXPECT_EQ(world_.robots["north-1"].recalled, v110_ + " ");

  v1::ReleaseUnitRequest release;
  release.set_unit("nav@1.1.0");
  release.set_reason("it was the floor");
  ASSERT_OK(world_.core->ReleaseUnit(release, CoreWorld::kMara, world_.now));
  world_.HandOut();

  EXPECT_EQ(world_.robots["north-0"].recalled, "");
}

TEST_F(FleetRollbackTest, ARobotWithoutTheUnitHearsOfNoRecall) {
  world_.Promote("1.1.0");
  world_.AddFleet("west", 1);
  ASSERT_OK(world_.Rollback());
  world_.Tick();

  EXPECT_EQ(world_.robots["west-0"].recalls, 1);
  EXPECT_EQ(world_.robots["west-0"].recalled, "");
}

TEST_F(FleetRollbackTest, TakesOverARolloutInEveryPhase) {
  for (const auto phase : {v1::SHADOW, v1::TRIAL, v1::COMMITTING, v1::SOAK, v1::ABORTING}) {
    const std::string version = "2." + std::to_string(static_cast<int>(phase)) + ".0";
    world_.AddUnit(version);
    ASSERT_OK(world_.Start("nav@" + version));
    if (phase == v1::ABORTING) {
      world_.Tick();
      v1::AbortRolloutRequest request;
      request.set_id(world_.Newest().id());
      request.set_reason("x");
      world_.robots["north-0"].deaf = true;
      ASSERT_OK(world_.core->AbortRollout(request, CoreWorld::kMara, world_.now));
    }
    ASSERT_TRUE(world_.TickUntilPhase(phase));

    ASSERT_OK_AND_ASSIGN(const std::string incident, world_.Rollback());
    world_.robots["north-0"].deaf = false;

    EXPECT_EQ(world_.Newest().phase(), v1::SUPERSEDED);
    const Outcomes outcomes = OutcomesOf(incident, 10'000);
    EXPECT_EQ(outcomes.at("summary"), "complete") << v1::RolloutPhase_Name(phase);
    EXPECT_EQ(outcomes.at("north-0"), "running");
    EXPECT_EQ(outcomes.at("north-3"), "already");
    for (const auto& [name, robot] : world_.robots) EXPECT_EQ(world_.Running(name), v100_);
  }
}

TEST_F(FleetRollbackTest, AfterAnAutomaticAbortItUndoesTheUnitThatIsRunningNotTheOneThatFailed) {
  world_.Promote("1.1.0");
  world_.AddUnit("1.3.0");
  world_.robots["north-0"].spoil = [](v1::ObservedState& seen) {
    if (seen.control().candidate_state() != v1::CANDIDATE_ON_TRIAL) return;
    seen.mutable_control()->mutable_candidate()->set_fallback_episodes(1);
  };
  ASSERT_OK(world_.Start("nav@1.3.0"));
  ASSERT_TRUE(world_.TickUntilPhase(v1::ABORTED));
  world_.robots["north-0"].spoil = nullptr;
  for (const auto& [name, robot] : world_.robots) ASSERT_EQ(world_.Running(name), v110_);

  ASSERT_OK_AND_ASSIGN(const std::string incident, world_.Rollback());

  EXPECT_EQ(OutcomesOf(incident, 10'000).at("summary"), "complete");
  for (const auto& [name, robot] : world_.robots) EXPECT_EQ(world_.Running(name), v100_);
}

TEST_F(FleetRollbackTest, NamesTheUnreachableAndTheirOrderStands) {
  world_.Promote("1.1.0");
  world_.Disconnect("north-2");
  ASSERT_OK_AND_ASSIGN(const std::string incident, world_.Rollback());

  const Outcomes outcomes = OutcomesOf(incident, 2'000);
  EXPECT_EQ(outcomes.at("north-2"), "unreachable");
  EXPECT_EQ(outcomes.at("summary"), "partial");

  world_.now.ms += 7 * 24 * 3'600'000LL;  // a week later
  world_.Connect("north-2");
  world_.HandOut();
  world_.TickUntil([&] { return world_.Running("north-2") == v100_; });
  EXPECT_EQ(world_.Running("north-2"), v100_);
  world_.Tick();
  EXPECT_GT(world_.core->IncidentFacts(incident)->ended_ms, 0);
}

TEST_F(FleetRollbackTest, ARobotThatCannotGoBackSaysSo) {
  world_.Promote("1.1.0");
  world_.robots["north-1"].spoil = [&](v1::ObservedState& seen) {
    seen.set_lifecycle(v1::REFUSED);
    seen.set_reason("nav@1.0.0 has no slot on this robot");
    seen.mutable_control()->set_running_digest(v110_);
  };
  ASSERT_OK_AND_ASSIGN(const std::string incident, world_.Rollback());

  const Outcomes outcomes = OutcomesOf(incident, 10'000);

  EXPECT_EQ(outcomes.at("north-1"), "refused");
  EXPECT_EQ(outcomes.at("summary"), "partial");
  EXPECT_THAT(world_.core->ShowIncident(incident, world_.now)->report_markdown(),
              HasSubstr("has no slot on this robot"));
}

TEST_F(FleetRollbackTest, PressedTwiceItIsStillOneRollbackAndNeverFlipsBack) {
  world_.Promote("1.1.0");
  ASSERT_OK_AND_ASSIGN(const std::string first, world_.Rollback());
  ASSERT_OK_AND_ASSIGN(const std::string second, world_.Rollback());
  EXPECT_EQ(first, second);
  EXPECT_EQ(OutcomesOf(first, 10'000).at("summary"), "complete");
  world_.Tick();
  world_.Tick();

  EXPECT_THAT(world_.Rollback(),
              StatusIs(StatusCode::kFailedPrecondition,
                       "nothing to undo on fleet north; nav@1.0.0 runs on north-0, north-1, "
                       "north-2, north-3; no way back for north-0, north-1, north-2, north-3: "
                       "nav@1.1.0 is held (rolled back by operator/mara: it spins); to run it all "
                       "the same: gatekeeper unit release nav@1.1.0 --reason ..., then gatekeeper "
                       "rollout start nav@1.1.0 --fleet north --plan ..."));
  world_.Tick();
  for (const auto& [name, robot] : world_.robots) EXPECT_EQ(world_.Running(name), v100_);
}

TEST_F(FleetRollbackTest, GoesToANamedUnitWithEveryRobot) {
  world_.Promote("1.1.0");
  const std::string v120 = world_.AddUnit("1.2.0");
  world_.Promote("1.2.0");
  ASSERT_OK_AND_ASSIGN(const std::string incident, world_.Rollback("nav@1.0.0"));

  EXPECT_EQ(OutcomesOf(incident, 10'000).at("summary"), "complete");
  for (const auto& [name, robot] : world_.robots) EXPECT_EQ(world_.Running(name), v100_);
  EXPECT_FALSE(world_.store->FindUnit(v120)->held_reason.empty());
  EXPECT_TRUE(world_.store->FindUnit(v110_)->held_reason.empty());
  EXPECT_THAT(world_.Rollback("nav@1.2.0"),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("is held")));
  EXPECT_THAT(world_.Rollback("nav@7.0.0"), StatusIs(StatusCode::kNotFound, testing::_));
}

TEST_F(FleetRollbackTest, ARobotThatHadTheSuspectBeforeTheRolloutGoesToItsLastGood) {
  world_.Promote("1.1.0");
  world_.AddUnit("1.2.0");
  world_.Promote("1.2.0");
  world_.Promote("1.2.0");  // once more: it finds every robot on it already

  ASSERT_OK_AND_ASSIGN(const std::string incident, world_.Rollback());

  EXPECT_EQ(OutcomesOf(incident, 10'000).at("summary"), "complete");
  for (const auto& [name, robot] : world_.robots) EXPECT_EQ(world_.Running(name), v110_);
}

TEST_F(FleetRollbackTest, TheFirstUnitOfAFleetHasNothingBehindIt) {
  EXPECT_THAT(world_.Rollback(), StatusIs(StatusCode::kFailedPrecondition,
                                          HasSubstr("there was no unit before nav@1.0.0")));
  for (const auto& [name, robot] : world_.robots) EXPECT_EQ(robot.desired.unit_digest(), v100_);
}

TEST_F(FleetRollbackTest, EndsATrialThoughTheCommittedUnitIsHeld) {
  ASSERT_OK(world_.store->HoldUnit(v100_, "hums"));
  world_.Restart();  // drops what is known of units
  ASSERT_OK(world_.Start("nav@1.1.0"));
  ASSERT_TRUE(world_.TickUntilPhase(v1::TRIAL));

  ASSERT_OK_AND_ASSIGN(const std::string incident, world_.Rollback());

  EXPECT_EQ(OutcomesOf(incident, 10'000).at("summary"), "complete");
  EXPECT_EQ(world_.Running("north-0"), v100_);
}

TEST_F(FleetRollbackTest, ToNamesOnlyAUnitThatWasInServiceThere) {
  EXPECT_THAT(world_.Rollback("nav@1.1.0"),
              StatusIs(StatusCode::kFailedPrecondition,
                       "nav@1.1.0 was never in service on fleet north; roll it out instead"));

  ASSERT_OK(world_.Start("nav@1.1.0"));
  ASSERT_TRUE(world_.TickUntilPhase(v1::TRIAL));
  EXPECT_THAT(world_.Rollback("nav@1.1.0"),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("never in service")))
      << "a trial is no service";
}

TEST_F(FleetRollbackTest, ARobotThatCannotGoToTheNamedUnitIsTakenOffItsTrialAllTheSame) {
  world_.Promote("1.1.0");
  v1::CreateRobotRequest newcomer;
  newcomer.set_fleet("north");
  newcomer.set_robot("east-0");  // the first by name: the canary
  newcomer.set_hardware("amr-v2");
  ASSERT_OK(world_.core->CreateRobot(newcomer, CoreWorld::kMara, world_.now));
  world_.Connect("east-0");
  world_.Promote("1.1.0");
  const std::string v120 = world_.AddUnit("1.2.0");
  ASSERT_OK(world_.Start("nav@1.2.0"));
  ASSERT_TRUE(world_.TickUntilPhase(v1::TRIAL));
  world_.Restart();  // what was in service is remembered
  world_.TickUntilPhase(v1::TRIAL);

  ASSERT_OK_AND_ASSIGN(const std::string incident, world_.Rollback("nav@1.0.0"));

  const Outcomes outcomes = OutcomesOf(incident, 10'000);
  EXPECT_EQ(outcomes.at("east-0"), "refused");
  EXPECT_EQ(outcomes.at("north-0"), "running");
  EXPECT_EQ(world_.Running("east-0"), v110_) << "committed before, and now again";
  EXPECT_EQ(world_.Running("north-0"), v100_);
  EXPECT_THAT(world_.core->ShowIncident(incident, world_.now)->report_markdown(),
              HasSubstr("nav@1.0.0 was never in service on it; roll it out instead"));
}

TEST_F(FleetRollbackTest, ARestartInItsMidstKeepsCollectingReceipts) {
  world_.Promote("1.1.0");
  for (auto& [name, robot] : world_.robots) robot.deaf = true;
  ASSERT_OK_AND_ASSIGN(const std::string incident, world_.Rollback());
  world_.Tick();
  world_.Restart();
  for (auto& [name, robot] : world_.robots) robot.deaf = false;

  world_.TickUntil([&] { return world_.core->IncidentFacts(incident)->ended_ms > 0; }, 20);

  EXPECT_THAT(world_.core->ShowIncident(incident, world_.now)->report_markdown(),
              HasSubstr("restored: all 4 robots"));
}

TEST_F(FleetRollbackTest, WantsAReasonAndAFleet) {
  v1::RollbackRequest request;
  request.set_fleet("north");
  EXPECT_THAT(world_.core->Rollback(request, CoreWorld::kMara, world_.now),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("reason")));
  request.set_fleet("south");
  EXPECT_THAT(world_.core->Rollback(request, CoreWorld::kMara, world_.now),
              StatusIs(StatusCode::kNotFound, HasSubstr("south")));
}

}  // namespace
