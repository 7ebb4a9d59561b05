#include <cmath>
#include <thread>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "agent/recording/observation_writer.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/closed_drive.h"
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

  // `slip`: what the recorded robot turned beyond its commands.
  Scenario Record(const std::string& id, double slip = 0) {
    resim::DriveLog log = tests::RecordedDrive(
        WalledWorld::Room(), 9, {.sigma_m = 0.01},
        {.latency_steps = 10, .acc_mps2 = 0.6, .dec_mps2 = 1, .wz_acc_radps2 = 3}, AroundTheBox,
        {2, 2.5, 0});
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

  v1::ClosedLoopRun Drive(const Scenario& scenario, TestBench& bench, const PlannedDrive& planned) {
    return DriveClosedLoop(scenario, bench, planned, limits_);
  }
  v1::ClosedLoopRun Drive(const Scenario& scenario, TestBench& bench) {
    return Drive(scenario, bench, {.scenario = 0, .seed = 1});
  }

  tests::TempFolder folder_;
  v1::ClosedLoopGate limits_;
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

TEST_F(ClosedLoopTest, TheSameArgumentsGiveTheSameBytes) {
  const Scenario scenario = Record("a");
  const auto drive = [&](uint64_t seed) {
    const auto bench = LedBench(ToTheGoal, kStopZone);
    return DriveClosedLoop(scenario, *bench, {.scenario = 0, .seed = seed, .start = 0.25}, limits_)
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

TEST(PlanDrivesTest, EnoughStartsForTheDrivesThatAreAskedFor) {
  std::vector<Scenario> scenarios(3);
  for (size_t i = 0; i < 3; ++i) scenarios[i].sha256 = agent::trust::Sha256(std::to_string(i));
  v1::GateSuite suite;
  EXPECT_THAT(PlanDrives(scenarios, suite), IsEmpty()) << "no such section";
  suite.mutable_closed_loop()->set_runs(7);
  const auto planned = PlanDrives(scenarios, suite);
  ASSERT_EQ(planned.size(), 9u);
  EXPECT_EQ(planned[0].start, 0);
  EXPECT_EQ(planned[1].start, 0.25);
  EXPECT_NE(planned[0].seed, planned[3].seed);
  suite.mutable_closed_loop()->set_runs(1000);
  EXPECT_EQ(PlanDrives(scenarios, suite).size(), 3 * kMostStarts);
  // What a part of the library plans holds what the whole plans for it.
  suite.mutable_closed_loop()->set_runs(7);
  const auto part = PlanDrives({scenarios[1]}, suite);
  ASSERT_GE(part.size(), 3u);
  for (size_t k = 0; k < 3; ++k) {
    EXPECT_EQ(part[k].seed, planned[3 + k].seed);
    EXPECT_EQ(Text(part[k], suite.closed_loop()), Text(planned[3 + k], suite.closed_loop()));
  }
}

class ClosedLoopJudgeTest : public EvidenceTest {
 protected:
  ClosedLoopJudgeTest() {
    evidence_.suite.set_alpha(0.1);
    v1::ClosedLoopGate& limits = *evidence_.suite.mutable_closed_loop();
    limits.set_runs(20);
    limits.set_max_collision_rate(0.15);
    limits.set_min_goal_rate(0.8);
  }

  v1::ClosedLoopRun& AddRun(const std::string& scenario) {
    v1::ClosedLoopRun& run = evidence_.closed_loop.emplace_back();
    run.set_scenario(scenario);
    run.set_period_s(0.05);
    run.set_collided_at_s(NAN);
    run.set_left_map_at_s(NAN);
    run.set_min_clearance_m(NAN);
    run.set_reached_goal_at_s(4);
    run.set_start_s(2);
    for (int i = 0; i < 80; ++i) run.add_x_m(i);
    return run;
  }

  void AddRuns(int clips) {
    for (int i = 0; i < clips; ++i) AddRun(absl::StrFormat("clip%02d", i));
  }
};

// Without a collision in 20 clips the rate is at most 1 - 0.05^(1/20) = 0.139; with one 0.216.
TEST_F(ClosedLoopJudgeTest, PassesOnTheBoundsOfItsClips) {
  AddRuns(20);
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  EXPECT_NEAR(result.bound(), 0.1391, 1e-4);
  EXPECT_EQ(result.n(), 20u);
  EXPECT_TRUE(result.marginal());
  evidence_.suite.mutable_closed_loop()->set_max_collision_rate(0.139);
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::INSUFFICIENT) << "nothing failed: more clips";
}

TEST_F(ClosedLoopJudgeTest, OneCollisionFailsWithClipAndSecond) {
  AddRuns(20);
  evidence_.closed_loop[7].set_collided_at_s(3.25);
  evidence_.closed_loop[7].set_reached_goal_at_s(NAN);
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).scenario(), "clip07");
  EXPECT_EQ(result.findings(0).at_s(), 2 + 3.25);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("drives into something 3.25 s"));
  evidence_.suite.mutable_closed_loop()->set_max_collision_rate(0.22);
  evidence_.suite.mutable_closed_loop()->set_min_goal_rate(0.78);
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::PASS) << "a rate that allows for it";
}

TEST_F(ClosedLoopJudgeTest, LeavingTheFloorOrTheEnvelopeIsACollision) {
  AddRuns(20);
  evidence_.closed_loop[3].set_left_map_at_s(1);
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::FAIL);
  evidence_.closed_loop[3].set_left_map_at_s(NAN);
  evidence_.closed_loop[3].set_min_clearance_m(-0.01);
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::FAIL);
  evidence_.closed_loop[3].set_min_clearance_m(0);
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::PASS);
}

// 20 of 20 goals: at least 0.861; 19: 0.784.
TEST_F(ClosedLoopJudgeTest, GoalsMustBeReached) {
  AddRuns(20);
  evidence_.closed_loop[3].set_reached_goal_at_s(NAN);
  evidence_.closed_loop[3].add_y_m(4.4);
  evidence_.closed_loop[3].set_last_state("NOMINAL");
  evidence_.closed_loop[3].add_last_reasons("stop_zone:touch");
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("does not get to"));
  EXPECT_THAT(result.findings(0).message(),
              HasSubstr("ends at (79.0, 4.4) in NOMINAL, held by stop_zone:touch"));
  evidence_.suite.mutable_closed_loop()->set_min_goal_rate(0.78);
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::PASS);
}

TEST_F(ClosedLoopJudgeTest, DrivesOfOneClipAreOneSample) {
  for (int i = 0; i < 20; ++i) AddRun(absl::StrFormat("clip%02d", i / 4));
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.n(), 20u);
  EXPECT_EQ(result.n_eff(), 5);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_NEAR(result.bound(), 1 - std::pow(0.05, 1. / 5), 1e-9);
}

TEST_F(ClosedLoopJudgeTest, WhatMayNotBeBelievedIsCountedOutAndNamed) {
  AddRuns(20);
  evidence_.closed_loop[4].set_not_used("the recorded commands lead 0.90 m away");
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.n(), 19u);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT) << "20 are asked for";
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).scenario(), "clip04");
  EXPECT_THAT(result.findings(0).message(),
              HasSubstr("not used: the recorded commands lead 0.90 m"));
  AddRun("clip99");
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::PASS);
}

TEST_F(ClosedLoopJudgeTest, TwoScenariosOfOneRecordingAreOneSample) {
  AddRuns(20);
  for (int i = 0; i < 20; ++i) AddReplay(absl::StrFormat("clip%02d", i));
  EXPECT_EQ(JudgeClosedLoop(evidence_).n_eff(), 20);
  scenarios_[1].document.set_sha256(scenarios_[0].document.sha256());
  EXPECT_EQ(JudgeClosedLoop(evidence_).n_eff(), 19);
}

TEST_F(ClosedLoopJudgeTest, AStartTooNearToTheGoalDoesNotCountAClipOut) {
  AddRuns(20);
  AddRun("clip03").set_not_used("the recorded robot went no farther than 0.20 m");
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  EXPECT_EQ(result.findings_size(), 0);
  EXPECT_THAT(result.summary(), HasSubstr("; 0 clips not used"));
}

TEST_F(ClosedLoopJudgeTest, WithoutAnyDriveThereIsNoEvidence) {
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::INSUFFICIENT);
}

}  // namespace
}  // namespace gatekeeper::gates
