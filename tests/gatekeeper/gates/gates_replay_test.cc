#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>

#include "agent/recording/observation_writer.h"
#include "agent/runtime/envelope.h"
#include "gatekeeper/gates/fault_judgement.h"
#include "gatekeeper/gates/fault_plan.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/obedient_robot.h"
#include "gatekeeper/gates/replay.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;
using tests::RecordScenario;

constexpr int64_t kSecond_ns = 1'000'000'000;

class ReplayTest : public testing::Test {
 protected:
  Replay Run(const Scenario& scenario, const Fault& fault = {},
             tests::Driver driver = tests::GoodDriver) {
    const auto bench = tests::MakeBench(std::move(driver));
    return RunReplay(scenario, *bench, fault);
  }

  tests::TempFolder folder_;
};

TEST_F(ReplayTest, StepsAtThePolicysRateFromTheFirstMessageToTheLast) {
  const Scenario scenario = RecordScenario(folder_.path(), "drive", {.seconds = 3, .without = {}});
  const Replay replay = Run(scenario);
  ASSERT_OK(replay.status);
  ASSERT_EQ(replay.ticks.size(), 61u);
  EXPECT_EQ(replay.ticks.front().now_ns(), tests::kDriveStart_ns);
  EXPECT_EQ(replay.ticks.back().now_ns(), tests::kDriveStart_ns + 3 * kSecond_ns);
  EXPECT_EQ(replay.commands.size(), 61u);
  EXPECT_EQ(replay.frames.size(), 61u);
  EXPECT_EQ(replay.ticks[40].state(), "NOMINAL");
  EXPECT_NEAR(replay.ticks[40].raw(1), replay.commands[40].values[1], 1e-6);
  EXPECT_GT(replay.ticks[40].enforced(0), 0.2);
}

TEST_F(ReplayTest, GivesTheSameVerdictsHoweverSlowTheModelIs) {
  const Scenario scenario = RecordScenario(folder_.path(), "drive", {.seconds = 1, .without = {}});
  const auto slow = [](double bearing, double vx, double dust) {
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(45);  // deadline 40
    while (std::chrono::steady_clock::now() < until) {
    }
    return tests::GoodDriver(bearing, vx, dust);
  };
  const Replay fast_replay = Run(scenario);
  const Replay slow_replay = Run(scenario, {}, slow);
  EXPECT_EQ(fast_replay.verdicts, slow_replay.verdicts);
  EXPECT_GE(slow_replay.frames.back().took, std::chrono::milliseconds(45));
}

TEST_F(ReplayTest, GivesOtherVerdictsForAnotherModel) {
  const Scenario scenario = RecordScenario(folder_.path(), "drive", {.seconds = 1, .without = {}});
  const auto other = [](double bearing, double, double) { return std::pair(0.4, 0.501 * bearing); };
  EXPECT_NE(Run(scenario).verdicts, Run(scenario, {}, other).verdicts);
}

TEST_F(ReplayTest, ADriverThatViolatesARequirementFailsItsGateByClipAndSecond) {
  const Scenario scenario = RecordScenario(folder_.path(), "drive", {.seconds = 4, .without = {}});
  const auto spinning = [](double, double, double) { return std::pair{0.4, 0.7}; };
  Evidence evidence;
  evidence.policy = tests::PolicyDocument();
  evidence.replays.push_back(Run(scenario));
  const v1::GateResult calm = JudgeRequirements(evidence);
  EXPECT_EQ(calm.outcome(), v1::PASS) << calm.summary();
  EXPECT_EQ(calm.n(), 71u) << "81 ticks, the first 10 before the horizon has passed";

  evidence.replays.push_back(Run(scenario, {}, spinning));
  const v1::GateResult result = JudgeRequirements(evidence);
  EXPECT_EQ(result.outcome(), v1::FAIL) << result.summary();
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).scenario(), "drive");
  EXPECT_GT(result.findings(0).at_s(), 0.5);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("calm is violated, at worst by 0."));
  const auto& ticks = evidence.replays[1].ticks;
  EXPECT_TRUE(std::any_of(ticks.begin(), ticks.end(), [](const v1::TickRecord& tick) {
    return std::count(tick.triggers().begin(), tick.triggers().end(), "policy_saturated") > 0;
  })) << "and the robot would have fallen back";
}

TEST_F(ReplayTest, NamesBackwardStampsWithChannelAndTime) {
  const Scenario scenario = RecordScenario(
      folder_.path(), "drive", {.seconds = 3, .without = {}, .backward_stamp_at_s = 1.5});
  const Replay replay = Run(scenario);
  ASSERT_OK(replay.status);
  ASSERT_FALSE(replay.faults.empty());
  EXPECT_EQ(replay.faults[0].channel, "scan");
  EXPECT_THAT(replay.faults[0].what, HasSubstr("backwards"));
  EXPECT_NEAR(replay.Second(replay.faults[0].at_ns), 1.5, 1e-9);
}

TEST_F(ReplayTest, NamesASilenceLongerThanThePolicyAllows) {
  const auto bench = tests::MakeBench(tests::GoodDriver);
  RecordingWatch watch(bench->rules().policy);
  v1::Observation observation;
  const auto see = [&](int64_t log_time_ns) {
    std::vector<ChannelStamp> stamps;
    StampsOf(observation, stamps);
    watch.See(stamps, log_time_ns);
  };
  observation.mutable_scan()->set_stamp_ns(1);
  see(0);
  observation.mutable_scan()->set_stamp_ns(200'000'001);
  see(200'000'000);
  EXPECT_TRUE(watch.Faults().empty());
  observation.mutable_scan()->set_stamp_ns(400'000'002);
  see(400'000'001);
  ASSERT_EQ(watch.Faults().size(), 1u);
  EXPECT_THAT(watch.Faults()[0].what, HasSubstr("no message for 0.200 s"));
}

TEST_F(ReplayTest, BeginsWithoutARequiredChannelAfterASecondAndStaysStopped) {
  const Scenario scenario =
      RecordScenario(folder_.path(), "drive", {.seconds = 3, .without = "scan"});
  const Replay replay = Run(scenario);
  ASSERT_OK(replay.status);
  EXPECT_EQ(replay.ticks.front().now_ns(), tests::kDriveStart_ns + kSecond_ns);
  EXPECT_EQ(replay.channels.count("scan"), 0u);
  for (const v1::TickRecord& tick : replay.ticks) EXPECT_EQ(tick.enforced(0), 0);
}

TEST_F(ReplayTest, ASilencedChannelRaisesItsTriggerAndStopsTheRobot) {
  const Scenario scenario = RecordScenario(folder_.path(), "drive", {.seconds = 8, .without = {}});
  const FaultRun run{.planned = {.id = "drop:scan",
                                 .scenario = 0,
                                 .fault = {.kind = Fault::Kind::kDropChannel,
                                           .channel = "scan",
                                           .onset_ns = tests::kDriveStart_ns + 3 * kSecond_ns,
                                           .until_ns = tests::kDriveStart_ns + 6 * kSecond_ns}},
                     .replay = {}};
  FaultRun done = run;
  done.replay = Run(scenario, run.planned.fault);
  ASSERT_OK(done.replay.status);
  EXPECT_EQ(done.replay.ticks.back().now_ns(), run.planned.fault.until_ns);
  const Reaction reaction = ReactionOf(done, "input_stale", tests::FallbackDocument());
  ASSERT_TRUE(reaction.detected_ms.has_value());
  EXPECT_GE(*reaction.detected_ms, 150);
  EXPECT_LE(*reaction.detected_ms, 300);
  ASSERT_TRUE(reaction.safe_ms.has_value());
  EXPECT_LE(*reaction.safe_ms, 1500);
}

TEST_F(ReplayTest, TheWorldStandsStillBehindTheRecordingsEnd) {
  const Scenario scenario = RecordScenario(folder_.path(), "drive", {.seconds = 3, .without = {}});
  FaultRun run;
  run.planned.fault = {.kind = Fault::Kind::kLinkDown,
                       .channel = {},
                       .onset_ns = tests::kDriveStart_ns + 2 * kSecond_ns,
                       .until_ns = tests::kDriveStart_ns + 6 * kSecond_ns};
  run.replay = Run(scenario, run.planned.fault);
  ASSERT_OK(run.replay.status);
  EXPECT_EQ(run.replay.ticks.size(), 121u);
  const Reaction reaction = ReactionOf(run, "network_down", tests::FallbackDocument());
  ASSERT_TRUE(reaction.detected_ms.has_value());
  EXPECT_NEAR(*reaction.detected_ms, 2000, 100);
  EXPECT_EQ(run.replay.ticks.back().state(), "DEGRADED");  // its sensors go on: nothing is stale
  EXPECT_GT(run.replay.ticks.back().enforced(0), 0.1);
}

TEST_F(ReplayTest, ADamagedRecordingIsToldNotReplayed) {
  const Scenario scenario = RecordScenario(folder_.path(), "drive", {.seconds = 2, .without = {}});
  std::fstream file(scenario.recording, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(3000);
  file << "XXXXXXXX";
  file.close();
  const Replay replay = Run(scenario);
  EXPECT_FALSE(replay.status.ok());
  EXPECT_TRUE(replay.ticks.empty());
}

TEST_F(ReplayTest, ARecordingOverYearsIsRefused) {
  const std::string path = folder_ / "years.mcap";
  auto writer = agent::recording::ObservationWriter::Create(path);
  ASSERT_OK(writer);
  v1::Observation observation;
  observation.set_network_up(true);
  ASSERT_OK(writer->Write(observation, std::chrono::seconds(1)));
  ASSERT_OK(writer->Write(observation, std::chrono::hours(24 * 365)));
  ASSERT_OK(writer->Close());
  Scenario scenario;
  scenario.recording = path;
  const Replay replay = Run(scenario);
  EXPECT_THAT(replay.status,
              tests::StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("at most")));
}

TEST_F(ReplayTest, FaultPlansDependOnTheSeedAndNothingElse) {
  const auto bench = tests::MakeBench(tests::GoodDriver);
  std::vector<Scenario> scenarios;
  for (int i = 0; i < 6; ++i) {
    scenarios.push_back(RecordScenario(folder_.path(), "drive" + std::to_string(i),
                                       {.seconds = 6, .number = i, .without = {}}));
  }
  std::vector<Replay> replays;
  for (const Scenario& scenario : scenarios) replays.push_back(RunReplay(scenario, *bench));
  v1::GateSuite suite = tests::SuiteDocument();
  const auto onsets = [&] {
    std::vector<std::pair<size_t, int64_t>> list;
    for (const PlannedFault& planned : PlanStaleInputs(replays, bench->rules(), suite)) {
      list.emplace_back(planned.scenario, planned.fault.onset_ns);
    }
    return list;
  };
  const auto first = onsets();
  EXPECT_EQ(first.size(), 8u);  // four required channels, two clips each
  EXPECT_EQ(first, onsets());
  suite.set_seed(8);
  EXPECT_NE(first, onsets());
  EXPECT_EQ(PlanNetworkDown(replays, bench->rules(), suite).size(), 2u);
}

TEST(MotionClearanceTest, CountsTheWayToAStop) {
  const auto bench = tests::MakeBench(tests::GoodDriver);
  v1::Odometry odom;
  odom.set_x_m(38);
  odom.set_y_m(10);
  // 1 m/s: 0.05 m in one period and 0.5 m of braking at 1 m/s2, towards the wall at 40 m; the round
  // hull reaches 0.1 m ahead.
  EXPECT_NEAR(MotionClearance(bench->rules().policy, odom, {1.0, 0.0}), 1.9 - 0.55, 1e-9);
  EXPECT_NEAR(MotionClearance(bench->rules().policy, odom, {0.0, 0.5}), 1.9, 1e-9);
  odom.set_yaw_rad(3.14159265358979);
  EXPECT_NEAR(MotionClearance(bench->rules().policy, odom, {1.0, 0.0}), 1.9, 1e-9);
}

TEST(MotionClearanceTest, IsTheLeastOfAllPointsOfTheWayWhicheverItLooksAt) {
  const auto bench = tests::MakeBench(tests::GoodDriver);
  const agent::runtime::Policy& policy = bench->rules().policy;
  std::minstd_rand random(11);
  const auto draw = [&](double from, double to) {
    return from + (to - from) * static_cast<double>(random()) / 2147483647.0;
  };
  int nearer = 0;
  for (int n = 0; n < 400; ++n) {
    v1::Odometry odom;
    odom.set_x_m(draw(-1, 6));  // around a corner of the hall, inside and out
    odom.set_y_m(draw(-1, 6));
    odom.set_yaw_rad(draw(-3.2, 3.2));
    const double vx = draw(-2, 3);
    const double wz = draw(-2, 2);
    // A period of 50 ms, and half of the time to stop at 1 m/s2 and 3 rad/s2.
    const double driven_s = 0.05 + std::max(std::abs(vx) / 1.0, std::abs(wz) / 3.0) / 2;
    const agent::runtime::Pose2 start{odom.x_m(), odom.y_m(), odom.yaw_rad()};
    double least = agent::runtime::ClearanceM(policy, start);
    constexpr int kPoints = 1000;
    for (int i = 1; i <= kPoints; ++i) {
      const double share = static_cast<double>(i) / kPoints;
      least = std::min(least, agent::runtime::ClearanceM(
                                  policy, agent::runtime::Moved(start, vx * driven_s * share,
                                                                wz * driven_s * share)));
    }
    const double found = MotionClearance(policy, odom, {vx, wz});
    EXPECT_GE(found, least - 0.005) << n;
    EXPECT_LE(found, least + 0.011) << n;  // its points are at most 2 cm apart
    const double standing = agent::runtime::ClearanceM(policy, start);
    EXPECT_EQ(MotionClearance(policy, odom, {vx, wz}, standing), found) << "known already";
    if (found < standing - 0.1) ++nearer;
  }
  EXPECT_GT(nearer, 100);
}

TEST(ObedientRobotTest, MeasuresWhatItWasTold) {
  const auto bench = tests::MakeBench(tests::GoodDriver);
  ObedientRobot robot(bench->rules().policy);
  v1::Observation observation;
  observation.mutable_odom()->set_x_m(3);
  observation.mutable_odom()->set_vx_mps(0.9);
  robot.Answer(observation);
  EXPECT_EQ(observation.odom().x_m(), 3);
  robot.Drive({0.5, 0.0});
  robot.Answer(observation);
  EXPECT_NEAR(observation.odom().x_m(), 3.025, 1e-12);
  EXPECT_EQ(observation.odom().vx_mps(), 0.5);
  robot.Drive({0.0, 0.0});
  robot.Answer(observation);
  EXPECT_EQ(observation.odom().vx_mps(), 0);
}

}  // namespace
}  // namespace gatekeeper::gates
