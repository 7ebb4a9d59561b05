#include <gmock/gmock.h>

#include <map>
#include <random>

#include "absl/strings/str_format.h"
#include "agent/base/sealed_memory.h"
#include "agent/control/observation_packet.h"
#include "agent/runtime/input_board.h"
#include "google/protobuf/util/message_differencer.h"
#include "tests/support/status_matchers.h"

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;
using google::protobuf::util::MessageDifferencer;
using ::testing::HasSubstr;
using ::tests::StatusIs;

v1::Observation Random(std::mt19937& random) {
  v1::Observation packet;
  const auto coin = [&] { return random() % 2 == 0; };
  packet.set_seq(random());
  packet.set_stamp_ns(static_cast<int64_t>(random()) - 1000);
  packet.set_want_command(coin());
  packet.set_estop_pressed(coin());
  packet.set_network_up(coin());
  if (coin()) {
    packet.mutable_scan()->set_angle_min_rad(-1.5);
    for (size_t i = random() % 50; i > 0; --i) packet.mutable_scan()->add_ranges_m(1.5F);
  }
  if (coin()) packet.mutable_odom()->set_vx_mps(0.25);
  if (coin()) packet.mutable_odom()->set_pose_sigma_m(0.1);
  if (coin()) {
    packet.mutable_image()->set_encoding("mono8");
    packet.mutable_image()->set_data(std::string(random() % 100, 'i'));
  }
  if (coin()) packet.mutable_imu()->set_gz_radps(3);
  for (size_t i = random() % 4; i > 0; --i) packet.mutable_joints()->add_q_rad(0.5);
  for (size_t i = random() % 6; i > 0; --i) {
    v1::Signal& signal =
        (*packet.mutable_signals())["a_signal_with_a_long_name_" + std::to_string(random() % 9)];
    signal.set_value(static_cast<double>(random() % 100));
    if (coin()) signal.set_stamp_ns(static_cast<int64_t>(random()));
  }
  return packet;
}

// What was read, as protobuf would have it.
v1::Observation Whole(const ParsedObservation& parsed) {
  v1::Observation whole = parsed.observation();
  for (const ParsedObservation::Signal& signal : parsed.signals()) {
    v1::Signal& value = (*whole.mutable_signals())[signal.name];
    value.set_value(signal.value);
    value.set_stamp_ns(signal.stamp_ns);
  }
  return whole;
}

std::string Hex(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) text += absl::StrFormat("%02x ", static_cast<unsigned char>(c));
  return text;
}

void StampSignals(v1::Observation& packet) {
  for (auto& [name, signal] : *packet.mutable_signals()) {
    if (signal.stamp_ns() == 0) signal.set_stamp_ns(packet.stamp_ns());
  }
}

TEST(ParsedObservationTest, ReadsWhatProtobufReadsPacketAfterPacket) {
  std::mt19937 random(11);
  ParsedObservation parsed;
  for (int i = 0; i < 5000; ++i) {
    v1::Observation sent = Random(random);
    ASSERT_OK(parsed.Parse(sent.SerializeAsString(), -1));
    StampSignals(sent);
    ASSERT_TRUE(MessageDifferencer::Equals(Whole(parsed), sent)) << sent.ShortDebugString();
  }
}

TEST(ParsedObservationTest, AcceptsOfDamagedPacketsExactlyWhatProtobufAccepts) {
  std::mt19937 random(12);
  ParsedObservation parsed;
  int accepted = 0;
  int refused = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string bytes = Random(random).SerializeAsString();
    if (bytes.empty()) continue;
    for (size_t n = random() % 3; n > 0; --n) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (random() % 3 == 0) bytes.resize(random() % bytes.size());
    v1::Observation expected;
    const bool sound = expected.ParseFromString(bytes);
    (sound ? accepted : refused) += 1;
    ASSERT_EQ(parsed.Parse(bytes, -1).ok(), sound) << "packet " << i << ": " << Hex(bytes);
    if (!sound) continue;
    StampSignals(expected);
    v1::Observation read = Whole(parsed);
    // What neither side knows is nobody's business.
    expected.DiscardUnknownFields();
    read.DiscardUnknownFields();
    ASSERT_EQ(read.SerializeAsString().size(), expected.SerializeAsString().size())
        << "packet " << i << "\n"
        << read.ShortDebugString() << "\n"
        << expected.ShortDebugString();
  }
  EXPECT_GT(accepted, 10'000);
  EXPECT_GT(refused, 10'000);
}

TEST(ParsedObservationTest, OfASignalThatComesTwiceTheLastCountsAndChannelsAreMerged) {
  v1::Observation first;
  first.mutable_odom()->set_vx_mps(1);
  (*first.mutable_signals())["speed"].set_value(1);
  v1::Observation second;
  second.mutable_odom()->set_x_m(2);
  (*second.mutable_signals())["speed"].set_value(2);
  ParsedObservation parsed;
  ASSERT_OK(parsed.Parse(first.SerializeAsString() + second.SerializeAsString(), -1));
  ASSERT_EQ(parsed.signals().size(), 1);
  EXPECT_EQ(parsed.signals()[0].value, 2);
  EXPECT_EQ(parsed.observation().odom().vx_mps(), 1);
  EXPECT_EQ(parsed.observation().odom().x_m(), 2);
}

TEST(ParsedObservationTest, RefusesMoreSignalsThanAnyRobotHas) {
  v1::Observation packet;
  for (size_t i = 0; i < runtime::kMaxSignals; ++i) {
    (*packet.mutable_signals())["s" + std::to_string(i)].set_value(1);
  }
  ParsedObservation parsed;
  EXPECT_OK(parsed.Parse(packet.SerializeAsString(), -1));
  (*packet.mutable_signals())["one_more"].set_value(1);
  EXPECT_THAT(parsed.Parse(packet.SerializeAsString(), -1),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no Observation")));
}

TEST(ParsedObservationTest, TakesAnImageFromTheMemoryBesideThePacketOnlyIfOneWaitsForIt) {
  auto memory = base::SealBytes("image", "12345678");
  ASSERT_OK(memory);
  ParsedObservation parsed;
  v1::Observation packet;
  EXPECT_THAT(parsed.Parse(packet.SerializeAsString(), memory->get()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("needs none")));
  packet.mutable_image()->set_width(8);
  EXPECT_OK(parsed.Parse(packet.SerializeAsString(), memory->get()));
  EXPECT_EQ(parsed.observation().image().data(), "12345678");
  packet.mutable_image()->set_data("87654321");
  EXPECT_THAT(parsed.Parse(packet.SerializeAsString(), memory->get()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("needs none")));
  packet.mutable_image()->clear_data();
  EXPECT_FALSE(parsed.Parse(packet.SerializeAsString(), 0).ok()) << "not a sealed memfd";
}

}  // namespace
}  // namespace agent::control
