#include <cmath>
#include <map>
#include <string>

#include "agent/recording/observation_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/importers/archive.h"
#include "tests/support/importers/carmen.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/importers/tub.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::recording {
namespace {

namespace v1 = ::gatekeeper::v1;
using testing::HasSubstr;
using tests::StatusIs;

// What stands in an imported log, by its own stamps.
struct Contents {
  size_t scans = 0;
  size_t odometry = 0;
  size_t commands = 0;
  size_t backward_scan_stamps = 0;
  size_t backward_log_times = 0;
  int64_t first_scan_ns = 0;
  int64_t last_scan_ns = 0;
  int64_t last_log_time_ns = 0;
  double fastest_mps = 0;
  v1::LaserScan first_scan;

  void Add(const RecordedItem& item) {
    backward_log_times += item.log_time_ns < last_log_time_ns ? 1 : 0;
    last_log_time_ns = item.log_time_ns;
    if (const auto* command = std::get_if<v1::Command>(&item.content)) {
      ++commands;
      fastest_mps = std::max(fastest_mps, std::abs(command->values(0)));
      return;
    }
    const auto& packet = std::get<v1::Observation>(item.content);
    odometry += packet.has_odom() ? 1 : 0;
    if (!packet.has_scan()) return;
    const int64_t stamp = packet.scan().stamp_ns();
    if (scans == 0) {
      first_scan_ns = stamp;
      first_scan = packet.scan();
    }
    backward_scan_stamps += scans > 0 && stamp < last_scan_ns ? 1 : 0;
    last_scan_ns = stamp;
    ++scans;
  }
};

absl::StatusOr<Contents> Read(const std::string& path) {
  absl::StatusOr<ObservationReader> reader = ObservationReader::Open(path);
  if (!reader.ok()) return reader.status();
  Contents contents;
  const absl::Status status = reader->ForEach([&contents](const RecordedItem& item) {
    contents.Add(item);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return contents;
}

size_t MessagesOn(const McapReader& reader, const std::string& topic) {
  for (const auto& [id, channel] : reader.channels())
    if (channel.topic == topic) return reader.statistics()->channel_message_counts.at(id);
  return 0;
}

struct Site {
  const char* name;
  size_t scans;
  size_t odom_lines;
  size_t beams;
  double increment_deg;
};

class CarmenImportTest : public testing::TestWithParam<Site> {};

// Counts by independent parsers (the recordings' README).
TEST_P(CarmenImportTest, KeepsEveryScanAndEveryPose) {
  const Site& site = GetParam();
  const std::string log = tests::SharedRecording(std::string("carmen/") + site.name + ".log.gz");
  SKIP_WITHOUT(log);
  tests::TempFolder folder;
  const std::string path = folder / "a.mcap";

  ASSERT_OK_AND_ASSIGN(const tests::CarmenCounts counts, tests::ImportCarmen(log, path));

  EXPECT_EQ(counts.scans, site.scans);
  EXPECT_EQ(counts.odometry + counts.corrected, site.odom_lines);
  ASSERT_OK_AND_ASSIGN(const Contents contents, Read(path));
  EXPECT_EQ(contents.scans, site.scans);
  EXPECT_EQ(contents.odometry, counts.odometry);
  EXPECT_EQ(contents.commands, counts.odometry);
  EXPECT_EQ(contents.backward_log_times, 0u);
  EXPECT_EQ(static_cast<size_t>(contents.first_scan.ranges_m_size()), site.beams);
  EXPECT_DOUBLE_EQ(contents.first_scan.angle_min_rad(), -M_PI / 2);
  EXPECT_DOUBLE_EQ(contents.first_scan.angle_increment_rad(), site.increment_deg * M_PI / 180);
  ASSERT_OK_AND_ASSIGN(const McapReader reader, McapReader::Open(path));
  EXPECT_EQ(MessagesOn(reader, "/odom_corrected"), counts.corrected);
}

INSTANTIATE_TEST_SUITE_P(Sites, CarmenImportTest,
                         testing::Values(Site{"intel-corrected", 910, 14541, 180, 1.0},
                                         Site{"freiburg-079-corrected", 4791, 9725, 360, 0.5},
                                         Site{"aces-corrected", 440, 7814, 180, 1.0},
                                         Site{"fhw-corrected", 488, 13935, 180, 1.0},
                                         Site{"belgioioso-corrected", 395, 4442, 361, 0.5},
                                         Site{"infinite-corridor-corrected", 1941, 18191, 180,
                                              1.0}),
                         [](const auto& site) {
                           std::string name = site.param.name;
                           std::erase(name, '-');
                           return name;
                         });

TEST(RecordingImportersTest, TheFourBackwardStampsOfIntelSurvive) {
  const std::string log = tests::SharedRecording("carmen/intel-corrected.log.gz");
  SKIP_WITHOUT(log);
  tests::TempFolder folder;
  ASSERT_OK(tests::ImportCarmen(log, folder / "a.mcap"));

  ASSERT_OK_AND_ASSIGN(const Contents contents, Read(folder / "a.mcap"));
  EXPECT_EQ(contents.backward_scan_stamps, 4u);
  EXPECT_EQ((contents.last_scan_ns - contents.first_scan_ns + 500'000'000) / 1'000'000'000, 2651);
  EXPECT_FLOAT_EQ(contents.first_scan.ranges_m(0), 1.09f);
  EXPECT_GT(contents.fastest_mps, 0.2) << "the robot drove 500 m in 2651 s";
  EXPECT_LT(contents.fastest_mps, 2.0);
}

TEST(RecordingImportersTest, ImportsEveryFrameOfTheTub) {
  const std::string tub = tests::SharedRecording("donkeycar-tub/tub.tar.gz");
  SKIP_WITHOUT(tub);
  tests::TempFolder folder;

  ASSERT_OK_AND_ASSIGN(const size_t frames, tests::ImportTub(tub, folder / "a.mcap"));

  EXPECT_EQ(frames, 1000u);
  ASSERT_OK_AND_ASSIGN(const ObservationReader reader, ObservationReader::Open(folder / "a.mcap"));
  size_t images = 0;
  std::map<std::string, double> low_high = {
      {"throttle-", 9}, {"throttle+", -9}, {"steering-", 9}, {"steering+", -9}};
  ASSERT_OK(reader.ForEach([&](const RecordedItem& item) {
    if (const auto* packet = std::get_if<v1::Observation>(&item.content)) {
      EXPECT_EQ(packet->image().data().size(), 160u * 120 * 3);
      EXPECT_EQ(packet->image().stamp_ns(), static_cast<int64_t>(images) * 50'000'000);
      ++images;
      return absl::OkStatus();
    }
    const auto& command = std::get<v1::Command>(item.content);
    low_high["throttle-"] = std::min(low_high["throttle-"], command.values(0));
    low_high["throttle+"] = std::max(low_high["throttle+"], command.values(0));
    low_high["steering-"] = std::min(low_high["steering-"], command.values(1));
    low_high["steering+"] = std::max(low_high["steering+"], command.values(1));
    return absl::OkStatus();
  }));
  EXPECT_EQ(images, 1000u);
  EXPECT_NEAR(low_high["throttle-"], 0.416, 0.001);
  EXPECT_NEAR(low_high["throttle+"], 0.804, 0.001);
  EXPECT_NEAR(low_high["steering-"], -0.857, 0.001);
  EXPECT_NEAR(low_high["steering+"], 1.0, 0.001);
}

TEST(RecordingImportersTest, RefusesACutOffArchive) {
  const std::string tar = std::string(512, 'x');
  EXPECT_THAT(tests::ForEachTarFile(
                  tar, [](std::string_view, std::string_view) { return absl::OkStatus(); }),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("octal")));
}

}  // namespace
}  // namespace agent::recording
