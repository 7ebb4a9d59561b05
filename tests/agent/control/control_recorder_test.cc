#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <thread>

#include "agent/base/files.h"
#include "agent/base/sealed_memory.h"
#include "agent/control/flight_recorder.h"
#include "agent/recording/mcap_reader.h"
#include "agent/recording/observation_reader.h"
#include "proto/foxglove.pb.h"
#include "proto/health.pb.h"
#include "tests/support/fake_clock.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

std::string CommandNumber(uint64_t seq) {
  v1::Command command;
  command.set_seq(seq);
  return command.SerializeAsString();
}

v1::Image Grey(int64_t stamp_ns) {
  v1::Image image;
  image.set_stamp_ns(stamp_ns);
  image.set_width(4);
  image.set_height(2);
  image.set_encoding("mono8");
  image.set_data("12345678");
  return image;
}

class FlightRecorderTest : public testing::Test {
 protected:
  RecorderOptions Options() {
    RecorderOptions options;
    options.ring.folder = folder_ / "recorder";
    return options;
  }
  std::string File() {
    const auto files = recording::RecorderRing::FilesOf(folder_ / "recorder");
    EXPECT_OK(files.status());
    EXPECT_EQ(files->size(), 1);
    return files->front();
  }
  // Every item that a replay would see.
  std::vector<recording::RecordedItem> Items() {
    std::vector<recording::RecordedItem> items;
    auto reader = recording::ObservationReader::Open(File(), {});
    EXPECT_OK(reader.status());
    EXPECT_OK(reader->ForEach([&](const recording::RecordedItem& item) {
      items.push_back(item);
      return absl::OkStatus();
    }));
    return items;
  }
  // Topics with their schemas, and the messages of one topic.
  std::map<std::string, std::string> Topics() {
    auto mcap = recording::McapReader::Open(File());
    EXPECT_OK(mcap.status());
    std::map<std::string, std::string> topics;
    for (const auto& [id, channel] : mcap->channels()) {
      topics[channel.topic] = mcap->schemas().at(channel.schema_id).name;
    }
    return topics;
  }
  template <class T>
  std::vector<std::pair<uint64_t, T>> Messages(const std::string& topic) {
    auto mcap = recording::McapReader::Open(File());
    EXPECT_OK(mcap.status());
    std::vector<std::pair<uint64_t, T>> messages;
    EXPECT_OK(mcap->ForEachMessage(
        {.topics = {topic}}, [&](const recording::Channel&, const recording::Message& message) {
          T parsed;
          EXPECT_TRUE(parsed.ParseFromString(std::string(message.data)));
          messages.emplace_back(message.log_time_ns, parsed);
          return absl::OkStatus();
        }));
    return messages;
  }

  tests::TempFolder folder_;
  tests::FakeClock clock_;
};

TEST_F(FlightRecorderTest, WritesEverythingOfAProducerThatIsFasterThanAnyRobot) {
  constexpr uint64_t kItems = 3000;
  {
    FlightRecorder recorder(Options(), clock_);
    for (uint64_t i = 1; i <= kItems; ++i) recorder.AddCommand(CommandNumber(i), milliseconds(i));
    EXPECT_EQ(recorder.dropped(), 0);
  }

  uint64_t next = 1;
  for (const recording::RecordedItem& item : Items()) {
    EXPECT_EQ(std::get<v1::Command>(item.content).seq(), next++);
  }
  EXPECT_EQ(next, kItems + 1);
}

TEST_F(FlightRecorderTest, HasOneClockAndASchemaForEveryChannelThatFoxgloveKnowsOrReads) {
  v1::TickRecord tick;
  tick.set_now_ns(30);
  tick.set_derate(0.5);
  tick.mutable_latency()->set_run_ns(7);
  v1::Observation packet;
  packet.set_seq(9);
  packet.mutable_odom()->set_vx_mps(0.5);
  v1::ControlEvent event;
  event.set_kind("fallback");
  event.set_unit_digest(std::string(64, 'a'));
  event.set_detail("NOMINAL -> DEGRADED");
  health::HealthSample sample;
  sample.at = base::Nanos(20);
  sample.soc_temp_degc = health::Available(71.5);
  {
    FlightRecorder recorder(Options(), clock_);
    recorder.AddPacket(packet.SerializeAsString(), {}, false, base::Nanos(10));
    recorder.AddHealth(sample);
    recorder.AddSignal("soc_temp_degC", 71.5, base::Nanos(20));
    recorder.AddTick(tick, base::Nanos(30));
    recorder.AddCommand(CommandNumber(9), base::Nanos(30));
    recorder.AddEvent(event, base::Nanos(40));
  }

  EXPECT_THAT(Topics(), UnorderedElementsAre(Pair("/packet", "gatekeeper.v1.Observation"),
                                             Pair("/odom", "gatekeeper.v1.Odometry"),
                                             Pair("/pose", "foxglove.PoseInFrame"),
                                             Pair("/health", "gatekeeper.v1.HealthSample"),
                                             Pair("/signal/soc_temp_degC", "gatekeeper.v1.Signal"),
                                             Pair("/verdict", "gatekeeper.v1.TickRecord"),
                                             Pair("/command", "gatekeeper.v1.Command"),
                                             Pair("/event", "foxglove.Log")));
  const auto health = Messages<v1::HealthSample>("/health");
  ASSERT_EQ(health.size(), 1);
  EXPECT_EQ(health[0].first, 20);
  EXPECT_EQ(health[0].second.soc_temp_degc().value(), 71.5);
  EXPECT_EQ(health[0].second.power_w().state(), v1::HEALTH_NOT_AVAILABLE);
  const auto events = Messages<::foxglove::Log>("/event");
  ASSERT_EQ(events.size(), 1);
  EXPECT_EQ(events[0].first, 40);
  EXPECT_EQ(events[0].second.message(), "fallback aaaaaaaaaaaa NOMINAL -> DEGRADED");
  EXPECT_EQ(events[0].second.level(), ::foxglove::Log::WARNING);
  const auto ticks = Messages<v1::TickRecord>("/verdict");
  ASSERT_EQ(ticks.size(), 1);
  EXPECT_EQ(ticks[0].second.latency().run_ns(), 7);
  EXPECT_EQ(ticks[0].second.derate(), 0.5);
}

TEST_F(FlightRecorderTest, RecordsWhatControlMeasuredAndNotWhatTheRobotClaimsUnderThatName) {
  v1::Observation packet;
  packet.set_stamp_ns(1);
  packet.set_estop_pressed(true);
  (*packet.mutable_signals())["supply_V"].set_value(12);
  (*packet.mutable_signals())["bus_load_pct"].set_value(40);
  {
    FlightRecorder recorder(Options(), clock_);
    recorder.AddSignal("supply_V", 24, base::Nanos(10));
    recorder.AddPacket(packet.SerializeAsString(), {}, false, base::Nanos(20));
    recorder.AddSignal("supply_V", 23, base::Nanos(30));
  }

  std::vector<double> supply;
  std::vector<bool> pressed;
  for (const recording::RecordedItem& item : Items()) {
    const auto& seen = std::get<v1::Observation>(item.content);
    pressed.push_back(seen.estop_pressed());
    if (seen.signals().contains("supply_V"))
      supply.push_back(seen.signals().at("supply_V").value());
    if (item.log_time_ns == 20) {
      EXPECT_EQ(seen.signals().at("bus_load_pct").value(), 40);
    }
  }
  EXPECT_THAT(supply, ElementsAre(24, 23));
  EXPECT_THAT(pressed, ElementsAre(false, true, true)) << "a signal releases no button";
}

TEST_F(FlightRecorderTest, KeepsTwoImagesASecondFromPacketsAndFromBesideThem) {
  {
    FlightRecorder recorder(Options(), clock_);
    for (int i = 0; i < 30; ++i) {  // a second and a half at 20 Hz
      const base::Nanos at = milliseconds(50 * i);
      v1::Observation packet;
      packet.set_seq(static_cast<uint64_t>(i));
      *packet.mutable_image() = Grey(at.count());
      if (i % 2 == 0) {
        recorder.AddPacket(packet.SerializeAsString(), {}, true, at);
        continue;
      }
      auto memory = base::SealBytes("image", packet.image().data());
      ASSERT_OK(memory);
      packet.mutable_image()->clear_data();
      recorder.AddPacket(packet.SerializeAsString(), *std::move(memory), true, at);
    }
    EXPECT_EQ(recorder.dropped(), 0);
  }

  int packets = 0;
  std::vector<int64_t> images;
  for (const recording::RecordedItem& item : Items()) {
    ++packets;
    const auto& seen = std::get<v1::Observation>(item.content);
    if (!seen.has_image()) continue;
    EXPECT_EQ(seen.image().data(), "12345678");
    images.push_back(item.log_time_ns / 1'000'000);
  }
  EXPECT_EQ(packets, 30);
  EXPECT_THAT(images, ElementsAre(0, 500, 1000));
}

// What kill -9 leaves of an incident: the event, and everything before it.
TEST_F(FlightRecorderTest, AnEventIsOnDiskAtOnceWithAllThatLedToIt) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    FlightRecorder recorder(Options(), clock_);
    v1::ControlEvent event;
    event.set_kind("estop");
    recorder.AddCommand(CommandNumber(1), milliseconds(1));
    recorder.AddEvent(event, milliseconds(2));
    recorder.AddCommand(CommandNumber(2), milliseconds(3));  // may be lost
    pause();
  }
  std::string file;
  const auto flushed = [&] {
    const auto files = recording::RecorderRing::FilesOf(folder_ / "recorder");
    if (!files.ok() || files->empty()) return false;
    file = files->front();
    return std::filesystem::file_size(file) > 1000;  // schemas and all
  };
  while (!flushed()) std::this_thread::yield();
  kill(child, SIGKILL);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);

  recording::McapReaderOptions recover;
  recover.truncation = recording::Truncation::kRecover;
  ASSERT_OK_AND_ASSIGN(const auto mcap, recording::McapReader::Open(file, recover));
  std::vector<std::string> topics;
  ASSERT_OK(mcap.ForEachMessage({}, [&](const recording::Channel& channel, const auto&) {
    topics.push_back(channel.topic);
    return absl::OkStatus();
  }));
  ASSERT_GE(topics.size(), 2);
  EXPECT_EQ(topics[0], "/command");
  EXPECT_EQ(topics[1], "/event");
}

TEST_F(FlightRecorderTest, CountsWhatItDropsWhenItsFolderCannotBeUsed) {
  RecorderOptions options;
  options.ring.folder = folder_ / "file/recorder";
  ASSERT_OK(base::OsFiles().WriteDurably(folder_ / "file", "not a folder", 0600));
  FlightRecorder recorder(options, clock_);

  recorder.AddCommand(CommandNumber(1), milliseconds(1));
  while (recorder.dropped() == 0) std::this_thread::yield();

  EXPECT_EQ(recorder.dropped(), 1);
}

TEST_F(FlightRecorderTest, DropsAndCountsWhatIsLargerThanItsMemory) {
  FlightRecorder recorder(Options(), clock_);
  recorder.AddPacket(std::string(20 << 20, 'x'), {}, false, milliseconds(1));
  EXPECT_EQ(recorder.dropped(), 1);
}

}  // namespace
}  // namespace agent::control
