#include <cstdio>
// libjpeg needs stdio before it.
#include <jpeglib.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "agent/recording/jpeg.h"
#include "agent/recording/observation_reader.h"
#include "agent/recording/observation_writer.h"
#include "gmock/gmock.h"
#include "google/protobuf/descriptor.pb.h"
#include "google/protobuf/dynamic_message.h"
#include "google/protobuf/util/message_differencer.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::recording {
namespace {

namespace v1 = ::gatekeeper::v1;
using base::Nanos;
using google::protobuf::util::MessageDifferencer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using tests::StatusIs;

// A packet with every channel, made of numbers that only survive exactly.
v1::Observation FullPacket() {
  v1::Observation packet;
  packet.set_seq(7);
  packet.set_stamp_ns(-42'000'001);
  packet.set_want_command(true);
  packet.set_estop_pressed(true);
  packet.mutable_scan()->set_stamp_ns(-1);
  packet.mutable_scan()->set_angle_min_rad(-3.0 * M_PI / 4);
  packet.mutable_scan()->set_angle_increment_rad(0.1 / 3);
  for (const float range : {0.1f, 0.0f, std::numeric_limits<float>::infinity(), 8.25f})
    packet.mutable_scan()->add_ranges_m(range);
  packet.mutable_odom()->set_stamp_ns(4'294'970'000'000'000'000);
  packet.mutable_odom()->set_x_m(1.0 / 3);
  packet.mutable_odom()->set_yaw_rad(3.1);
  packet.mutable_odom()->set_vx_mps(0.7);
  packet.mutable_image()->set_stamp_ns(3);
  packet.mutable_image()->set_width(2);
  packet.mutable_image()->set_height(1);
  packet.mutable_image()->set_encoding("rgb8");
  packet.mutable_image()->set_data("abcdef");
  packet.mutable_imu()->set_gz_radps(-0.2);
  packet.mutable_joints()->add_q_rad(0.5);
  (*packet.mutable_signals())["goal_range_m"].set_value(2.5);
  (*packet.mutable_signals())["supply_v"].set_value(24.1);
  return packet;
}

class RecordingObservationTest : public testing::Test {
 protected:
  ObservationWriter Writer(RecordingOptions options = {}) {
    absl::StatusOr<ObservationWriter> writer = ObservationWriter::Create(path_, std::move(options));
    EXPECT_OK(writer.status());
    return *std::move(writer);
  }

  absl::StatusOr<std::vector<RecordedItem>> ReadAll(const ChannelMap& channels = {}) {
    absl::StatusOr<ObservationReader> reader = ObservationReader::Open(path_, channels);
    if (!reader.ok()) return reader.status();
    std::vector<RecordedItem> items;
    const absl::Status status = reader->ForEach([&items](const RecordedItem& item) {
      items.push_back(item);
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    return items;
  }

  tests::TempFolder folder_;
  const std::string path_ = folder_ / "life.mcap";
};

TEST_F(RecordingObservationTest, GivesBackAPacketBitForBit) {
  ObservationWriter writer = Writer();
  ASSERT_OK(writer.Write(FullPacket(), Nanos(1000)));
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const std::vector<RecordedItem> items, ReadAll());
  ASSERT_THAT(items, SizeIs(1));
  EXPECT_EQ(items[0].log_time_ns, 1000);
  const auto& packet = std::get<v1::Observation>(items[0].content);
  EXPECT_TRUE(MessageDifferencer::Equals(packet, FullPacket())) << packet.ShortDebugString();
}

TEST_F(RecordingObservationTest, KeepsPacketsOfTheSameReceiveTimeApart) {
  ObservationWriter writer = Writer({.mcap = {.chunk_bytes = 200}});
  for (uint64_t seq = 1; seq <= 50; ++seq) {
    v1::Observation packet = FullPacket();
    packet.set_seq(seq);
    ASSERT_OK(writer.Write(packet, Nanos(seq / 10)));
  }
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const std::vector<RecordedItem> items, ReadAll());
  ASSERT_THAT(items, SizeIs(50));
  for (uint64_t i = 0; i < 50; ++i) {
    v1::Observation expected = FullPacket();
    expected.set_seq(i + 1);
    EXPECT_TRUE(MessageDifferencer::Equals(std::get<v1::Observation>(items[i].content), expected));
  }
}

// Items are read into the memory of those before them.
TEST_F(RecordingObservationTest, LeavesNothingOfAnItemInTheNext) {
  v1::Observation shorter = FullPacket();
  shorter.mutable_scan()->mutable_ranges_m()->Truncate(1);
  shorter.mutable_scan()->clear_angle_increment_rad();
  v1::Observation bare;
  bare.set_seq(9);
  const std::vector<v1::Observation> packets = {FullPacket(), bare, shorter, FullPacket()};
  v1::Command full;
  full.set_stop(true);
  full.add_values(0.25);
  full.add_reasons("envelope:hall");
  ObservationWriter writer = Writer();
  for (size_t i = 0; i < packets.size(); ++i) {
    ASSERT_OK(writer.Write(packets[i], Nanos(10 * (i + 1))));
    ASSERT_OK(writer.Write(i % 2 == 0 ? full : v1::Command(), Nanos(10 * (i + 1))));
  }
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const std::vector<RecordedItem> items, ReadAll());
  ASSERT_THAT(items, SizeIs(8));
  for (size_t i = 0; i < packets.size(); ++i) {
    EXPECT_TRUE(
        MessageDifferencer::Equals(std::get<v1::Observation>(items[2 * i].content), packets[i]))
        << i;
    EXPECT_TRUE(MessageDifferencer::Equals(std::get<v1::Command>(items[2 * i + 1].content),
                                           i % 2 == 0 ? full : v1::Command()))
        << i;
  }
}

TEST_F(RecordingObservationTest, GivesBackCommandsAndVerdictsInTheirPlaces) {
  v1::Observation packet;
  packet.mutable_odom()->set_vx_mps(1);
  v1::Command command;
  command.set_seq(4);
  command.add_values(0.25);
  v1::TickRecord tick;
  tick.set_state("NOMINAL");
  tick.add_raw(0.5);
  ObservationWriter writer = Writer();
  ASSERT_OK(writer.Write(packet, Nanos(10)));
  ASSERT_OK(writer.Write(command, Nanos(10)));
  ASSERT_OK(writer.Write(tick, Nanos(10)));
  ASSERT_OK(writer.Write(packet, Nanos(20)));
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const std::vector<RecordedItem> items, ReadAll());
  ASSERT_THAT(items, SizeIs(4));
  EXPECT_EQ(std::get<v1::Command>(items[1].content).values(0), 0.25);
  EXPECT_EQ(std::get<v1::TickRecord>(items[2].content).state(), "NOMINAL");
  EXPECT_EQ(std::get<v1::Observation>(items[3].content).odom().vx_mps(), 1);
}

TEST_F(RecordingObservationTest, ReadsOnlyTheWindowThatIsAskedFor) {
  ObservationWriter writer = Writer();
  for (uint64_t t = 0; t < 10; ++t) {
    v1::Observation packet;
    packet.set_seq(t);
    ASSERT_OK(writer.Write(packet, Nanos(t)));
  }
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const ObservationReader reader, ObservationReader::Open(path_));
  std::vector<int64_t> times;
  ASSERT_OK(reader.ForEach(3, 5, [&times](const RecordedItem& item) {
    times.push_back(item.log_time_ns);
    return absl::OkStatus();
  }));
  EXPECT_THAT(times, ElementsAre(3, 4, 5));
  EXPECT_EQ(reader.start_ns(), 0);
  EXPECT_EQ(reader.end_ns(), 9);
}

// A recording of somebody else's: no /packet, other topic names.
TEST_F(RecordingObservationTest, ReadsChannelsFromTheTopicsThatAreNamed) {
  v1::Odometry odom;
  odom.set_stamp_ns(5);
  v1::Signal goal;
  goal.set_value(0.5);
  ObservationWriter writer = Writer();
  ASSERT_OK(writer.WriteMessage("/wheel", odom, Nanos(1)));
  ASSERT_OK(writer.WriteMessage("/goal", goal, Nanos(1)));
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const std::vector<RecordedItem> items,
                       ReadAll({{"odom", "/wheel"}, {"goal_bearing_rad", "/goal"}}));
  ASSERT_THAT(items, SizeIs(2));
  const auto& first = std::get<v1::Observation>(items[0].content);
  EXPECT_EQ(first.stamp_ns(), 5);
  EXPECT_TRUE(first.has_odom());
  EXPECT_TRUE(first.network_up());
  EXPECT_EQ(std::get<v1::Observation>(items[1].content).signals().at("goal_bearing_rad").value(),
            0.5);
}

TEST_F(RecordingObservationTest, RefusesATopicThatIsAbsentOrCarriesSomethingElse) {
  ObservationWriter writer = Writer();
  ASSERT_OK(writer.WriteMessage("/wheel", v1::Odometry(), Nanos(1)));
  ASSERT_OK(writer.Close());

  EXPECT_THAT(ReadAll({{"scan", "/front"}}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no topic /front")));
  EXPECT_THAT(ReadAll({{"scan", "/wheel"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("carries gatekeeper.v1.Odometry (protobuf); channel scan is read "
                                 "from foxglove.LaserScan")));
}

TEST_F(RecordingObservationTest, RefusesWhatCannotBeRecordedWithoutLeavingHalfOfIt) {
  ObservationWriter writer = Writer();
  v1::Observation packet = FullPacket();
  packet.mutable_image()->set_height(3);
  EXPECT_THAT(writer.Write(packet, Nanos(1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("2 x 3")));
  EXPECT_THAT(writer.Write(FullPacket(), Nanos(-1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("-1 ns")));
  EXPECT_THAT(writer.WriteMessage("/a", v1::Imu(), Nanos(1)), tests::IsOk());
  EXPECT_THAT(writer.WriteMessage("/a", v1::Odometry(), Nanos(1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("carries gatekeeper.v1.Imu")));
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const McapReader reader, McapReader::Open(path_));
  EXPECT_EQ(reader.statistics()->message_count, 1u);
}

TEST_F(RecordingObservationTest, SaysWhichMessageDoesNotParse) {
  absl::StatusOr<McapWriter> mcap = McapWriter::Create(path_, {});
  ASSERT_OK(mcap);
  ASSERT_OK_AND_ASSIGN(const uint16_t schema,
                       mcap->AddSchema("foxglove.LaserScan", "protobuf", ""));
  ASSERT_OK_AND_ASSIGN(const uint16_t channel, mcap->AddChannel(schema, "/scan", "protobuf", {}));
  ASSERT_OK(mcap->Write(Message{.channel_id = channel, .log_time_ns = 77, .data = "\xFF\xFF"}));
  ASSERT_OK(mcap->Close());

  EXPECT_THAT(ReadAll(), StatusIs(absl::StatusCode::kDataLoss,
                                  HasSubstr("/scan at log time 77 ns: its bytes are not")));
}

// What Foxglove does: the schema alone is enough to read the message.
TEST_F(RecordingObservationTest, SchemasHoldEverythingThatTheyImport) {
  ObservationWriter writer = Writer();
  ASSERT_OK(writer.Write(FullPacket(), Nanos(1)));
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const McapReader reader, McapReader::Open(path_));
  ASSERT_OK(reader.ForEachMessage({}, [&reader](const Channel& channel, const Message& message) {
    const Schema& schema = reader.schemas().at(channel.schema_id);
    google::protobuf::FileDescriptorSet set;
    EXPECT_TRUE(set.ParseFromString(schema.data));
    google::protobuf::DescriptorPool pool;
    for (const auto& file : set.file()) EXPECT_NE(pool.BuildFile(file), nullptr) << file.name();
    google::protobuf::DynamicMessageFactory factory(&pool);
    const auto* type = pool.FindMessageTypeByName(schema.name);
    EXPECT_NE(type, nullptr) << schema.name;
    if (type == nullptr) return absl::OkStatus();
    const std::unique_ptr<google::protobuf::Message> dynamic(factory.GetPrototype(type)->New());
    EXPECT_TRUE(dynamic->ParseFromString(std::string(message.data)));
    if (channel.topic == "/scan") {
      EXPECT_THAT(dynamic->ShortDebugString(), HasSubstr("ranges: 8.25"));
    }
    return absl::OkStatus();
  }));
}

std::string GreyJpeg(unsigned width, unsigned height) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = width;
  info.image_height = height;
  info.input_components = 1;
  info.in_color_space = JCS_GRAYSCALE;
  jpeg_set_defaults(&info);
  jpeg_start_compress(&info, TRUE);
  std::vector<JSAMPLE> row(width, 200);
  JSAMPROW line = row.data();
  while (info.next_scanline < height) jpeg_write_scanlines(&info, &line, 1);
  jpeg_finish_compress(&info);
  std::string out(reinterpret_cast<char*>(bytes), size);
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return out;
}

TEST_F(RecordingObservationTest, DecodesJpegImages) {
  ObservationWriter writer = Writer();
  v1::Observation packet;
  packet.set_seq(3);
  ASSERT_OK(writer.WriteJpeg(packet, 99, GreyJpeg(16, 8), Nanos(5)));
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const std::vector<RecordedItem> items, ReadAll());
  ASSERT_THAT(items, SizeIs(1));
  const auto& read = std::get<v1::Observation>(items[0].content);
  EXPECT_EQ(read.seq(), 3u);
  EXPECT_EQ(read.image().stamp_ns(), 99);
  EXPECT_EQ(read.image().encoding(), "rgb8");
  EXPECT_EQ(read.image().data(), std::string(16 * 8 * 3, static_cast<char>(200)));
}

TEST_F(RecordingObservationTest, RefusesDamagedAndOversizedJpegsWithoutCrashing) {
  const std::string jpeg = GreyJpeg(32, 32);
  for (size_t size = 0; size + 2 < jpeg.size(); ++size)
    EXPECT_THAT(DecodeJpeg(std::string_view(jpeg).substr(0, size)),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("does not decode")));
  for (size_t bit = 0; bit < jpeg.size() * 8; ++bit) {
    std::string flipped = jpeg;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    (void)DecodeJpeg(flipped);  // a changed pixel is no damage; a crash would be
  }
  std::string huge = jpeg;
  const size_t frame = huge.find("\xFF\xC0");
  ASSERT_NE(frame, std::string::npos);
  huge.replace(frame + 5, 4, "\x7F\xFF\x7F\xFF");
  EXPECT_THAT(DecodeJpeg(huge),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("32767 x 32767")));
}

}  // namespace
}  // namespace agent::recording
