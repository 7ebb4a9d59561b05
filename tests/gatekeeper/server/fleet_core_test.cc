#include "gatekeeper/server/fleet_core.h"

#include <sqlite3.h>

#include "tests/gatekeeper/server/core_world.h"

namespace {

using absl::StatusCode;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::CoreWorld;
using tests::Must;
using tests::StatusIs;
namespace v1 = gatekeeper::v1;

class FleetCoreTest : public testing::Test {
 protected:
  FleetCoreTest() {
    world_.AddFleet("north", 4);
    v100_ = world_.AddUnit("1.0.0");
    v110_ = world_.AddUnit("1.1.0");
  }
  bool AllRun(const std::string& digest) {
    return std::ranges::all_of(world_.robots, [&](const auto& robot) {
      return robot.second.observed.control().running_digest() == digest;
    });
  }

  CoreWorld world_;
  std::string v100_, v110_;
};

TEST_F(FleetCoreTest, PromotesAUnitWaveByWaveToTheWholeFleet) {
  world_.Promote("1.0.0");
  ASSERT_OK(world_.Start("nav@1.1.0"));

  EXPECT_EQ(world_.robots["north-0"].desired.stage(), v1::STAGE_SHADOW);
  EXPECT_EQ(world_.robots["north-1"].desired.unit_digest(), v100_);
  ASSERT_TRUE(world_.TickUntilPhase(v1::DONE));

  EXPECT_TRUE(AllRun(v110_));
  EXPECT_GT(world_.Newest().ended_ms(), world_.Newest().started_ms());
  EXPECT_THAT(world_.AuditActions(), Contains("operator/mara rollout.start"));
  EXPECT_THAT(world_.AuditActions(), Contains("gatekeeper rollout.DONE"));
}

TEST_F(FleetCoreTest, AnswersEveryReportSoThatLeasesLive) {
  world_.Tick();
  world_.Tick();

  EXPECT_EQ(world_.robots["north-0"].heartbeats, 2);
}

TEST_F(FleetCoreTest, AnUnhealthyCanaryGoesBackAndTheOthersNeverChange) {
  world_.Promote("1.0.0");
  const uint64_t untouched = world_.robots["north-1"].desired.generation();
  world_.robots["north-0"].spoil = [&](v1::ObservedState& seen) {
    if (seen.control().candidate_state() != v1::CANDIDATE_ON_TRIAL) return;
    seen.mutable_control()->mutable_candidate()->set_clamped(seen.control().candidate().ticks());
  };
  ASSERT_OK(world_.Start("nav@1.1.0"));

  ASSERT_TRUE(world_.TickUntilPhase(v1::ABORTED));

  EXPECT_TRUE(AllRun(v100_));
  EXPECT_EQ(world_.robots["north-1"].desired.generation(), untouched);
  EXPECT_THAT(world_.Newest().reason(), HasSubstr("north-0: the policy clamped"));
  world_.Tick();
  world_.Tick();
  ASSERT_OK_AND_ASSIGN(const auto incident,
                       world_.core->ShowIncident(world_.Newest().incident(), world_.now));
  EXPECT_EQ(incident.kind(), "canary_abort");
  EXPECT_THAT(incident.report_markdown(), HasSubstr("the policy clamped"));
  EXPECT_THAT(incident.report_markdown(), HasSubstr("nav@1.0.0"));
  EXPECT_THAT(incident.report_markdown(), HasSubstr("restored: all 1 robots"));
  EXPECT_THAT(incident.report_markdown(), HasSubstr("rollout.start"));
}

TEST_F(FleetCoreTest, AUnitThatFailedIsHeldUntilItIsReleasedByName) {
  world_.robots["north-0"].spoil = [](v1::ObservedState& seen) {
    if (seen.candidate_digest().empty()) return;
    seen.set_lifecycle(v1::REFUSED);
    seen.set_reason("does not load");
    seen.mutable_control()->set_candidate_state(v1::CANDIDATE_FAILED);
  };
  ASSERT_OK(world_.Start("nav@1.0.0"));
  ASSERT_TRUE(world_.TickUntilPhase(v1::ABORTED));
  world_.robots["north-0"].spoil = nullptr;

  EXPECT_THAT(world_.Start("nav@1.0.0"),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("is held")));
  v1::ReleaseUnitRequest request;
  request.set_unit("nav@1.0.0");
  EXPECT_THAT(world_.core->ReleaseUnit(request, CoreWorld::kMara, world_.now),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("reason")));
  request.set_reason("the loader was at fault");
  ASSERT_OK(world_.core->ReleaseUnit(request, CoreWorld::kMara, world_.now));
  ASSERT_OK(world_.Start("nav@1.0.0"));
  world_.Tick();

  EXPECT_TRUE(world_.robots["north-0"].desired.release_quarantine());
  EXPECT_TRUE(world_.TickUntilPhase(v1::DONE));
}

TEST_F(FleetCoreTest, AUnitWhoseBytesDidNotArriveIsNotHeld) {
  world_.robots["north-0"].spoil = [&](v1::ObservedState& seen) {
    if (seen.candidate_digest() != v100_) return;
    seen.mutable_control()->clear_candidate_state();  // control never heard of it
    seen.mutable_control()->clear_candidate_digest();
    seen.set_lifecycle(v1::REFUSED);
    seen.set_reason("model/model.onnx: the bytes that came hash to 12");
  };
  ASSERT_OK(world_.Start("nav@1.0.0"));
  ASSERT_TRUE(world_.TickUntilPhase(v1::ABORTED));
  world_.robots["north-0"].spoil = nullptr;

  EXPECT_THAT(world_.Newest().reason(), HasSubstr("the bytes that came hash to 12"));
  EXPECT_EQ(world_.store->FindUnit(v100_)->held_reason, "");
  EXPECT_OK(world_.Start("nav@1.0.0"));
  EXPECT_TRUE(world_.TickUntilPhase(v1::DONE));
}

TEST_F(FleetCoreTest, AFailureThatControlReportedInPassingStillHoldsTheUnit) {
  ASSERT_OK(world_.Start("nav@1.0.0"));
  ASSERT_TRUE(world_.TickUntil(
      [&] { return world_.robots["north-0"].observed.candidate_digest() == v100_; }));
  v1::ObservedState seen = world_.robots["north-0"].observed;
  seen.set_lifecycle(v1::REFUSED);
  seen.mutable_control()->set_candidate_state(v1::CANDIDATE_FAILED);
  world_.core->OnObserved("north-0", seen, world_.now);
  seen.mutable_control()->set_candidate_state(v1::CANDIDATE_NONE);  // told to let go of it
  seen.mutable_control()->clear_candidate_digest();
  world_.core->OnObserved("north-0", seen, world_.now);
  ASSERT_OK(world_.core->Poll(world_.now));

  EXPECT_EQ(world_.Newest().phase(), v1::ABORTING);
  EXPECT_THAT(world_.store->FindUnit(v100_)->held_reason, HasSubstr("refused the unit"));
}

TEST_F(FleetCoreTest, RefusesRolloutsThatCannotBe) {
  world_.AddFleet("empty", 0);
  world_.AddFleet("arms", 1, "arm-v1");

  EXPECT_THAT(world_.Start("nav@9.9.9"), StatusIs(StatusCode::kNotFound, HasSubstr("nav@9.9.9")));
  EXPECT_THAT(world_.Start("nav@1.0.0", "south"),
              StatusIs(StatusCode::kNotFound, HasSubstr("no fleet south")));
  EXPECT_THAT(world_.Start("nav@1.0.0", "empty"),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("has no robots")));
  EXPECT_THAT(world_.Start("nav@1.0.0", "arms"),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("not made for hardware arm-v1")));
  ASSERT_OK(world_.Start("nav@1.0.0"));
  EXPECT_THAT(world_.Start("nav@1.1.0"),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("rollout-1 of nav@1.0.0")));
  v1::StartRolloutRequest planless;
  planless.set_fleet("north");
  planless.set_unit("nav@1.0.0");
  EXPECT_THAT(world_.core->StartRollout(planless, CoreWorld::kMara, world_.now),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("[schema]")));
}

TEST_F(FleetCoreTest, APersonsAbortSendsTouchedRobotsBackWithoutHoldingTheUnit) {
  world_.Promote("1.0.0");
  ASSERT_OK(world_.Start("nav@1.1.0"));
  ASSERT_TRUE(world_.TickUntilPhase(v1::TRIAL));
  v1::AbortRolloutRequest request;
  request.set_id(world_.Newest().id());
  request.set_reason("wrong week");
  ASSERT_OK(world_.core->AbortRollout(request, CoreWorld::kMara, world_.now));
  world_.HandOut();

  ASSERT_TRUE(world_.TickUntilPhase(v1::ABORTED));

  EXPECT_TRUE(AllRun(v100_));
  EXPECT_EQ(world_.Newest().reason(), "aborted by operator/mara: wrong week");
  EXPECT_OK(world_.Start("nav@1.1.0"));
  EXPECT_THAT(world_.core->AbortRollout(request, CoreWorld::kMara, world_.now),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("has ended already (ABORTED)")));
}

TEST_F(FleetCoreTest, ARestartInAnyPhaseResumes) {
  world_.Promote("1.0.0");
  for (const auto phase : {v1::SHADOW, v1::TRIAL, v1::COMMITTING, v1::SOAK}) {
    const std::string version = "2." + std::to_string(static_cast<int>(phase)) + ".0";
    const std::string digest = world_.AddUnit(version);
    ASSERT_OK(world_.Start("nav@" + version));
    ASSERT_TRUE(world_.TickUntilPhase(phase));

    world_.Restart();
    EXPECT_EQ(world_.Newest().phase(), phase);

    EXPECT_TRUE(world_.TickUntilPhase(v1::DONE)) << world_.Newest().reason();
    EXPECT_TRUE(AllRun(digest));
  }
}

TEST_F(FleetCoreTest, ARestartWhileAbortingGoesOnSendingRobotsBack) {
  world_.Promote("1.0.0");
  ASSERT_OK(world_.Start("nav@1.1.0"));
  ASSERT_TRUE(world_.TickUntilPhase(v1::TRIAL));
  world_.Tick();
  world_.robots["north-0"].deaf = true;
  world_.robots["north-0"].spoil = [](v1::ObservedState& seen) {
    seen.mutable_control()->mutable_candidate()->set_nonfinite(1);
  };
  ASSERT_TRUE(world_.TickUntilPhase(v1::ABORTING));
  world_.Restart();
  world_.robots["north-0"].deaf = false;
  world_.robots["north-0"].spoil = nullptr;

  EXPECT_TRUE(world_.TickUntilPhase(v1::ABORTED));
  EXPECT_TRUE(AllRun(v100_));
}

TEST_F(FleetCoreTest, NothingIsSentThatCouldNotBeWrittenDown) {
  world_.Tick();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((world_.folder / "gatekeeper.db").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "ALTER TABLE desired RENAME TO away", nullptr, nullptr, nullptr),
            SQLITE_OK);

  EXPECT_THAT(world_.Start("nav@1.0.0"), StatusIs(StatusCode::kUnavailable, HasSubstr("desired")));
  EXPECT_EQ(world_.robots["north-0"].desired.generation(), 0u);

  ASSERT_EQ(sqlite3_exec(other, "ALTER TABLE away RENAME TO desired", nullptr, nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(other);
  world_.Tick();  // the rollout itself was written: it goes on by itself
  EXPECT_EQ(world_.robots["north-0"].desired.stage(), v1::STAGE_SHADOW);
}

TEST_F(FleetCoreTest, EventsAreAcknowledgedOnceTheyAreDurable) {
  v1::RobotEvent event;
  event.set_id(9);
  event.set_wall_ms(5);
  event.set_kind("swapped");
  world_.HandOut();  // what connecting says
  world_.core->OnEvent("north-1", event, world_.now);
  EXPECT_TRUE(world_.core->TakeOutgoing().empty());

  world_.Tick();

  EXPECT_THAT(world_.robots["north-1"].acks, ElementsAre(9));
  EXPECT_EQ(world_.store->Events({"north-1"}, 0, world_.now.wall_ms, 9)->size(), 1u);
}

TEST_F(FleetCoreTest, AnEmergencyStopOpensOneIncidentHoweverOftenItIsReported) {
  v1::RobotEvent event;
  event.set_id(9);
  event.set_kind("estop");
  event.set_detail("bumper");
  for (int i = 0; i < 3; ++i) {
    world_.core->OnEvent("north-1", event, world_.now);
    world_.Tick();
  }

  EXPECT_EQ(world_.robots["north-1"].acks.size(), 3u);
  ASSERT_OK_AND_ASSIGN(const auto incidents, world_.core->ListIncidents());
  ASSERT_EQ(incidents.incidents_size(), 1);
  EXPECT_EQ(incidents.incidents(0).kind(), "estop");
  EXPECT_THAT(world_.core->ShowIncident(incidents.incidents(0).id(), world_.now)->report_markdown(),
              HasSubstr("north-1 latched an emergency stop: bumper"));
}

TEST_F(FleetCoreTest, OtherEventsOpenNoIncident) {
  v1::RobotEvent event;
  event.set_id(1);
  event.set_kind("fallback");
  world_.core->OnEvent("north-1", event, world_.now);
  world_.Tick();
  EXPECT_EQ(world_.core->ListIncidents()->incidents_size(), 0);
}

TEST_F(FleetCoreTest, AnIncidentsTimelineTellsDecisionsHeatPowerAndLatencyTogether) {
  uint64_t id = 0;
  const auto tell = [&](const std::string& kind, const std::string& detail) {
    v1::RobotEvent event;
    event.set_id(++id);
    event.set_kind(kind);
    event.set_detail(detail);
    world_.core->OnEvent("north-1", event, world_.now);
  };
  tell("estop", "hardware_limit");
  tell("fallback", "DEGRADED -> EMERGENCY_STOP hardware_limit");
  tell("conditions", "91.0 degC, 23.10 V, 14.8 W, throttled, inference p99 29.0 ms, speed x 0.00");
  world_.Tick();

  ASSERT_OK_AND_ASSIGN(const auto incidents, world_.core->ListIncidents());
  ASSERT_EQ(incidents.incidents_size(), 1);
  const std::string report =
      world_.core->ShowIncident(incidents.incidents(0).id(), world_.now)->report_markdown();
  const size_t decision = report.find("robot/north-1: fallback: DEGRADED -> EMERGENCY_STOP");
  const size_t conditions = report.find("robot/north-1: conditions: 91.0 degC, 23.10 V, 14.8 W");
  EXPECT_NE(decision, std::string::npos) << report;
  EXPECT_NE(conditions, std::string::npos) << report;
  EXPECT_LT(decision, conditions);
}

TEST_F(FleetCoreTest, ANewerConnectionTakesThePlaceOfAnOlderOne) {
  const uint64_t old_connection = world_.robots["north-0"].connection;
  world_.Connect("north-0");

  world_.core->OnDisconnected("north-0", old_connection, world_.now);

  EXPECT_TRUE(world_.core->ViewFleet("north", world_.now)->robots(0).connected());
}

TEST_F(FleetCoreTest, ACertificateOfARobotNobodyCreatedIsNotEnough) {
  EXPECT_THAT(world_.core->OnConnected("stranger", world_.now),
              StatusIs(StatusCode::kPermissionDenied, HasSubstr("stranger")));
}

TEST_F(FleetCoreTest, ARobotThatIsAlreadyThereGetsAFreshTokenOnlyUnderItsOwnDescription) {
  v1::CreateRobotRequest request;
  request.set_fleet("north");
  request.set_robot("north-0");
  request.set_hardware("amr-v2");
  EXPECT_OK(world_.core->CreateRobot(request, CoreWorld::kMara, world_.now));
  request.set_hardware("arm-v1");
  EXPECT_THAT(world_.core->CreateRobot(request, CoreWorld::kMara, world_.now),
              StatusIs(StatusCode::kAlreadyExists, HasSubstr("hardware amr-v2")));
  request.set_robot("../north");
  EXPECT_THAT(world_.core->CreateRobot(request, CoreWorld::kMara, world_.now),
              StatusIs(StatusCode::kInvalidArgument, testing::_));
  request.set_robot("north-9");
  request.set_token_hours(25);
  EXPECT_THAT(world_.core->CreateRobot(request, CoreWorld::kMara, world_.now),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("at most 24")));
}

TEST_F(FleetCoreTest, ShowsWhatEachRobotRunsByName) {
  world_.Promote("1.0.0");
  world_.Disconnect("north-3");
  world_.now.ms += 4000;

  ASSERT_OK_AND_ASSIGN(const auto view, world_.core->ViewFleet("north", world_.now));

  ASSERT_EQ(view.robots_size(), 4);
  EXPECT_EQ(view.robots(3).running_name(), "nav@1.0.0");
  EXPECT_FALSE(view.robots(3).connected());
  EXPECT_NEAR(view.robots(3).seen_s_ago(), 4.0, 0.01);
  EXPECT_FALSE(view.has_active_rollout());
}

}  // namespace
