#include <cmath>
#include <limits>
#include <numbers>

#include "agent/recording/mcap_writer.h"
#include "agent/recording/observation_reader.h"
#include "gatekeeper/ingest/channel_import.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/ingest/cdr_bytes.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// Recordings of others as ours: what a robot's controller would receive.

namespace {

namespace v1 = gatekeeper::v1;
using agent::recording::McapWriter;
using agent::recording::ObservationReader;
using agent::recording::RecordedItem;
using gatekeeper::ingest::Imported;
using gatekeeper::ingest::Importer;
using gatekeeper::ingest::OpenRecording;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::CdrBytes;
using tests::StatusIs;

constexpr float kInf = std::numeric_limits<float>::infinity();

class ImportTest : public testing::Test {
 protected:
  // A bag as rosbag2 writes it, one topic of a common type and messages 0.1 s apart from 10 s on.
  void Bag(const std::string& topic, const std::string& type,
           const std::vector<std::string>& messages) {
    bag_.push_back({topic, type, messages});
  }

  void MakeBag() {
    auto writer = McapWriter::Create(folder_ / "bag.mcap", {});
    ASSERT_OK(writer.status());
    std::vector<uint16_t> channels;
    size_t most = 0;
    for (const Lane& lane : bag_) {
      const auto schema = writer->AddSchema(lane.type, "", "");
      ASSERT_OK(schema.status());
      const auto channel = writer->AddChannel(*schema, lane.topic, "cdr", {});
      ASSERT_OK(channel.status());
      channels.push_back(*channel);
      most = std::max(most, lane.messages.size());
    }
    for (size_t i = 0; i < most; ++i) {
      for (size_t lane = 0; lane < bag_.size(); ++lane) {
        if (i >= bag_[lane].messages.size()) continue;
        const uint64_t at = 10'000'000'000 + 100'000'000 * i;
        ASSERT_OK(writer->Write(agent::recording::Message{.channel_id = channels[lane],
                                                          .sequence = 0,
                                                          .log_time_ns = at,
                                                          .publish_time_ns = at,
                                                          .data = bag_[lane].messages[i]}));
      }
    }
    ASSERT_OK(writer->Close());
  }

  absl::StatusOr<Imported> Import() {
    MakeBag();
    return Import(folder_ / "bag.mcap");
  }
  absl::StatusOr<Imported> Import(const std::string& path) {
    const auto file = OpenRecording(path);
    if (!file.ok()) return file.status();
    const auto importer = Importer::For(**file, map_);
    if (!importer.ok()) return importer.status();
    return importer->Write({}, to());
  }
  std::string to() const { return folder_ / "out.mcap"; }

  std::vector<RecordedItem> Items() {
    std::vector<RecordedItem> items;
    const auto reader = ObservationReader::Open(to());
    EXPECT_OK(reader.status());
    if (!reader.ok()) return items;
    EXPECT_OK(reader->ForEach([&](const RecordedItem& item) {
      items.push_back(item);
      return absl::OkStatus();
    }));
    return items;
  }
  v1::Observation Packet(size_t index) {
    return std::get<v1::Observation>(Items().at(index).content);
  }

  v1::ChannelSource& Channel(const std::string& name, const std::string& topic) {
    v1::ChannelSource& source = (*map_.mutable_channels())[name];
    source.set_topic(topic);
    return source;
  }

  struct Lane {
    std::string topic;
    std::string type;
    std::vector<std::string> messages;
  };
  tests::TempFolder folder_;
  std::vector<Lane> bag_;
  v1::ImportMap map_;
};

TEST_F(ImportTest, ALaserScanKeepsItsAnglesAndOnlyRangesThatTheSensorVouchesFor) {
  CdrBytes scan;
  scan.Header(9, 5).All<float>({-1.5f, 1.5f, 0.5f, 0, 0.1f, 0.2f, 8.0f});
  scan.Sequence<float>({0.1f, 0.2f, 8.0f, 8.1f, kInf, -kInf, NAN}).Sequence<float>({});
  Bag("/scan", "sensor_msgs/msg/LaserScan", {scan.bytes()});
  Channel("scan", "/scan");
  const auto imported = Import();
  ASSERT_OK(imported.status());
  EXPECT_EQ(imported->channels.at("scan"), 1u);
  const v1::Observation packet = Packet(0);
  EXPECT_EQ(packet.scan().stamp_ns(), 9'000'000'005);
  EXPECT_EQ(packet.stamp_ns(), 9'000'000'005);
  EXPECT_TRUE(packet.want_command());
  EXPECT_FLOAT_EQ(static_cast<float>(packet.scan().angle_min_rad()), -1.5f);
  EXPECT_NEAR(packet.scan().angle_increment_rad(), 0.5, 1e-9);
  EXPECT_THAT(packet.scan().ranges_m(), ElementsAre(0, 0.2f, 8.0f, 0, 0, 0.2f, 0));
}

TEST_F(ImportTest, OdometryTurnsItsQuaternionIntoYaw) {
  for (const double yaw : {0.0, 0.7, 3.0, -3.0}) {
    CdrBytes odom;
    odom.Header(1, 0)
        .Text("base_link")
        .All<double>({1, 2, 0, 0, 0, std::sin(yaw / 2), std::cos(yaw / 2)});
    std::vector<double> covariance(36, 0);
    covariance[0] = 0.04;
    covariance[7] = 0.09;
    odom.All(covariance).All<double>({0.5, 0, 0, 0, 0, -0.25}).All(std::vector<double>(36, 0));
    bag_.clear();
    Bag("/odom", "nav_msgs/msg/Odometry", {odom.bytes()});
    Channel("odom", "/odom");
    ASSERT_OK(Import().status());
    const v1::Odometry found = Packet(0).odom();
    EXPECT_NEAR(found.yaw_rad(), yaw, 1e-12);
    EXPECT_EQ(found.x_m(), 1);
    EXPECT_EQ(found.y_m(), 2);
    EXPECT_EQ(found.vx_mps(), 0.5);
    EXPECT_EQ(found.wz_radps(), -0.25);
    EXPECT_NEAR(found.pose_sigma_m(), 0.3, 1e-12);
  }
}

TEST_F(ImportTest, AQuaternionIsBroughtToLengthOneAndWhatIsNoneIsRefused) {
  const auto odom = [](double length) {
    CdrBytes bytes;
    bytes.Header(1, 0)
        .Text("base_link")
        .All<double>({1, 2, 0, 0, 0, length * std::sin(0.35), length * std::cos(0.35)});
    bytes.All(std::vector<double>(36, 0)).All<double>({0.5, 0, 0, 0, 0, 0});
    bytes.All(std::vector<double>(36, 0));
    return bytes.bytes();
  };
  Channel("odom", "/odom");
  for (const double length : {0.991, 1.009, -1.009}) {
    bag_.clear();
    Bag("/odom", "nav_msgs/msg/Odometry", {odom(length)});
    ASSERT_OK(Import().status()) << length;
    EXPECT_NEAR(Packet(0).odom().yaw_rad(), 0.7, 1e-12) << length;
  }
  for (const double length : {0.0, 0.989, 1.011, 2.0, 1e200, static_cast<double>(NAN)}) {
    bag_.clear();
    Bag("/odom", "nav_msgs/msg/Odometry", {odom(length)});
    EXPECT_THAT(Import(), StatusIs(absl::StatusCode::kDataLoss,
                                   AllOf(HasSubstr("topic /odom (nav_msgs/msg/Odometry), log time"),
                                         HasSubstr("a quaternion of length "),
                                         HasSubstr(", which is no turn"))))
        << length;
  }
}

TEST_F(ImportTest, CommandsAndSignalsAreNumbersOfAnyTypeScaled) {
  CdrBytes twist;
  twist.All<double>({0.5, 0, 0, 0, 0, 0.25});
  CdrBytes lost;
  lost.All<double>({NAN, 0, 0, 0, 0, 0});
  Bag("/cmd_vel", "geometry_msgs/msg/Twist", {twist.bytes(), lost.bytes()});
  CdrBytes battery;
  battery.Header(3, 0).All<float>({24.5f, 30, 1, 1, 1, 1, 1}).All<uint8_t>({1, 1, 1, 1});
  battery.Sequence<float>({4.0f, 4.5f}).Sequence<float>({}).Text("").Text("");
  Bag("/battery", "sensor_msgs/msg/BatteryState", {battery.bytes()});
  v1::ChannelSource& command = Channel("command", "/cmd_vel");
  command.add_fields("linear.x");
  command.add_fields("angular.z");
  v1::ChannelSource& cell = Channel("cell_mv", "/battery");
  cell.set_field("cell_voltage[1]");
  cell.set_scale(1000);
  cell.set_offset(-0.5);
  Channel("absent_v", "/battery").set_field("cell_voltage[2]");
  const auto imported = Import();
  ASSERT_OK(imported.status());
  EXPECT_EQ(imported->channels.size(), 2u);
  EXPECT_EQ(imported->left_out, 2u);
  std::vector<v1::Command> commands;
  for (const RecordedItem& item : Items()) {
    if (const auto* made = std::get_if<v1::Command>(&item.content)) commands.push_back(*made);
    if (const auto* packet = std::get_if<v1::Observation>(&item.content)) {
      EXPECT_EQ(packet->signals().at("cell_mv").value(), 4499.5);
      EXPECT_EQ(packet->signals().at("cell_mv").stamp_ns(), 3'000'000'000);
    }
  }
  ASSERT_EQ(commands.size(), 1u);
  EXPECT_THAT(commands[0].values(), ElementsAre(0.5, 0.25));
  EXPECT_EQ(commands[0].stamp_ns(), 10'000'000'000) << "a Twist has no stamp: the log time is";
}

TEST_F(ImportTest, ImagesLoseTheirRowPaddingAndComeAsRgb) {
  CdrBytes image;
  image.Header(1, 0).Put<uint32_t>(2).Put<uint32_t>(1).Text("bgr8").Put<uint8_t>(0);
  image.Put<uint32_t>(4).Bytes("123.456.");
  Bag("/image", "sensor_msgs/msg/Image", {image.bytes()});
  Channel("image", "/image");
  ASSERT_OK(Import().status());
  EXPECT_EQ(Packet(0).image().data(), "321654");
  EXPECT_EQ(Packet(0).image().encoding(), "rgb8");
}

TEST_F(ImportTest, AnImageThatLacksRowsIsRefusedAndNothingIsLeft) {
  CdrBytes image;
  image.Header(1, 0).Put<uint32_t>(3).Put<uint32_t>(1).Text("mono8").Put<uint8_t>(0);
  image.Put<uint32_t>(4).Bytes("123.456.");
  Bag("/image", "sensor_msgs/msg/Image", {image.bytes()});
  Channel("image", "/image");
  EXPECT_THAT(Import(), StatusIs(absl::StatusCode::kDataLoss,
                                 HasSubstr("topic /image (sensor_msgs/msg/Image), log time "
                                           "10000000000 ns: an image of 1 x 3 in 8 bytes")));
  EXPECT_FALSE(tests::Exists(to()));
  EXPECT_FALSE(tests::Exists(to() + ".unfinished"));
}

TEST_F(ImportTest, JointsAndImuKeepTheirOrder) {
  CdrBytes joints;
  joints.Header(1, 0).Put<uint32_t>(2).Text("shoulder").Text("elbow");
  joints.Sequence<double>({0.1, 0.2}).Sequence<double>({1, 2}).Sequence<double>({});
  Bag("/joints", "sensor_msgs/msg/JointState", {joints.bytes()});
  CdrBytes imu;
  imu.Header(1, 0).All<double>({0, 0, 0, 1}).All(std::vector<double>(9, 0));
  imu.All<double>({0.1, 0.2, 0.3}).All(std::vector<double>(9, 0));
  imu.All<double>({1, 2, 9.8}).All(std::vector<double>(9, 0));
  Bag("/imu", "sensor_msgs/msg/Imu", {imu.bytes()});
  Channel("joints", "/joints");
  Channel("imu", "/imu");
  ASSERT_OK(Import().status());
  const v1::Observation first = Packet(0);
  const v1::Observation second = Packet(1);
  EXPECT_THAT(first.joints().q_rad(), ElementsAre(0.1, 0.2));
  EXPECT_THAT(first.joints().qd_radps(), ElementsAre(1, 2));
  EXPECT_EQ(second.imu().az_mps2(), 9.8);
  EXPECT_EQ(second.imu().gz_radps(), 0.3);
}

// 20 x 20 cells of 0.1 m around the robot, an obstacle 0.5 m ahead of its middle.
std::string Grid(int8_t obstacle, const std::vector<double>& orientation) {
  std::string cells(400, '\0');
  for (const size_t row : {size_t{9}, size_t{10}})
    cells[row * 20 + 15] = static_cast<char>(obstacle);
  CdrBytes grid;
  grid.Header(1, 0).Put<int32_t>(0).Put<uint32_t>(0).Put<float>(0.1f);
  grid.Put<uint32_t>(20).Put<uint32_t>(20).All<double>({-1, -1, 0}).All(orientation).Bytes(cells);
  return grid.bytes();
}

TEST_F(ImportTest, AGridIsSeenFromItsMiddleAsALaserWouldSeeIt) {
  Bag("/grid", "nav_msgs/msg/OccupancyGrid",
      {Grid(100, {0, 0, 0, 1}), Grid(64, {0, 0, 0, 1}), Grid(-1, {0, 0, 0, 1}),
       Grid(100, {0, 0, std::numbers::sqrt2 / 2, std::numbers::sqrt2 / 2})});
  v1::ChannelSource& scan = Channel("scan", "/grid");
  scan.mutable_grid()->set_beams(8);
  scan.mutable_grid()->set_range_m(5);
  scan.mutable_grid()->set_min_cost(65);
  ASSERT_OK(Import().status());
  constexpr int kAhead = 4;  // of 8 beams from -pi on
  constexpr int kLeft = 6;
  EXPECT_NEAR(Packet(0).scan().ranges_m(kAhead), 0.5, 1e-6);
  EXPECT_EQ(Packet(0).scan().ranges_m(kLeft), kInf);
  EXPECT_EQ(Packet(1).scan().ranges_m(kAhead), kInf) << "less than min_cost";
  EXPECT_EQ(Packet(2).scan().ranges_m(kAhead), kInf) << "unknown is no obstacle";
  // The same grid turned to the left.
  EXPECT_EQ(Packet(3).scan().ranges_m(kAhead), kInf);
  EXPECT_NEAR(Packet(3).scan().ranges_m(kLeft), 0.5, 1e-6);
}

TEST_F(ImportTest, AMapThatDoesNotFitIsRefusedInWords) {
  CdrBytes twist;
  twist.All<double>({0.5, 0, 0, 0, 0, 0.25});
  Bag("/cmd_vel", "geometry_msgs/msg/Twist", {twist.bytes()});
  const auto refused = [&](const std::string& why) {
    EXPECT_THAT(Import(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(why)));
    map_.clear_channels();
  };
  refused("names no channel");
  Channel("odom", "/cmd_vell");
  refused("has no topic '/cmd_vell'; did you mean '/cmd_vel'?");
  Channel("odom", "/cmd_vel");
  refused("is geometry_msgs/msg/Twist; it is made of nav_msgs/Odometry");
  Channel("command", "/cmd_vel");
  refused("fields must name the numbers");
  Channel("speed_mps", "/cmd_vel");
  refused("field must name the signal's number");
  Channel("speed_mps", "/cmd_vel").set_field("linear.w");
  refused("geometry_msgs/Vector3 has no field 'w'");
  Channel("speed_mps", "/cmd_vel").set_field("linear.x");
  Channel("speed_mps", "/cmd_vel").set_stamp("linear.y");
  refused("stamp 'linear.y' is no time");
  Channel("scan", "/cmd_vel").mutable_grid();
  refused("it is made of sensor_msgs/LaserScan, nav_msgs/OccupancyGrid with grid");
}

TEST_F(ImportTest, Nav2sObstacleStandsAheadBetweenItsTimes) {
  const std::string path = tests::SharedRecording("nav2-collision/cm_moving_obstacle_0.mcap.zstd");
  SKIP_WITHOUT(path);
  v1::ChannelSource& scan = Channel("scan", "/local_costmap/costmap");
  scan.mutable_grid()->set_beams(360);
  scan.mutable_grid()->set_range_m(3);
  scan.mutable_grid()->set_min_cost(254);
  v1::ChannelSource& command = Channel("command", "/cmd_vel_smoothed");
  command.add_fields("linear.x");
  command.add_fields("angular.z");
  const auto imported = Import(path);
  ASSERT_OK(imported.status());
  EXPECT_EQ(imported->channels.at("scan"), 231u);
  EXPECT_EQ(imported->channels.at("command"), 231u);
  double first_s = -1;
  double last_s = -1;
  for (const RecordedItem& item : Items()) {
    const auto* packet = std::get_if<v1::Observation>(&item.content);
    if (packet == nullptr) continue;
    // The obstacle is the robot's own cell, which a laser must see and not overlook as range 0.
    for (const float range_m : packet->scan().ranges_m()) {
      ASSERT_TRUE(range_m == kInf || std::abs(range_m - 0.025) < 1e-6) << range_m;
    }
    if (packet->scan().ranges_m(0) == kInf) continue;
    last_s = static_cast<double>(packet->scan().stamp_ns()) * 1e-9;
    if (first_s < 0) first_s = last_s;
  }
  EXPECT_NEAR(first_s, 3.0, 0.1);
  EXPECT_NEAR(last_s, 8.0, 0.1);
}

}  // namespace
