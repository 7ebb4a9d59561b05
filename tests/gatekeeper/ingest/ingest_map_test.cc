#include <numbers>
#include <string>
#include <vector>

#include "agent/recording/mcap_writer.h"
#include "agent/recording/observation_reader.h"
#include "gatekeeper/ingest/channel_import.h"
#include "gatekeeper/ingest/recorded_map.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/ingest/cdr_bytes.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// What a recording tells of its site: the map, and where a localisation says that the robot was.

namespace {

namespace v1 = gatekeeper::v1;
using agent::recording::McapWriter;
using gatekeeper::ingest::Importer;
using gatekeeper::ingest::OpenRecording;
using gatekeeper::ingest::ReadRecordedMap;
using gatekeeper::resim::MapCell;
using gatekeeper::resim::SiteMap;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::CdrBytes;
using tests::StatusIs;

constexpr char kGrid[] = "nav_msgs/msg/OccupancyGrid";

class RecordedMapTest : public testing::Test {
 protected:
  // One topic of a common type, messages 0.1 s apart from 10 s on.
  std::string Bag(const std::string& type, const std::vector<std::string>& messages) {
    const std::string path = folder_ / "bag.mcap";
    auto writer = McapWriter::Create(path, {});
    EXPECT_OK(writer.status());
    const auto schema = writer->AddSchema(type, "", "");
    const auto channel = writer->AddChannel(*schema, "/told", "cdr", {});
    for (size_t i = 0; i < messages.size(); ++i) {
      const uint64_t at = 10'000'000'000 + 100'000'000 * i;
      EXPECT_OK(writer->Write(agent::recording::Message{.channel_id = *channel,
                                                        .sequence = 0,
                                                        .log_time_ns = at,
                                                        .publish_time_ns = at,
                                                        .data = messages[i]}));
    }
    EXPECT_OK(writer->Close());
    return path;
  }

  absl::StatusOr<SiteMap> Map(const std::vector<std::string>& messages,
                              const std::string& topic = "/told", const std::string& type = kGrid) {
    const auto file = OpenRecording(Bag(type, messages));
    if (!file.ok()) return file.status();
    return ReadRecordedMap(**file, topic);
  }

  // Two rows of three.
  static std::string Grid(const std::vector<int>& cells, uint32_t width = 3, float cell_m = 0.5F,
                          const std::vector<double>& orientation = {0, 0, 0, 1}) {
    std::string bytes;
    for (const int cell : cells) bytes += static_cast<char>(cell);
    CdrBytes grid;
    grid.Header(1, 0).Put<int32_t>(0).Put<uint32_t>(0).Put<float>(cell_m);
    grid.Put<uint32_t>(width).Put<uint32_t>(2).All<double>({-1, -2, 0}).All(orientation);
    return grid.Bytes(bytes).bytes();
  }

  tests::TempFolder folder_;
};

TEST_F(RecordedMapTest, CellsAreWhatTheGridSaysFromItsCornerOn) {
  ASSERT_OK_AND_ASSIGN(const SiteMap map, Map({Grid({0, 0, 0, 0, 0, 0}),  // the last one counts
                                               Grid({0, 19, 20, 64, 65, -1})}));
  EXPECT_EQ(map.columns, 3u);
  EXPECT_EQ(map.rows, 2u);
  EXPECT_EQ(map.cell_m, 0.5);
  EXPECT_EQ(map.corner.x, -1);
  EXPECT_EQ(map.corner.y, -2);
  EXPECT_THAT(map.cells, ElementsAre(MapCell::kFree, MapCell::kFree, MapCell::kUnknown,
                                     MapCell::kUnknown, MapCell::kOccupied, MapCell::kUnknown));
}

TEST_F(RecordedMapTest, WhatIsNoMapIsRefusedInWords) {
  const std::vector<int> six(6, 0);
  EXPECT_THAT(Map({Grid(six)}, "/tolt"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("did you mean '/told'?")));
  EXPECT_THAT(Map({}), StatusIs(absl::StatusCode::kNotFound, HasSubstr("has no message")));
  EXPECT_THAT(Map({}, "/told", "sensor_msgs/msg/LaserScan"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("a map is nav_msgs")));
  EXPECT_THAT(Map({Grid(six, 4)}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("4 x 2 with 6 cells")));
  EXPECT_THAT(Map({Grid(six, 0)}), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("6 cells")));
  EXPECT_THAT(Map({Grid(six, 3, 0)}), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("no size")));
  EXPECT_THAT(Map({Grid(six, 3, 0.5F, {0, 0, 0.1, 0.995})}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("turned")));
  const std::string whole = Grid(six);
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(Map({whole.substr(0, length)}).ok()) << length;
}

TEST_F(RecordedMapTest, BothContainersOfARealBagHoldTheSameMap) {
  const std::string mcap = tests::SharedRecording("rosbag2/rosbags-rs_all_types.mcap");
  const std::string db3 = tests::SharedRecording("rosbag2/rosbags-rs_all_types.db3");
  SKIP_WITHOUT(mcap);
  const std::string topic = "/test/nav_msgs/occupancy_grid";
  ASSERT_OK_AND_ASSIGN(const auto one, OpenRecording(mcap));
  ASSERT_OK_AND_ASSIGN(const auto other, OpenRecording(db3));
  const auto map = ReadRecordedMap(*one, topic);
  const auto same = ReadRecordedMap(*other, topic);
  ASSERT_OK(map.status());
  ASSERT_OK(same.status());
  EXPECT_EQ(map->cells.size(), size_t{map->columns} * map->rows);
  EXPECT_EQ(map->cells, same->cells);
  EXPECT_EQ(map->cell_m, same->cell_m);
}

TEST_F(RecordedMapTest, ALocalisationsPosesAreKeptBesideTheOdometry) {
  const std::vector<double> turned = {0, 0, std::numbers::sqrt2 / 2, std::numbers::sqrt2 / 2};
  CdrBytes pose;
  pose.Header(3, 0).All<double>({1, 2, 0}).All(turned).All(std::vector<double>(36, 0));
  CdrBytes plain;
  plain.Header(3, 0).All<double>({1, 2, 0}).All(turned);
  const std::pair<const char*, std::string> types[] = {
      {"geometry_msgs/msg/PoseWithCovarianceStamped", pose.bytes()},
      {"geometry_msgs/msg/PoseStamped", plain.bytes()}};
  for (const auto& [type, bytes] : types) {
    ASSERT_OK_AND_ASSIGN(const auto file, OpenRecording(Bag(type, {bytes, bytes})));
    v1::ImportMap map;
    (*map.mutable_channels())["odom_corrected"].set_topic("/told");
    ASSERT_OK_AND_ASSIGN(const Importer importer, Importer::For(*file, map));
    const auto imported = importer.Write({}, folder_ / "out.mcap");
    ASSERT_OK(imported.status());
    EXPECT_EQ(imported->channels.at("odom_corrected"), 2u);
    const auto reader = agent::recording::ObservationReader::Open(folder_ / "out.mcap",
                                                                  {{"odom", "/odom_corrected"}});
    ASSERT_OK(reader.status());
    std::vector<v1::Odometry> poses;
    ASSERT_OK(reader->ForEach([&](const agent::recording::RecordedItem& item) {
      poses.push_back(std::get<v1::Observation>(item.content).odom());
      EXPECT_EQ(item.log_time_ns, 10'000'000'000 + 100'000'000LL * (std::ssize(poses) - 1));
      return absl::OkStatus();
    }));
    ASSERT_EQ(poses.size(), 2u);
    EXPECT_EQ(poses[0].x_m(), 1);
    EXPECT_EQ(poses[0].y_m(), 2);
    EXPECT_NEAR(poses[0].yaw_rad(), std::numbers::pi / 2, 1e-12);
    EXPECT_EQ(poses[0].stamp_ns(), 3'000'000'000);
  }
}

}  // namespace
