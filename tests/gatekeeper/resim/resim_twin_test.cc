#include <cmath>
#include <cstdio>
#include <string>

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

using agent::runtime::Footprint;
using agent::runtime::Region;
using agent::runtime::TwistLimits;
using tests::WalledWorld;

const Footprint kFootprint(Region::Circle({0, 0}, 0.2));

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

struct Site {
  const char* log;
  double from_s;
  double to_s;
  double pose_error_m;
  double range_error_m;
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
      "%.3f\n",
      site.log, site.from_s, site.to_s, found.pose_error_m, found.pose_error_at_s,
      found.range_error_m, twin->laser.sigma_m, twin->laser.dropout, twin->laser.outlier);
  EXPECT_LT(found.pose_error_m, site.pose_error_m);
  EXPECT_LT(found.range_error_m, site.range_error_m);
}

INSTANTIATE_TEST_SUITE_P(
    , CarmenSiteTest,
    testing::Values(Site{"intel-corrected.log.gz", 196, 206, 0.05, 0.03},
                    Site{"intel-corrected.log.gz", 398, 408, 0.04, 0.06},
                    Site{"intel-corrected.log.gz", 346, 366, 0.20, 0.10},
                    Site{"freiburg-079-corrected.log.gz", 40, 60, 0.12, 0.05},
                    Site{"freiburg-079-corrected.log.gz", 100, 120, 0.32, 0.12},
                    Site{"freiburg-079-corrected.log.gz", 300, 320, 0.40, 0.27},
                    Site{"freiburg-079-corrected.log.gz", 500, 520, 0.20, 0.13}));

}  // namespace
}  // namespace gatekeeper::resim
