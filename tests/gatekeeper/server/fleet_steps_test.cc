#include "agent/trust/statements.h"
#include "tests/gatekeeper/server/core_world.h"

namespace {

using absl::StatusCode;
using agent::trust::Sha256;
using agent::trust::WaiverName;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using tests::CoreWorld;
using tests::StatusIs;
namespace v1 = gatekeeper::v1;

// The fleet of two robots runs nav@1.0.0, which may drive at 1 m/s.
class FleetStepsTest : public testing::Test {
 protected:
  FleetStepsTest() {
    world_.AddFleet("north", 2);
    v100_ = world_.AddUnit("1.0.0");
    world_.Promote("1.0.0");
  }

  using Evidence = std::map<std::string, agent::trust::Digest>;
  // What the gates' verdict says when ann and bob waived "loosening" beside `deployed`.
  static Evidence Beside(const std::string& deployed, const std::string& last_day = "2026-12-31",
                         const std::string& gate = "loosening") {
    return {{agent::trust::kComparedWith, *agent::trust::Digest::Parse(deployed)},
            {WaiverName(gate, last_day, "ann+bob"), Sha256("waiver")}};
  }
  std::string PushFaster(const std::string& version, const Evidence& evidence = {}) {
    return world_.Push({.version = version,
                        .edits = {{"vx_max_mps: 1.0", "vx_max_mps: 1.2"}},
                        .evidence = evidence});
  }
  std::string PushSlower(const std::string& version) {
    return world_.Push({.version = version, .edits = {{"vx_max_mps: 1.0", "vx_max_mps: 0.9"}}});
  }
  // A robot of the fleet that carries `digest`, from wherever, and reports for the first time.
  void Join(const std::string& robot, const std::string& digest) {
    v1::CreateRobotRequest request;
    request.set_fleet("north");
    request.set_robot(robot);
    request.set_hardware("amr-v2");
    ASSERT_OK(world_.core->CreateRobot(request, CoreWorld::kMara, world_.now));
    v1::Pointer& pointer = *world_.robots[robot].observed.mutable_control()->mutable_pointer();
    pointer.set_phase(v1::COMMITTED);
    pointer.set_committed_digest(digest);
    world_.robots[robot].observed.mutable_control()->set_running_digest(digest);
  }

  CoreWorld world_;
  std::string v100_;
};

TEST_F(FleetStepsTest, ALooserUnitThatNobodyAllowedIsRefusedWithWhatIsLooserAndWhatNext) {
  PushFaster("1.1.0");

  EXPECT_THAT(
      world_.Start("nav@1.1.0"),
      StatusIs(StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("S16: nav@1.1.0 is looser than nav@1.0.0, which north-0, north-1 "
                               "run: control policy: limits.nominal.vx_max_mps was 1, is 1.2; "
                               "nobody has allowed that step"),
                     HasSubstr("a waiver of the gate loosening for nav@1.1.0"),
                     HasSubstr("--against FOLDER-OF-nav@1.0.0"))));

  EXPECT_EQ(world_.Newest().unit_version(), "1.0.0");
  EXPECT_TRUE(world_.TickUntil([&] { return world_.Running("north-0") == v100_; }));
}

TEST_F(FleetStepsTest, ATighterOrEqualUnitNeedsNobody) {
  PushSlower("1.1.0");
  world_.Promote("1.1.0");
  world_.AddUnit("1.2.0");
  EXPECT_THAT(world_.Start("nav@1.2.0"),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("was 0.9, is 1")));
}

TEST_F(FleetStepsTest, TwoPeoplesWordForThatVeryStepLetsItThrough) {
  const std::string faster = PushFaster("1.1.0", Beside(v100_));
  EXPECT_THAT(world_.AuditActions(), Contains("operator/ci unit.allow_looser"));

  world_.Promote("1.1.0");

  EXPECT_EQ(world_.Running("north-1"), faster);
}

TEST_F(FleetStepsTest, TheirWordForAStepFromAnotherUnitCountsForNothing) {
  const std::string slower = PushSlower("1.1.0");
  PushFaster("1.2.0", Beside(v100_));
  world_.Promote("1.1.0");

  EXPECT_THAT(world_.Start("nav@1.2.0"),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("looser than nav@1.1.0")));

  // Judged beside that one too, and pushed once more with that seal: the same unit.
  PushFaster("1.2.0", Beside(slower));
  EXPECT_OK(world_.Start("nav@1.2.0"));
}

TEST_F(FleetStepsTest, AWaiverOfAnotherGateAndAComparisonAloneAllowNothing) {
  PushFaster("1.1.0", Beside(v100_, "2026-12-31", "latency"));
  EXPECT_FALSE(world_.Start("nav@1.1.0").ok());
  PushFaster("1.2.0", {{agent::trust::kComparedWith, *agent::trust::Digest::Parse(v100_)}});
  EXPECT_FALSE(world_.Start("nav@1.2.0").ok());
  PushFaster("1.3.0", {{WaiverName("loosening", "2026-12-31", "ann+bob"), Sha256("waiver")}});
  EXPECT_FALSE(world_.Start("nav@1.3.0").ok());
  EXPECT_THAT(world_.AuditActions(), Not(Contains("operator/ci unit.allow_looser")));
}

TEST_F(FleetStepsTest, TheirWordHoldsThroughItsLastDayAndNotAMillisecondLonger) {
  constexpr int64_t kEndOfTheYear = 1'798'761'600'000;  // 2027-01-01
  PushFaster("1.1.0", Beside(v100_, "2026-12-31"));
  world_.now.wall_ms = kEndOfTheYear;
  EXPECT_THAT(world_.Start("nav@1.1.0"),
              StatusIs(StatusCode::kFailedPrecondition,
                       HasSubstr("ann+bob allowed that step until 2026-12-31")));

  world_.now.wall_ms = kEndOfTheYear - 1;
  EXPECT_OK(world_.Start("nav@1.1.0"));
}

TEST_F(FleetStepsTest, WhatWasAllowedAtTheStartStandsUntilTheRolloutEnds) {
  constexpr int64_t kEndOfTheYear = 1'798'761'600'000;
  const std::string faster = PushFaster("1.1.0", Beside(v100_, "2026-12-31"));
  world_.now.wall_ms = kEndOfTheYear - 1;
  ASSERT_OK(world_.Start("nav@1.1.0"));
  world_.Restart();

  EXPECT_TRUE(world_.TickUntilPhase(v1::DONE)) << world_.Newest().DebugString();
  EXPECT_EQ(world_.Running("north-1"), faster);
}

TEST_F(FleetStepsTest, OneRobotThatRunsAnotherUnitIsEnough) {
  const std::string slower = PushSlower("0.9.0");
  PushFaster("1.1.0", Beside(v100_));
  Join("north-2", slower);
  world_.Connect("north-2");
  world_.Tick();

  EXPECT_THAT(world_.Start("nav@1.1.0"),
              StatusIs(StatusCode::kFailedPrecondition,
                       HasSubstr("looser than nav@0.9.0, which north-2 run")));
}

TEST_F(FleetStepsTest, WhatRunsAndIsNotHereCannotBeComparedAndMustBePushedFirst) {
  const tests::SealedUnit elsewhere = tests::MakeUnit({.version = "0.9.0", .hardware = {"amr-v2"}});
  Join("north-2", elsewhere.digest);
  world_.Connect("north-2");
  world_.Tick();
  world_.AddUnit("1.1.0");
  EXPECT_THAT(world_.Start("nav@1.1.0"),
              StatusIs(StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("north-2 run unit " + elsewhere.digest.substr(0, 12)),
                             HasSubstr("gatekeeper unit push"))));

  world_.AddUnit("0.9.0");
  EXPECT_OK(world_.Start("nav@1.1.0"));
}

TEST_F(FleetStepsTest, ARobotThatFirstReportsDuringTheRolloutIsComparedBeforeItIsTold) {
  const std::string slower = PushSlower("0.9.0");
  PushFaster("1.1.0", Beside(v100_));
  Join("north-2", slower);  // not connected yet: nobody knows what it runs
  ASSERT_OK(world_.Start("nav@1.1.0"));
  world_.Tick();

  world_.Connect("north-2");
  EXPECT_TRUE(world_.TickUntilPhase(v1::ABORTED)) << world_.Newest().DebugString();

  EXPECT_THAT(world_.Newest().reason(), HasSubstr("looser than nav@0.9.0, which north-2 run"));
  EXPECT_EQ(world_.robots["north-2"].desired.generation(), 0u);
  EXPECT_EQ(world_.Running("north-0"), v100_);
}

TEST_F(FleetStepsTest, AUnitThatCouldNotFallBackToTheOneBeforeItIsRefused) {
  world_.Push({.version = "1.1.0", .edits = {{"rate_hz: 20", "rate_hz: 25"}}});

  EXPECT_THAT(world_.Start("nav@1.1.0"),
              StatusIs(StatusCode::kFailedPrecondition,
                       AllOf(HasSubstr("S12: states.PREVIOUS_MODEL.controller cannot be nav@1.0.0"),
                             HasSubstr("it was made for 20 Hz, not for 25"))));
}

TEST_F(FleetStepsTest, ARollbackIsNoStepForwardAndAsksNobody) {
  PushSlower("1.1.0");
  world_.Promote("1.1.0");

  ASSERT_OK(world_.Rollback());

  EXPECT_TRUE(world_.TickUntil([&] { return world_.Running("north-1") == v100_; }));
}

}  // namespace
