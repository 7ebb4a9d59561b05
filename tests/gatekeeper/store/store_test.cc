#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tests/gatekeeper/store/store_fixture.h"

namespace {

using absl::StatusCode;
using gatekeeper::store::Store;
using gatekeeper::store::Unit;
using testing::HasSubstr;
using tests::StatusIs;
using tests::StoreTest;
namespace v1 = gatekeeper::v1;

Unit Nav(const std::string& version, char digit) {
  Unit unit;
  unit.digest = std::string(64, digit);
  unit.name = "nav";
  unit.version = version;
  unit.pushed_ms = 1000 + digit;
  unit.papers.set_manifest(std::string("{\"a\":\0}", 7));
  (*unit.papers.mutable_seal())["unit.sigstore.json"] = "\xff\x00 not text";
  return unit;
}

TEST_F(StoreTest, RemembersWhatEachRobotHadInService) {
  for (const char* digest : {"aa", "bb", "aa"}) ASSERT_OK(store_->AddServed("r1", digest));
  Reopen();

  EXPECT_THAT(*store_->Served(),
              testing::ElementsAre(testing::Pair("r1", testing::ElementsAre("aa", "bb"))));
}

TEST_F(StoreTest, ContinuesAFileFromBeforeServiceWasRemembered) {
  store_.reset();
  Tamper("DROP TABLE served");
  Reopen();

  EXPECT_THAT(*store_->Served(), testing::IsEmpty());
  EXPECT_OK(store_->AddServed("r1", "aa"));
}

TEST_F(StoreTest, RemembersFleetsAndRobotsOverARestart) {
  ASSERT_OK(store_->AddFleet("north", 1));
  ASSERT_OK(store_->AddRobot({"r1", "north", "dd-1"}, 2));
  Reopen();

  EXPECT_THAT(*store_->Fleets(), testing::ElementsAre("north"));
  ASSERT_OK_AND_ASSIGN(const auto robot, store_->FindRobot("r1"));
  EXPECT_EQ(robot.fleet, "north");
  EXPECT_EQ(robot.hardware, "dd-1");
  EXPECT_THAT(store_->AddFleet("north", 3),
              StatusIs(StatusCode::kAlreadyExists, "fleet north exists already"));
  EXPECT_THAT(store_->AddRobot({"r1", "north", "x"}, 3),
              StatusIs(StatusCode::kAlreadyExists, HasSubstr("r1")));
  EXPECT_THAT(store_->AddRobot({"r2", "south", "x"}, 3),
              StatusIs(StatusCode::kNotFound, HasSubstr("no fleet south")));
  EXPECT_THAT(store_->FindRobot("r9"), StatusIs(StatusCode::kNotFound, HasSubstr("no robot r9")));
}

TEST_F(StoreTest, ATokenWorksOnceForItsRobotBeforeItsHour) {
  ASSERT_OK(store_->AddToken("hash-1", "r1", 5000));
  const auto refused =
      StatusIs(StatusCode::kPermissionDenied, HasSubstr("not good for this robot"));

  EXPECT_THAT(store_->UseToken("hash-1", "r2", 100), refused);
  EXPECT_THAT(store_->UseToken("hash-2", "r1", 100), refused);
  EXPECT_THAT(store_->UseToken("hash-1", "r1", 5000), refused);
  EXPECT_OK(store_->UseToken("hash-1", "r1", 4999));
  EXPECT_THAT(store_->UseToken("hash-1", "r1", 4999), refused);
}

TEST_F(StoreTest, AFreshTokenEndsTheOneBefore) {
  ASSERT_OK(store_->AddToken("hash-1", "r1", 5000));
  ASSERT_OK(store_->AddToken("hash-2", "r1", 5000));

  EXPECT_FALSE(store_->UseToken("hash-1", "r1", 1).ok());
  EXPECT_OK(store_->UseToken("hash-2", "r1", 1));
}

TEST_F(StoreTest, KeepsPapersByteForByteAndFindsUnitsByNameOrPrefix) {
  const Unit unit = Nav("1.0.0", 'a');
  ASSERT_OK(store_->AddUnit(unit));
  Reopen();

  for (const char* text : {"nav@1.0.0", "aaaaaaaaaaaa"}) {
    ASSERT_OK_AND_ASSIGN(const Unit found, store_->ResolveUnit(text));
    EXPECT_EQ(found.papers.manifest(), unit.papers.manifest());
    EXPECT_EQ(found.papers.seal().at("unit.sigstore.json"),
              unit.papers.seal().at("unit.sigstore.json"));
  }
  EXPECT_THAT(store_->ResolveUnit("nav@2.0.0"),
              StatusIs(StatusCode::kNotFound, HasSubstr("push it first")));
  EXPECT_THAT(store_->ResolveUnit("aaaaaaaaaaa"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("at least 12")));
  EXPECT_THAT(store_->ResolveUnit("%%%%%%%%%%%%"),
              StatusIs(StatusCode::kInvalidArgument, testing::_));
}

TEST_F(StoreTest, AVersionNeverChanges) {
  ASSERT_OK(store_->AddUnit(Nav("1.0.0", 'a')));

  EXPECT_THAT(store_->AddUnit(Nav("1.0.0", 'b')),
              StatusIs(StatusCode::kAlreadyExists, HasSubstr("taken by unit aaaaaaaaaaaa")));
}

TEST_F(StoreTest, AnAmbiguousPrefixIsNotAUnit) {
  Unit one = Nav("1.0.0", 'a'), two = Nav("1.1.0", 'a');
  two.digest[63] = 'b';
  ASSERT_OK(store_->AddUnit(one));
  ASSERT_OK(store_->AddUnit(two));

  EXPECT_THAT(store_->ResolveUnit("aaaaaaaaaaaa"),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("2 units")));
}

TEST_F(StoreTest, AHeldUnitSaysWhyUntilItIsReleased) {
  ASSERT_OK(store_->AddUnit(Nav("1.0.0", 'a')));
  ASSERT_OK(store_->HoldUnit(std::string(64, 'a'), "it spins"));
  Reopen();
  EXPECT_EQ(store_->FindUnit(std::string(64, 'a'))->held_reason, "it spins");

  ASSERT_OK(store_->ReleaseUnit(std::string(64, 'a')));
  EXPECT_EQ(store_->FindUnit(std::string(64, 'a'))->held_reason, "");
  EXPECT_TRUE((*store_->Units())[0].released);
  EXPECT_THAT(store_->HoldUnit("dead", "x"), StatusIs(StatusCode::kNotFound, testing::_));
}

TEST_F(StoreTest, AStepIsAllowedOnceFromOneUnitToOneOther) {
  const gatekeeper::store::AllowedStep step{
      .digest = "bb", .from = "aa", .people = "ann+bob", .last_day = "2026-12-31"};
  EXPECT_TRUE(*store_->AllowStep(step));
  EXPECT_FALSE(*store_->AllowStep(step));
  EXPECT_TRUE(*store_->AllowStep({"bb", "aa", "ann+eve", "2026-06-30"}));
  Reopen();

  ASSERT_OK_AND_ASSIGN(const auto steps, store_->AllowedSteps("aa", "bb"));
  ASSERT_EQ(steps.size(), 2u);
  EXPECT_EQ(steps.back().people, "ann+bob");
  EXPECT_EQ(steps.back().last_day, "2026-12-31");
  EXPECT_THAT(*store_->AllowedSteps("bb", "aa"), testing::IsEmpty());
}

TEST_F(StoreTest, KeepsRolloutsDesiredAndObservedStates) {
  v1::RolloutState state;
  state.set_fleet("north");
  for (int i = 1; i <= 11; ++i) {
    ASSERT_OK_AND_ASSIGN(const std::string id, store_->NextId("rollout"));
    state.set_id(id);
    ASSERT_OK(store_->PutRollout(state));
  }
  state.set_id("rollout-2");
  state.set_reason("changed");
  ASSERT_OK(store_->PutRollout(state));
  v1::DesiredState desired;
  desired.set_generation(7);
  ASSERT_OK(store_->PutDesired("r1", desired));
  desired.set_generation(8);
  ASSERT_OK(store_->PutDesired("r1", desired));
  v1::ObservedState observed;
  observed.mutable_control()->set_running_digest("abc");
  ASSERT_OK(store_->PutObserved("r1", observed));
  Reopen();

  ASSERT_OK_AND_ASSIGN(const auto rollouts, store_->Rollouts("north"));
  ASSERT_EQ(rollouts.size(), 11u);
  EXPECT_EQ(rollouts[0].id(), "rollout-11");
  EXPECT_EQ(store_->FindRollout("rollout-2")->reason(), "changed");
  EXPECT_EQ(store_->Desired()->at("r1").generation(), 8u);
  EXPECT_EQ(store_->Observed()->at("r1").control().running_digest(), "abc");
  EXPECT_THAT(store_->FindRollout("rollout-99"), StatusIs(StatusCode::kNotFound, testing::_));
}

TEST_F(StoreTest, ARepeatedEventIsKeptOnce) {
  gatekeeper::store::StoredEvent stored{.robot = "r1", .event = {}, .received_ms = 50};
  stored.event.set_id(4);
  stored.event.set_wall_ms(40);
  stored.event.set_kind("swapped");
  EXPECT_TRUE(*store_->AddEvent(stored));
  EXPECT_FALSE(*store_->AddEvent(stored));
  stored.event.set_wall_ms(90);  // the robot was reinstalled and counts anew
  ASSERT_OK(store_->AddEvent(stored));

  EXPECT_EQ(store_->Events({"r1"}, 0, 100, 10)->size(), 2u);
  EXPECT_EQ(store_->Events({"r1"}, 0, 100, 1)->size(), 1u);
  EXPECT_EQ(store_->Events({"r2"}, 0, 100, 10)->size(), 0u);
  EXPECT_EQ(store_->Events({"r1"}, 51, 100, 10)->size(), 0u);
}

TEST_F(StoreTest, WorkThatFailsHalfwayLeavesNothing) {
  const absl::Status failed = store_->Atomically([&]() -> absl::Status {
    EXPECT_OK(store_->AddFleet("north", 1));
    EXPECT_OK(store_->Atomically([&] { return store_->AddFleet("south", 1); }));
    return absl::AbortedError("changed my mind");
  });

  EXPECT_THAT(failed, StatusIs(StatusCode::kAborted, "changed my mind"));
  EXPECT_TRUE(store_->Fleets()->empty());
  EXPECT_OK(store_->AddFleet("north", 1));
}

TEST_F(StoreTest, WhatWasAnsweredSurvivesAPowerCutAndWhatWasNotIsGone) {
  ASSERT_OK(store_->AddFleet("answered", 1));
  std::string cut_inside;
  ASSERT_OK(store_->Atomically([&] {
    EXPECT_OK(store_->AddFleet("pending", 1));
    cut_inside = AfterPowerCut();
    return absl::OkStatus();
  }));
  const std::string cut_after = AfterPowerCut();

  EXPECT_THAT(*(*Store::Open(cut_inside))->Fleets(), testing::ElementsAre("answered"));
  EXPECT_THAT(*(*Store::Open(cut_after))->Fleets(), testing::ElementsAre("answered", "pending"));
}

TEST_F(StoreTest, AProcessKilledWhileWritingLosesNothingItConfirmed) {
  store_.reset();
  int confirmed[2];
  ASSERT_EQ(pipe(confirmed), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto store = Store::Open(path_);
    for (char i = 0; store.ok(); ++i) {
      v1::AuditEntry entry;
      entry.set_detail(std::to_string(i));
      if (!(*store)->Audit(entry).ok() || write(confirmed[1], &i, 1) != 1) _exit(1);
    }
    _exit(1);
  }
  close(confirmed[1]);
  char last = -1;
  while (last < 40 && read(confirmed[0], &last, 1) == 1) {
  }
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  while (read(confirmed[0], &last, 1) == 1) {
  }
  close(confirmed[0]);
  Reopen();

  EXPECT_GE(store_->ReadAudit(0, 1000)->size(), static_cast<size_t>(last) + 1);
  EXPECT_OK(store_->VerifyAudit());
}

TEST_F(StoreTest, RefusesADatabaseOfANewerGatekeeperAndFilesThatAreNone) {
  Tamper("UPDATE meta SET value='2' WHERE name='schema'");
  store_.reset();
  EXPECT_THAT(Store::Open(path_), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("schema 2")));

  std::ofstream(folder_ / "noise.db") << std::string(9000, 'x');
  EXPECT_THAT(Store::Open(folder_ / "noise.db"), StatusIs(StatusCode::kDataLoss, testing::_));
  EXPECT_THAT(Store::Open(folder_ / "no/such/folder.db"),
              StatusIs(StatusCode::kUnavailable, HasSubstr("folder.db")));
}

TEST_F(StoreTest, ATruncatedOrFlippedFileIsAnErrorNotACrash) {
  for (int i = 0; i < 20; ++i)
    ASSERT_OK(store_->AddUnit(Nav("1.0." + std::to_string(i), static_cast<char>('0' + i))));
  store_.reset();
  std::ifstream in(path_, std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), {});
  for (size_t i = 0; i < 40; ++i) {
    std::string damaged = whole.substr(0, i % 2 ? whole.size() : whole.size() * i / 40);
    if (i % 2)
      damaged[whole.size() * i / 40] = static_cast<char>(damaged[whole.size() * i / 40] ^ 0x41);
    const std::string path = folder_ / ("damaged-" + std::to_string(i));
    std::ofstream(path, std::ios::binary) << damaged;
    auto store = Store::Open(path);
    if (!store.ok()) continue;
    (void)(*store)->Units();
    (void)(*store)->FindUnit(std::string(64, '3'));
    (void)(*store)->VerifyAudit();
  }
}

TEST_F(StoreTest, IncidentsKeepTheirFactsUpToDate) {
  gatekeeper::store::StoredIncident incident{.id = "incident-1",
                                             .fleet = "north",
                                             .opened_ms = 5,
                                             .kind = "rollback",
                                             .title = "t",
                                             .facts_json = "{}",
                                             .open = true};
  ASSERT_OK(store_->PutIncident(incident));
  incident.facts_json = "{\"a\":1}";
  incident.open = false;
  ASSERT_OK(store_->PutIncident(incident));

  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindIncident("incident-1"));
  EXPECT_EQ(found.facts_json, "{\"a\":1}");
  EXPECT_FALSE(found.open);
  EXPECT_EQ(store_->Incidents()->size(), 1u);
  EXPECT_THAT(store_->FindIncident("incident-2"), StatusIs(StatusCode::kNotFound, testing::_));
}

}  // namespace
