#include <cmath>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "agent/recording/observation_reader.h"
#include "agent/recording/observation_writer.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/closed_drive.h"
#include "gatekeeper/gates/counterexample.h"
#include "gatekeeper/gates/failing_drive.h"
#include "gatekeeper/gates/gate.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"
#include "tests/gatekeeper/resim/walled_world.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using tests::WalledWorld;

// The fixture's papers for a robot that is led by bearing and range.
std::unique_ptr<TestBench> LedBench(tests::Driver driver, const std::string& zones) {
  const std::string card =
      absl::StrReplaceAll(tests::CardYaml(), {{"channel: dust", "channel: goal_range_m"}});
  std::string policy = absl::StrReplaceAll(tests::PolicyYaml(), {{"  dust:", "  goal_range_m:"}});
  const size_t from = policy.find("separation:");
  const size_t to = policy.find("requirements:");
  policy = policy.substr(0, from) + zones + policy.substr(to);
  auto rules = agent::runtime::LoadRules(card, policy, tests::FallbackYaml());
  if (!rules.ok()) ADD_FAILURE() << rules.status();
  auto bench = TestBench::Create(std::string(64, 'a'), *rules, tests::MakeModel(std::move(driver)));
  if (!bench.ok()) ADD_FAILURE() << bench.status();
  return *std::move(bench);
}

constexpr char kNoZones[] = "";
constexpr char kStopZone[] =
    "separation:\n  zones:\n"
    "    - {id: around, action: stop, source: scan, polygon_m: [[0.6, -0.2], [0.6, 0.2], [-0.2, "
    "0.2], [-0.2, -0.2]], min_points: 3, trigger_consecutive: 1, release_consecutive: 5}\n";

std::pair<double, double> ToTheGoal(double bearing, double, double) {
  return {0.5 * std::max(0.0, std::cos(bearing)), 0.9 * std::sin(bearing)};
}
std::pair<double, double> StraightOn(double, double, double) { return {0.5, 0.0}; }

// From (2, 2.5) in a wide left turn past the box that stands straight ahead at x = 6.
std::pair<double, double> AroundTheBox(double seconds) { return {0.5, seconds < 4 ? 0.22 : 0.0}; }

class ClosedLoopTest : public testing::Test {
 protected:
  ClosedLoopTest() {
    limits_.set_runs(1);
    limits_.set_max_pose_error_m(0.15);
    limits_.set_max_range_error_m(0.1);
    limits_.set_max_collision_rate(0.5);
    limits_.set_min_goal_rate(0.5);
    limits_.set_goal_within_m(0.3);
  }

  static resim::DriveLog DrivenLog() {
    return tests::RecordedDrive(
        WalledWorld::Room(), 9, {.sigma_m = 0.01},
        {.latency_steps = 10, .acc_mps2 = 0.6, .dec_mps2 = 1, .wz_acc_radps2 = 3}, AroundTheBox,
        {2, 2.5, 0});
  }

  // `slip`: what the recorded robot turned beyond its commands.
  Scenario Record(const std::string& id, double slip = 0) { return Record(id, DrivenLog(), slip); }

  Scenario Record(const std::string& id, const resim::DriveLog& log, double slip = 0) {
    Scenario scenario;
    scenario.recording = folder_ / (id + ".mcap");
    scenario.document.set_id(id);
    scenario.sha256 = agent::trust::Sha256(id);
    auto writer = agent::recording::ObservationWriter::Create(scenario.recording);
    EXPECT_TRUE(writer.ok());
    for (size_t i = 0; i < log.scans.size(); ++i) {
      const agent::base::Nanos at(log.scans[i].at_ns);
      v1::Observation packet;
      packet.set_stamp_ns(at.count());
      v1::LaserScan& scan = *packet.mutable_scan();
      scan.set_stamp_ns(at.count());
      scan.set_angle_min_rad(log.angle_min_rad);
      scan.set_angle_increment_rad(log.angle_increment_rad);
      scan.mutable_ranges_m()->Assign(log.scans[i].ranges_m.begin(), log.scans[i].ranges_m.end());
      v1::Odometry& odom = *packet.mutable_odom();
      odom.set_stamp_ns(at.count());
      odom.set_x_m(log.poses[i].pose.x_m);
      odom.set_y_m(log.poses[i].pose.y_m);
      odom.set_yaw_rad(log.poses[i].pose.yaw_rad);
      odom.set_vx_mps(log.measured[i].vx_mps);
      odom.set_wz_radps(log.measured[i].wz_radps);
      v1::Command command;
      command.add_values(log.commands[i].vx_mps);
      command.add_values(log.commands[i].wz_radps - slip);
      EXPECT_OK(writer->Write(packet, at));
      EXPECT_OK(writer->Write(command, at));
    }
    EXPECT_OK(writer->Close());
    return scenario;
  }

  template <class At>
  Scenario RecordWithPerson(const std::string& id, const At& at) {
    resim::DriveLog log = DrivenLog();
    tests::AddPerson(log, at);
    return Record(id, log);
  }

  v1::ClosedLoopRun Drive(const Scenario& scenario, TestBench& bench, const PlannedDrive& planned) {
    return DriveClosedLoop(scenario, bench, planned, {limits_, map_.get()});
  }
  v1::ClosedLoopRun Drive(const Scenario& scenario, TestBench& bench) {
    return Drive(scenario, bench, {.scenario = 0, .seed = 1});
  }

  void UseMap(resim::SiteMap map) {
    map_ = std::make_shared<const MapOfSite>(MapOfSite{
        .file = "map.yaml", .map = std::move(map), .sha256 = agent::trust::Sha256("map")});
  }

  tests::TempFolder folder_;
  v1::ClosedLoopGate limits_;
  std::shared_ptr<const MapOfSite> map_;
};

TEST_F(ClosedLoopTest, AGoodUnitGetsWhereTheRecordedRobotGot) {
  const auto bench = LedBench(ToTheGoal, kStopZone);
  const v1::ClosedLoopRun run = Drive(Record("a"), *bench);
  EXPECT_THAT(run.not_used(), IsEmpty());
  EXPECT_LT(run.pose_error_m(), 0.1);
  EXPECT_LT(run.range_error_m(), 0.05);
  EXPECT_NEAR(run.latency_s(), 0.1, 0.05);
  EXPECT_TRUE(std::isnan(run.collided_at_s()));
  EXPECT_TRUE(std::isnan(run.left_map_at_s()));
  ASSERT_FALSE(std::isnan(run.reached_goal_at_s()));
  EXPECT_GT(run.reached_goal_at_s(), 6);
  EXPECT_LT(run.reached_goal_at_s(), 20);
  EXPECT_EQ(run.stops(), 0u);
  EXPECT_GT(run.min_clearance_m(), 1);
  const int last = run.x_m_size() - 1;
  EXPECT_LT(std::hypot(run.x_m(last) - run.goal_x_m(), run.y_m(last) - run.goal_y_m()), 0.35);
}

TEST_F(ClosedLoopTest, AUnitThatDrivesIntoTheWallIsCaughtWithTheSecond) {
  const auto bench = LedBench(StraightOn, kNoZones);
  const v1::ClosedLoopRun run = Drive(Record("a"), *bench);
  EXPECT_THAT(run.not_used(), IsEmpty());
  ASSERT_FALSE(std::isnan(run.collided_at_s()));
  // 3.9 m to the box; at most 0.3 m/s in the first second of a swapped unit, gathering speed by
  // 0.3 and then 0.6 m/s2, and 0.1 s late.
  const double expected_s = 0.1 + 1 + 1. / 3 + (3.9 - 0.15 - (0.25 - 0.09) / (2 * 0.6)) / 0.5;
  EXPECT_NEAR(run.collided_at_s(), expected_s, 0.4);
  EXPECT_TRUE(std::isnan(run.reached_goal_at_s()));
  EXPECT_NEAR(run.x_m(run.x_m_size() - 1), 5.9, 0.1) << "its nose touches the box";
  EXPECT_NEAR(run.y_m(run.y_m_size() - 1), 2.5, 0.05);
}

// The recorded robot drove round the box; the clip shows where this one went, and why.
TEST_F(ClosedLoopTest, TheClipOfACollisionShowsTheSimulatedWayAndItsVerdicts) {
  const std::vector<Scenario> library = {Record("a")};
  const Scenario& scenario = library[0];
  Evidence evidence;
  *evidence.suite.mutable_closed_loop() = limits_;
  evidence.suite.set_alpha(0.1);
  Crew crew;
  crew.benches.push_back(LedBench(StraightOn, kNoZones));
  crew.rules = std::shared_ptr<const agent::runtime::UnitRules>(std::shared_ptr<void>(),
                                                                &crew.benches[0]->rules());
  evidence.closed_loop = {
      Drive(scenario, *crew.benches[0], PlanDrives(library, evidence.suite).front())};
  const v1::ClosedLoopRun& run = evidence.closed_loop[0];
  Replay replay;
  replay.scenario = &scenario;
  replay.first_ns = 1'000'000'000;
  for (int i = 0; i < 200; ++i) {  // of the recorded inputs: another drive
    v1::TickRecord& tick = replay.ticks.emplace_back();
    tick.set_now_ns(replay.first_ns + i * kTick_ns);
    tick.set_state("AS_RECORDED");
  }
  evidence.replays = {replay};
  const std::vector<bool> intact = {true};
  FarmBooks books;
  ReplayFarm farm(std::move(crew), Crew(), library, intact, 1, books);
  evidence.failing = DriveFailingAgain(farm, nullptr, evidence);
  ASSERT_EQ(evidence.failing.size(), 1u);
  EXPECT_EQ(std::string(evidence.failing[0].replay.verdicts.bytes.begin(),
                        evidence.failing[0].replay.verdicts.bytes.end()),
            run.verdicts())
      << "the very drive that was judged";
  v1::GateReport report;
  v1::GateResult& gate = *report.add_gates() = JudgeClosedLoop(evidence);
  gate.set_id("closed_loop");
  gate.set_outcome(v1::FAIL);
  WriteClips(evidence, folder_.path(), report);

  ASSERT_EQ(gate.findings_size(), 1);
  EXPECT_EQ(gate.findings(0).at_s(), run.collided_at_s());
  const auto clip = agent::recording::ObservationReader::Open(gate.findings(0).clip());
  ASSERT_OK(clip.status());
  std::map<std::string, int> counts;
  int64_t last_ns = 0;
  ASSERT_OK(clip->mcap().ForEachMessage(
      {}, [&](const agent::recording::Channel& channel, const agent::recording::Message& message) {
        ++counts[channel.topic];
        if (channel.topic == "/drive/pose") last_ns = static_cast<int64_t>(message.log_time_ns);
        return absl::OkStatus();
      }));
  std::vector<v1::TickRecord> verdicts;
  ASSERT_OK(clip->ForEach([&](const agent::recording::RecordedItem& item) {
    if (const auto* tick = std::get_if<v1::TickRecord>(&item.content)) verdicts.push_back(*tick);
    return absl::OkStatus();
  }));
  EXPECT_EQ(static_cast<int>(verdicts.size()), counts["/drive/pose"]) << "one a period";
  for (const v1::TickRecord& tick : verdicts) {
    EXPECT_EQ(tick.state(), "NOMINAL");
    ASSERT_EQ(tick.raw_size(), 2);
    EXPECT_FLOAT_EQ(static_cast<float>(tick.raw(0)), 0.5F) << "straight on";
  }
  EXPECT_NEAR(counts["/drive/pose"], 5 / run.period_s(), 2) << "five seconds up to its end";
  EXPECT_NEAR(static_cast<double>(last_ns - replay.first_ns) * 1e-9, run.collided_at_s(), 0.06);
  EXPECT_GT(counts["/scan"], 50);
  EXPECT_EQ(counts["/event"], 1);
}

TEST_F(ClosedLoopTest, ThePolicyThatStopsBeforeThingsSavesEvenThatUnit) {
  const auto bench = LedBench(StraightOn, kStopZone);
  const v1::ClosedLoopRun run = Drive(Record("a"), *bench);
  EXPECT_TRUE(std::isnan(run.collided_at_s()));
  EXPECT_TRUE(std::isnan(run.reached_goal_at_s()));
  EXPECT_EQ(run.stops(), 1u);
  EXPECT_EQ(run.last_state(), "NOMINAL");
  EXPECT_THAT(run.last_reasons(), testing::Contains("stop_zone:around"));
  EXPECT_LT(run.x_m(run.x_m_size() - 1), 5.75) << "its zone reaches 0.6 m, its brakes need 0.2 m";
}

TEST_F(ClosedLoopTest, AUnitThatTurnsAwayGetsNowhere) {
  const auto bench = LedBench([](double, double, double) { return std::pair(0.1, 0.8); }, kNoZones);
  const v1::ClosedLoopRun run = Drive(Record("a"), *bench);
  EXPECT_TRUE(std::isnan(run.reached_goal_at_s()));
  EXPECT_TRUE(std::isnan(run.collided_at_s()));
  EXPECT_NEAR(run.x_m_size() * run.period_s(), 2 * 9 + 10, 0.2) << "its time";
}

TEST_F(ClosedLoopTest, ARecordingThatItsOwnDriveDoesNotReproduceIsNotUsed) {
  const Scenario slipped = Record("slipped", 0.05);
  const auto bench = LedBench(ToTheGoal, kStopZone);
  limits_.set_max_pose_error_m(10);
  limits_.set_max_range_error_m(10);
  const double found = Drive(slipped, *bench).pose_error_m();
  EXPECT_GT(found, 0.3);
  limits_.set_max_pose_error_m(found + 1e-6);
  EXPECT_THAT(Drive(slipped, *bench).not_used(), IsEmpty());
  limits_.set_max_pose_error_m(found - 1e-6);
  const v1::ClosedLoopRun run = Drive(slipped, *bench);
  EXPECT_THAT(run.not_used(), HasSubstr("the recorded commands lead"));
  EXPECT_EQ(run.x_m_size(), 0);
}

TEST_F(ClosedLoopTest, SimulatedRangesMustBeTheRecordedOnes) {
  const Scenario scenario = Record("a");
  const auto bench = LedBench(ToTheGoal, kStopZone);
  const double found = Drive(scenario, *bench).range_error_m();
  limits_.set_max_range_error_m(found + 1e-6);
  EXPECT_THAT(Drive(scenario, *bench).not_used(), IsEmpty());
  limits_.set_max_range_error_m(found - 1e-6);
  EXPECT_THAT(Drive(scenario, *bench).not_used(), HasSubstr("simulated ranges"));
}

TEST_F(ClosedLoopTest, WhatIsNotSimulatedIsSaid) {
  const auto bench = tests::MakeBench(tests::GoodDriver);
  EXPECT_EQ(Drive(Record("a"), *bench).not_used(), "the unit needs dust, which is not simulated");
  Scenario gone = Record("b");
  gone.recording += ".gone";
  EXPECT_THAT(Drive(gone, *LedBench(ToTheGoal, kStopZone)).not_used(), HasSubstr("gone"));
}

// Comes from the wall on the right, stands 2 m ahead of where the recorded robot started while that
// one passes on the left, and goes back.
std::optional<agent::runtime::Vec2> InTheWay(double seconds) {
  if (seconds < 1) return std::nullopt;
  const double gone_m = std::max(0.0, seconds - 5.2);
  return agent::runtime::Vec2{4, std::max(0.3, std::min(2.5, 0.3 + seconds - 1) - gone_m)};
}

TEST_F(ClosedLoopTest, WhoSteppedInFrontOfTheRecordedRobotStandsThereAgain) {
  const Scenario scenario = RecordWithPerson("a", InTheWay);
  const v1::ClosedLoopRun run = Drive(scenario, *LedBench(StraightOn, kNoZones));
  EXPECT_THAT(run.not_used(), IsEmpty());
  EXPECT_GE(run.movers(), 1u);
  EXPECT_GT(run.far_off_walls(), run.far_off());
  ASSERT_FALSE(std::isnan(run.collided_at_s()));
  EXPECT_TRUE(run.collided_with_mover());
  const int last = run.x_m_size() - 1;
  EXPECT_NEAR(run.x_m(last), 4 - 0.15 - 0.15, 0.15) << "its nose, and the person's near side";
  EXPECT_EQ(run.walked_into(), 0u);

  const v1::ClosedLoopRun stopped = Drive(scenario, *LedBench(StraightOn, kStopZone));
  EXPECT_LT(stopped.x_m(static_cast<int>(5 / stopped.period_s())), 3.6)
      << "the person stands there";
  EXPECT_GT(stopped.x_m().rbegin()[0], 5) << "and went away";
  EXPECT_FALSE(stopped.collided_with_mover());
}

// Comes from ahead and goes on through where the robot stands.
TEST_F(ClosedLoopTest, WhoWalksIntoARobotThatStandsHasNotBeenRunOver) {
  const Scenario scenario = RecordWithPerson("a", [](double seconds) {
    return seconds < 1 ? std::nullopt
                       : std::optional<agent::runtime::Vec2>({5.2 - 0.55 * seconds, 2.35});
  });
  const auto stands = [](double, double, double) { return std::pair(0.0, 0.0); };
  const v1::ClosedLoopRun run = Drive(scenario, *LedBench(stands, kNoZones));
  EXPECT_THAT(run.not_used(), IsEmpty());
  EXPECT_TRUE(std::isnan(run.collided_at_s()));
  EXPECT_GE(run.walked_into(), 1u);
}

TEST_F(ClosedLoopTest, RangesThatNothingExplainsAreLimited) {
  const Scenario scenario = RecordWithPerson("a", InTheWay);
  const auto bench = LedBench(ToTheGoal, kStopZone);
  limits_.set_max_far_off(0.9);
  const double found = Drive(scenario, *bench).far_off();
  ASSERT_GT(found, 0);
  limits_.set_max_far_off(found * 1.001);
  EXPECT_THAT(Drive(scenario, *bench).not_used(), IsEmpty());
  limits_.set_max_far_off(found * 0.999);
  EXPECT_THAT(Drive(scenario, *bench).not_used(), HasSubstr("off the rebuilt world"));
  EXPECT_EQ(MaxFarOff({}), 0.1);
}

TEST_F(ClosedLoopTest, TheSuitesMapGivesTheWalls) {
  WalledWorld drawn = WalledWorld::Room();
  drawn.AddBox(3.4, 2.3, 3.6, 2.5);  // only the map knows of it, on the right of the recorded way
  const Scenario scenario = Record("a");
  const auto bench = LedBench(StraightOn, kNoZones);
  EXPECT_GT(Drive(scenario, *bench).x_m().rbegin()[0], 5);
  UseMap(tests::DrawnMap(drawn));
  limits_.set_max_far_off(0.5);  // the recorded laser saw through it
  const v1::ClosedLoopRun run = Drive(scenario, *bench);
  EXPECT_THAT(run.not_used(), IsEmpty());
  ASSERT_FALSE(std::isnan(run.collided_at_s()));
  EXPECT_FALSE(run.collided_with_mover());
  EXPECT_NEAR(run.x_m().rbegin()[0], 3.4 - 0.1, 0.15);
}

TEST_F(ClosedLoopTest, AMapInAnotherFrameIsNotUsed) {
  WalledWorld elsewhere;
  elsewhere.AddBox(0, 0, 10, 6);
  elsewhere.AddBox(1.8, 2.3, 2.1, 2.6);  // around where the recorded one starts
  UseMap(tests::DrawnMap(elsewhere));
  limits_.set_max_far_off(0.9);
  limits_.set_max_range_error_m(9);
  EXPECT_THAT(Drive(Record("a"), *LedBench(ToTheGoal, kStopZone)).not_used(),
              HasSubstr("s the recorded robot stands in a wall of the map"));
}

TEST_F(ClosedLoopTest, AMapIsPartOfTheJobsName) {
  const std::string own = Text(PlannedDrive{}, {limits_, nullptr});
  UseMap(tests::DrawnMap(WalledWorld::Room()));
  EXPECT_NE(Text(PlannedDrive{}, {limits_, map_.get()}), own);
}

// In a drawn map and with somebody who walks about, as everywhere.
TEST_F(ClosedLoopTest, TheSameArgumentsGiveTheSameBytes) {
  const Scenario scenario = RecordWithPerson("a", InTheWay);
  UseMap(tests::DrawnMap(WalledWorld::Room()));
  const auto drive = [&](uint64_t seed) {
    const auto bench = LedBench(ToTheGoal, kStopZone);
    return DriveClosedLoop(scenario, *bench, {.scenario = 0, .seed = seed, .start = 0.25},
                           {limits_, map_.get()})
        .SerializeAsString();
  };
  const std::string once = drive(1);
  EXPECT_EQ(once, drive(1));
  EXPECT_NE(once, drive(2));
  std::string beside[2];
  {
    std::jthread first([&] { beside[0] = drive(1); });
    std::jthread second([&] { beside[1] = drive(1); });
  }
  EXPECT_EQ(beside[0], once);
  EXPECT_EQ(beside[1], once);
}

TEST_F(ClosedLoopTest, AStartInTheMiddleLeadsToTheSameGoal) {
  const Scenario scenario = Record("a");
  const auto bench = LedBench(ToTheGoal, kStopZone);
  const v1::ClosedLoopRun all = Drive(scenario, *bench);
  const v1::ClosedLoopRun half =
      Drive(scenario, *bench, {.scenario = 0, .seed = 1, .start = 0.375});
  EXPECT_EQ(half.goal_x_m(), all.goal_x_m());
  EXPECT_NEAR(half.start_s(), 0.375 * 9, 0.01);
  EXPECT_LT(half.reached_goal_at_s(), all.reached_goal_at_s());
}

}  // namespace
}  // namespace gatekeeper::gates
