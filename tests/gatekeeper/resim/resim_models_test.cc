#include <cmath>

#include "absl/strings/str_format.h"
#include "agent/recording/observation_writer.h"
#include "gatekeeper/resim/drive_model.h"
#include "gatekeeper/resim/laser_model.h"
#include "gatekeeper/resim/route.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/resim/walled_world.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::resim {
namespace {

using agent::runtime::TwistLimits;
using tests::kFootprint;
using tests::WalledWorld;

LaserModel FitOf(const tests::LaserFaults& faults) {
  const DriveLog log = tests::RecordedDrive(WalledWorld::Room(), 10, faults, {}, tests::Slalom);
  const auto map = GridMap::Build(log, kFootprint);
  EXPECT_TRUE(map.ok()) << map.status();
  const auto laser = FitLaser(*map, {}, log);
  EXPECT_TRUE(laser.ok()) << laser.status();
  return *laser;
}

TEST(LaserModelTest, RecoversTheNoiseThatWasPutIn) {
  for (const double sigma_m : {0.02, 0.04}) {
    const LaserModel laser = FitOf({.sigma_m = sigma_m});
    EXPECT_NEAR(laser.sigma_m, sigma_m, 0.3 * sigma_m) << sigma_m;
    EXPECT_NEAR(laser.bias_m, 0, 0.02);
    EXPECT_EQ(laser.dropout, 0);
  }
}

TEST(LaserModelTest, RecoversDropoutAndSpecks) {
  const LaserModel laser = FitOf({.sigma_m = 0.01, .dropout = 0.08, .speck = 0.05});
  EXPECT_NEAR(laser.dropout, 0.08, 0.01);
  EXPECT_NEAR(laser.outlier, 0.05 / 0.92, 0.015);
  ASSERT_FALSE(laser.outlier_ranges_m.empty());
  EXPECT_GE(laser.outlier_ranges_m.front(), 0.29F);
  EXPECT_LE(laser.outlier_ranges_m[laser.outlier_ranges_m.size() * 95 / 100], 1.01F)
      << "the rest passed a corner by";
}

// Measured again from what it simulates, the laser has the same faults.
TEST(LaserModelTest, SimulatesWhatItWasFittedTo) {
  DriveLog log =
      tests::RecordedDrive(WalledWorld::Room(), 10,
                           {.sigma_m = 0.03, .dropout = 0.08, .speck = 0.05}, {}, tests::Slalom);
  const auto map = GridMap::Build(log, kFootprint);
  ASSERT_OK(map.status());
  const auto fitted = FitLaser(*map, {}, log);
  ASSERT_OK(fitted.status());
  Noise noise(5);
  v1::LaserScan scan;
  for (TimedScan& recorded : log.scans) {
    SimulateScan(*fitted, {*map, {}}, log.PoseAt(recorded.at_ns), noise, scan);
    recorded.ranges_m.assign(scan.ranges_m().begin(), scan.ranges_m().end());
  }
  const auto again = FitLaser(*map, {}, log);
  ASSERT_OK(again.status());
  EXPECT_NEAR(again->sigma_m, fitted->sigma_m, 0.1 * fitted->sigma_m);
  EXPECT_NEAR(again->dropout, fitted->dropout, 0.01);
  EXPECT_NEAR(again->outlier, fitted->outlier, 0.015);
}

TEST(LaserModelTest, TheSameSeedGivesTheSameScan) {
  const DriveLog log =
      tests::RecordedDrive(WalledWorld::Room(), 4, {.sigma_m = 0.02}, {}, tests::Slalom);
  const auto map = GridMap::Build(log, kFootprint);
  ASSERT_OK(map.status());
  const auto laser = FitLaser(*map, {}, log);
  ASSERT_OK(laser.status());
  const auto scan_of = [&](uint64_t seed) {
    Noise noise(seed);
    v1::LaserScan scan;
    SimulateScan(*laser, {*map, {}}, {3, 1, 0.2}, noise, scan);
    return scan.SerializeAsString();
  };
  EXPECT_EQ(scan_of(1), scan_of(1));
  EXPECT_NE(scan_of(1), scan_of(2));
}

TEST(LaserModelTest, SaysWhenNothingWasMet) {
  WalledWorld nothing;
  nothing.AddBox(3, 1.5, 3.02, 1.52);
  const DriveLog log = tests::RecordedDrive(nothing, 0.2, {.sigma_m = 0.01}, {}, tests::Slalom);
  const auto map = GridMap::Build(log, kFootprint);
  ASSERT_OK(map.status());
  EXPECT_EQ(FitLaser(*map, {}, log).status().code(), absl::StatusCode::kFailedPrecondition);
}

TwistLimits Limits(double acc, double dec, double wz_acc) {
  TwistLimits limits;
  limits.acc_max_mps2 = {{0}, {acc}};
  limits.dec_max_mps2 = {{0}, {dec}};
  limits.wz_acc_max_radps2 = wz_acc;
  return limits;
}

TEST(DriveModelTest, FindsHowLateTheDriveIs) {
  for (const int steps : {0, 10, 24}) {
    const DriveLog log = tests::RecordedDrive(
        WalledWorld::Room(), 9, {},
        {.latency_steps = steps, .acc_mps2 = 1, .dec_mps2 = 2, .wz_acc_radps2 = 4}, tests::Slalom);
    const DriveModel model = FitDrive(log, Limits(1, 2, 4));
    EXPECT_TRUE(model.measured);
    EXPECT_NEAR(static_cast<double>(model.latency_ns) * 1e-9, steps * 0.01, 0.03);
  }
}

TEST(DriveModelTest, BelievesTheLogAgainstThePolicy) {
  const DriveLog log = tests::RecordedDrive(
      WalledWorld::Room(), 9, {},
      {.latency_steps = 10, .acc_mps2 = 0.5, .dec_mps2 = 1, .wz_acc_radps2 = 4}, tests::Slalom);
  const DriveModel model = FitDrive(log, Limits(1, 2, 4));
  EXPECT_EQ(model.acc_mps2, 0.5) << "half of what the policy says";
  EXPECT_EQ(model.dec_mps2, 1);
  EXPECT_EQ(model.wz_acc_radps2, 4);
}

TEST(DriveModelTest, ASteadyDriveLeavesThePolicysLimits) {
  const DriveLog log =
      tests::RecordedDrive(WalledWorld::Room(), 5, {}, {.acc_mps2 = 1, .dec_mps2 = 2},
                           [](double) { return std::pair(0.0, 0.0); });
  const DriveModel model = FitDrive(log, Limits(1, 2, 4));
  EXPECT_EQ(model.acc_mps2, 1);
  EXPECT_EQ(model.dec_mps2, 2);
}

TEST(DriveModelTest, WithoutCommandsItAssumesAndSaysSo) {
  DriveLog log = tests::RecordedDrive(WalledWorld::Room(), 2, {}, {}, tests::Slalom);
  log.commands.clear();
  const DriveModel model = FitDrive(log, Limits(1, 2, 4));
  EXPECT_FALSE(model.measured);
  EXPECT_EQ(model.latency_ns, kAssumedLatency_ns);
  EXPECT_EQ(model.dec_mps2, 2);
}

TEST(DriveTest, StartsLateAndStopsWithItsBrakes) {
  Drive drive({.latency_ns = 200'000'000, .acc_mps2 = 1, .dec_mps2 = 2, .wz_acc_radps2 = 4},
              {0, 0, 0}, 0, 0, 0);
  drive.Command({0, 1, 0});
  drive.DriveTo(200'000'000);
  EXPECT_EQ(drive.pose().x_m, 0);
  drive.DriveTo(1'200'000'000);
  EXPECT_NEAR(drive.vx_mps(), 1, 1e-9);
  EXPECT_NEAR(drive.pose().x_m, 0.5, 1e-9) << "v^2 / 2a";
  drive.Command({1'200'000'000, 0, 0});
  drive.DriveTo(3'000'000'000);
  EXPECT_EQ(drive.vx_mps(), 0);
  EXPECT_NEAR(drive.pose().x_m, 0.5 + 0.2 + 0.25, 1e-9) << "the latency, and v^2 / 2d";
}

TEST(RouteTest, OffersAPointThreeMetresAheadAndThenTheGoal) {
  const DriveLog log = tests::RecordedDrive(WalledWorld::Room(), 10, {}, {},
                                            [](double) { return std::pair(0.5, 0.0); });
  Route route(log, log.first_ns());
  EXPECT_NEAR(route.length_m(), 5, 0.1);
  EXPECT_NEAR(route.Ahead({2, 1, 0}).x, 5, 0.1);
  EXPECT_NEAR(route.Ahead({3.5, 1.2, 0}).x, 6.5, 0.1);
  EXPECT_NEAR(route.Ahead({2.5, 1, 0}).x, 6.5, 0.1) << "never back";
  EXPECT_EQ(route.Ahead({5, 1, 0}).x, route.goal().x);
}

TEST(RouteTest, TellsWhatTheRecordedRobotWasToldThere) {
  DriveLog log = tests::RecordedDrive(WalledWorld::Room(), 10, {}, {},
                                      [](double) { return std::pair(0.5, 0.0); });
  log.goals = {{log.first_ns(), {9, 1}}, {log.first_ns() + 5'000'000'000, {9, 5}}};
  Route route(log, log.first_ns());
  EXPECT_EQ(route.Ahead({2, 1, 0}).y, 1);
  EXPECT_EQ(route.Ahead({3.9, 1.2, 0}).y, 1);
  EXPECT_EQ(route.Ahead({4.8, 1.2, 0}).y, 5) << "from 5 s, or 2.5 m, on";
  EXPECT_NEAR(route.goal().x, 7, 0.1) << "what counts is where it got to";
}

TEST(DriveLogTest, KnowsWhereTheRobotWasTold) {
  const tests::TempFolder folder;
  auto writer = agent::recording::ObservationWriter::Create(folder / "drive.mcap");
  ASSERT_OK(writer.status());
  for (int i = 0; i < 2; ++i) {
    v1::Observation packet;
    packet.mutable_odom()->set_x_m(1 + i);
    packet.mutable_odom()->set_yaw_rad(std::numbers::pi / 2);
    packet.mutable_scan()->add_ranges_m(1);
    (*packet.mutable_signals())[kGoalBearing].set_value(-std::numbers::pi / 2);
    (*packet.mutable_signals())[kGoalRange].set_value(4 - i);
    ASSERT_OK(writer->Write(packet, agent::base::Nanos(1000 + i)));
  }
  ASSERT_OK(writer->Close());
  const auto log = ReadDriveLog(folder / "drive.mcap", {});
  ASSERT_OK(log.status());
  ASSERT_EQ(log->goals.size(), 2u);
  for (const TimedGoal& goal : log->goals) {
    EXPECT_NEAR(goal.point.x, 5, 1e-12);
    EXPECT_NEAR(goal.point.y, 0, 1e-12);
  }
}

TEST(DriveLogTest, ReadsWhatARecordingHolds) {
  const tests::TempFolder folder;
  const std::string path = folder / "drive.mcap";
  auto writer = agent::recording::ObservationWriter::Create(path);
  ASSERT_OK(writer.status());
  for (int i = 0; i < 10; ++i) {
    v1::Observation packet;
    packet.mutable_odom()->set_x_m(i);
    packet.mutable_odom()->set_vx_mps(0.5);
    packet.mutable_scan()->set_angle_increment_rad(0.1);
    packet.mutable_scan()->add_ranges_m(static_cast<float>(i));
    v1::Command command;
    command.add_values(0.7);
    command.add_values(0.1);
    if (i == 9) command.set_stop(true);
    v1::Odometry corrected;
    corrected.set_x_m(100 + i);
    const agent::base::Nanos at(1000 * (i + 1));
    ASSERT_OK(writer->Write(packet, at));
    ASSERT_OK(writer->Write(command, at));
    ASSERT_OK(writer->WriteMessage(kCorrectedTopic, corrected, at));
  }
  ASSERT_OK(writer->Close());

  const auto log = ReadDriveLog(path, {});
  ASSERT_OK(log.status());
  EXPECT_EQ(log->scans.size(), 10u);
  EXPECT_NEAR(log->measured.front().vx_mps, 1e6, 1e-3) << "1 m in 1 us by its own poses";
  EXPECT_EQ(log->commands.front().vx_mps, 0.7);
  EXPECT_EQ(log->commands.back().vx_mps, 0) << "a held brake";
  EXPECT_TRUE(log->corrected);
  EXPECT_EQ(log->PoseAt(1500).x_m, 100.5);
  EXPECT_EQ(log->PoseAt(0).x_m, 100);
  EXPECT_EQ(log->PoseAt(99'000).x_m, 109);
  const auto part = ReadDriveLog(path, {}, 3000, 5000);
  ASSERT_OK(part.status());
  EXPECT_EQ(part->scans.size(), 3u);
  // The same laser, with more beams than a drive of any length has.
  const std::string large = folder / "large.mcap";
  writer = agent::recording::ObservationWriter::Create(large);
  ASSERT_OK(writer.status());
  v1::Observation packet;
  packet.mutable_scan()->mutable_ranges_m()->Resize(1'000'000, 1.0F);
  for (int i = 0; i < 26; ++i) ASSERT_OK(writer->Write(packet, agent::base::Nanos(i)));
  ASSERT_OK(writer->Close());
  EXPECT_EQ(ReadDriveLog(large, {}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReadDriveLog(path, {}, 3000, 3000).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace gatekeeper::resim
