#include <cmath>
#include <cstdio>
#include <optional>
#include <string>

#include "agent/recording/observation_writer.h"
#include "gatekeeper/resim/bearing.h"
#include "gatekeeper/resim/site_twin.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/resim/walled_world.h"
#include "tests/support/importers/carmen.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// A rebuilt world may be used where the recorded drive comes out of it as it was recorded.

namespace gatekeeper::resim {
namespace {

using agent::runtime::TwistLimits;
using tests::kFootprint;
using tests::WalledWorld;

TwistLimits Limits() {
  TwistLimits limits;
  limits.acc_max_mps2 = {{0}, {1}};
  limits.dec_max_mps2 = {{0}, {2}};
  limits.wz_acc_max_radps2 = 4;
  return limits;
}

constexpr tests::DriveFaults kRealDrive = {
    .latency_steps = 10, .acc_mps2 = 1, .dec_mps2 = 2, .wz_acc_radps2 = 4};

// 20 Hz, 100 ms late, as a TurtleBot's.
TEST(SiteTwinTest, ReproducesADriveFromItsCommands) {
  const auto twin = Reconstruct(
      tests::RecordedDrive(WalledWorld::Room(), 10, {.sigma_m = 0.02}, kRealDrive, tests::Slalom),
      kFootprint, Limits());
  ASSERT_OK(twin.status());
  EXPECT_TRUE(twin->drive.measured);
  EXPECT_LT(twin->faithfulness.pose_error_m, 0.05);
  EXPECT_LT(twin->faithfulness.range_error_m, 0.03);
}

TEST(SiteTwinTest, ReproducesADriveFromItsMeasuredSpeeds) {
  DriveLog log =
      tests::RecordedDrive(WalledWorld::Room(), 10, {.sigma_m = 0.02}, kRealDrive, tests::Slalom);
  log.commands.clear();
  const auto twin = Reconstruct(std::move(log), kFootprint, Limits());
  ASSERT_OK(twin.status());
  EXPECT_FALSE(twin->drive.measured);
  EXPECT_LT(twin->faithfulness.pose_error_m, 0.08) << "a speed holds until the next is measured";
}

TEST(SiteTwinTest, DoesNotReproduceARobotThatSlips) {
  DriveLog log =
      tests::RecordedDrive(WalledWorld::Room(), 10, {.sigma_m = 0.02}, kRealDrive, tests::Slalom);
  for (TimedTwist& command : log.commands) command.wz_radps += 0.1;  // it turns less than told
  const auto twin = Reconstruct(std::move(log), kFootprint, Limits());
  ASSERT_OK(twin.status());
  EXPECT_GT(twin->faithfulness.pose_error_m, 0.5);
  EXPECT_GT(twin->faithfulness.pose_error_at_s, 5) << "it adds up";
}

TEST(SiteTwinTest, DoesNotReproduceRangesThatAreNotTheSites) {
  DriveLog log =
      tests::RecordedDrive(WalledWorld::Room(), 10, {.sigma_m = 0.02}, kRealDrive, tests::Slalom);
  // A laser that turns on its mount: the map is a smear.
  for (size_t i = 0; i < log.scans.size(); ++i) {
    std::vector<float>& ranges = log.scans[i].ranges_m;
    std::rotate(ranges.begin(), ranges.begin() + static_cast<std::ptrdiff_t>(i % ranges.size()),
                ranges.end());
  }
  const auto twin = Reconstruct(std::move(log), kFootprint, Limits());
  if (twin.ok()) {
    EXPECT_GT(twin->faithfulness.range_error_m, 0.2);
  } else {
    EXPECT_EQ(twin.status().code(), absl::StatusCode::kFailedPrecondition);
  }
}

constexpr tests::LaserFaults kLaser = {.sigma_m = 0.02};

DriveLog SlalomLog() {
  return tests::RecordedDrive(WalledWorld::Room(), 10, kLaser, kRealDrive, tests::Slalom);
}

TEST(SiteTwinTest, ReproducesADriveInADrawnMap) {
  const SiteMap drawn = tests::DrawnMap(WalledWorld::Room());
  const auto twin = Reconstruct(SlalomLog(), kFootprint, Limits(), &drawn);
  ASSERT_OK(twin.status());
  EXPECT_LT(twin->faithfulness.pose_error_m, 0.05);
  EXPECT_LT(twin->faithfulness.range_error_m, 0.06);
  EXPECT_LT(twin->faithfulness.far_off, 0.02);
  EXPECT_TRUE(std::isnan(twin->faithfulness.impossible_at_s));
  EXPECT_EQ(twin->map.columns(), drawn.columns);
}

// What the drive saw stands in the world too, and would agree with itself: the drawn walls alone
// are asked.
TEST(SiteTwinTest, DoesNotReproduceADriveInTheMapOfAnotherPlace) {
  WalledWorld other;
  other.AddBox(-0.4, -0.4, 10.4, 6.4);
  const SiteMap drawn = tests::DrawnMap(other);
  const auto twin = Reconstruct(SlalomLog(), kFootprint, Limits(), &drawn);
  ASSERT_OK(twin.status());
  EXPECT_GT(twin->faithfulness.range_error_m, 0.2);
}

TEST(SiteTwinTest, NoticesADriveThroughDrawnWallsAndOffTheMap) {
  WalledWorld blocked = WalledWorld::Room();
  blocked.AddBox(4, 0, 4.05, 6);
  const SiteMap wall = tests::DrawnMap(blocked);
  const DriveLog log = SlalomLog();
  const auto twin = Reconstruct(log, kFootprint, Limits(), &wall);
  ASSERT_OK(twin.status());
  const double at_s = twin->faithfulness.impossible_at_s;
  const auto pose = log.PoseAt(log.first_ns() + static_cast<int64_t>(at_s * 1e9));
  EXPECT_NEAR(pose.x_m + 0.2, 4, 0.1) << at_s;

  SiteMap small = tests::DrawnMap(WalledWorld::Room());
  for (size_t i = 0; i < small.cells.size(); ++i) {
    if (i % small.columns >= 90 && small.cells[i] == MapCell::kFree)
      small.cells[i] = MapCell::kUnknown;  // what the laser saw there is known all the same
  }
  const auto seen = Reconstruct(log, kFootprint, Limits(), &small);
  ASSERT_OK(seen.status());
  EXPECT_TRUE(std::isnan(seen->faithfulness.impossible_at_s));
  small.rows = 20;  // the site ends at y = 0.5 m, and the robot drives beyond
  small.cells.resize(size_t{small.columns} * small.rows);
  EXPECT_EQ(Reconstruct(log, kFootprint, Limits(), &small).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

// Somebody walks about for the whole drive, 1 m to 2 m away.
TEST(SiteTwinTest, MovingObjectsExplainWhatTheWallsDoNot) {
  DriveLog log = SlalomLog();
  const DriveLog alone = log;
  tests::AddPerson(log, [&](double seconds) {
    const auto pose = alone.PoseAt(alone.first_ns() + static_cast<int64_t>(seconds * 1e9));
    return std::optional<agent::runtime::Vec2>({pose.x_m + 1.5, pose.y_m + std::sin(seconds)});
  });
  const auto twin = Reconstruct(std::move(log), kFootprint, Limits());
  ASSERT_OK(twin.status());
  const Faithfulness& found = twin->faithfulness;
  EXPECT_GE(twin->movers.size(), 1u);
  EXPECT_GT(found.far_off_walls, 0.02);
  EXPECT_LT(found.far_off, 0.4 * found.far_off_walls);
}

// A localisation tells a pose every 0.5 s or more, in a frame that the odometry's drifts against.
TEST(SiteTwinTest, RareCorrectionsLeadTheOdometryBetweenThem) {
  const tests::TempFolder folder;
  const DriveLog log = SlalomLog();
  auto writer = agent::recording::ObservationWriter::Create(folder / "drift.mcap");
  ASSERT_OK(writer.status());
  for (size_t i = 0; i < log.poses.size(); ++i) {
    const agent::base::Nanos at(log.poses[i].at_ns);
    const auto& [x, y, yaw] = log.poses[i].pose;
    const double drift = 1e-3 * static_cast<double>(i);
    const auto turned = agent::runtime::ExactSinCos(0.7 + drift);
    v1::Observation packet;
    packet.mutable_odom()->set_x_m(3 + turned.cos * x - turned.sin * y);
    packet.mutable_odom()->set_y_m(-1 + turned.sin * x + turned.cos * y);
    packet.mutable_odom()->set_yaw_rad(yaw + 0.7 + drift);
    packet.mutable_scan()->set_angle_increment_rad(0.01);
    packet.mutable_scan()->add_ranges_m(1);
    ASSERT_OK(writer->Write(packet, at));
    const bool stands = i > 82 && i < 98;  // nothing is told of a robot that stands
    if (i % 10 != 0 || stands) continue;
    v1::Odometry corrected;
    corrected.set_x_m(x);
    corrected.set_y_m(y);
    corrected.set_yaw_rad(yaw);
    ASSERT_OK(writer->WriteMessage(kCorrectedTopic, corrected, at));
  }
  ASSERT_OK(writer->Close());
  const auto read = ReadDriveLog(folder / "drift.mcap", {});
  ASSERT_OK(read.status());
  EXPECT_TRUE(read->corrected);
  ASSERT_EQ(read->poses.size(), log.poses.size());
  for (size_t i = 0; i < log.poses.size(); ++i) {
    const auto found = read->PoseAt(log.poses[i].at_ns);
    const auto& true_pose = log.poses[i].pose;
    EXPECT_NEAR(found.x_m, true_pose.x_m, 0.01) << i;
    EXPECT_NEAR(found.y_m, true_pose.y_m, 0.01) << i;
    EXPECT_NEAR(WrappedRad(found.yaw_rad - true_pose.yaw_rad), 0, 0.01) << i;
  }
}

struct Site {
  const char* log;
  double from_s;
  double to_s;
  double pose_error_m;
  double range_error_m;
  double far_off;
};

// Real robots: the drive by the measured speeds from the first corrected pose of the part, and the
// ranges at the simulated poses against the measured ones. The limits are what was found and a
// little; see policies/README.md.
class CarmenSiteTest : public testing::TestWithParam<Site> {};

TEST_P(CarmenSiteTest, IsReproducedWithinTheStatedError) {
  const Site& site = GetParam();
  const std::string log_gz = tests::SharedRecording(std::string("carmen/") + site.log);
  SKIP_WITHOUT(log_gz);
  const tests::TempFolder folder;
  ASSERT_OK(tests::ImportCarmen(log_gz, folder / "site.mcap"));

  const auto from_ns = static_cast<int64_t>(site.from_s * 1e9);
  const auto to_ns = static_cast<int64_t>(site.to_s * 1e9);
  auto log = ReadDriveLog(folder / "site.mcap", {}, from_ns, to_ns);
  ASSERT_OK(log.status());
  EXPECT_TRUE(log->corrected);
  EXPECT_TRUE(log->commands.empty()) << "CARMEN tells measured speeds";
  const auto twin = Reconstruct(*std::move(log), kFootprint, Limits());
  ASSERT_OK(twin.status());

  const Faithfulness& found = twin->faithfulness;
  std::printf(
      "%s %.0f-%.0f s: pose %.3f m at %.1f s, range %.3f m, sigma %.3f m, dropout %.3f, outlier "
      "%.3f, far off %.3f by walls, %.3f with %zu movers, impossible %.1f s\n",
      site.log, site.from_s, site.to_s, found.pose_error_m, found.pose_error_at_s,
      found.range_error_m, twin->laser.sigma_m, twin->laser.dropout, twin->laser.outlier,
      found.far_off_walls, found.far_off, twin->movers.size(), found.impossible_at_s);
  EXPECT_LT(found.pose_error_m, site.pose_error_m);
  EXPECT_LT(found.range_error_m, site.range_error_m);
  EXPECT_LT(found.far_off, site.far_off);
  EXPECT_LE(found.far_off, found.far_off_walls) << "what moves explains ranges and invents none";
  EXPECT_TRUE(std::isnan(found.impossible_at_s));
  int touched = 0;
  for (const TimedPose& timed : twin->log.poses)
    touched += twin->movers.At(timed.at_ns).Touch(kFootprint, timed.pose) ? 1 : 0;
  EXPECT_EQ(touched, 0) << "the recorded robot ran into nobody";
}

INSTANTIATE_TEST_SUITE_P(
    , CarmenSiteTest,
    testing::Values(Site{"intel-corrected.log.gz", 196, 206, 0.05, 0.03, 0.04},
                    Site{"intel-corrected.log.gz", 398, 408, 0.07, 0.06, 0.05},
                    Site{"intel-corrected.log.gz", 346, 366, 0.20, 0.10, 0.04},
                    Site{"freiburg-079-corrected.log.gz", 40, 60, 0.12, 0.05, 0.03},
                    Site{"freiburg-079-corrected.log.gz", 100, 120, 0.32, 0.12, 0.08},
                    Site{"freiburg-079-corrected.log.gz", 300, 320, 0.40, 0.27, 0.16},
                    Site{"freiburg-079-corrected.log.gz", 500, 520, 0.20, 0.13, 0.11}));

}  // namespace
}  // namespace gatekeeper::resim
