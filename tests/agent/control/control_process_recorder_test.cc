#include <cmath>

#include "agent/recording/mcap_reader.h"
#include "agent/recording/observation_reader.h"
#include "agent/recording/recorder_ring.h"
#include "proto/health.pb.h"
#include "tests/agent/control/control_process.h"

// What the real programs leave in the flight recorder, heat among it.

namespace tests {
namespace {

TEST_F(ControlProcessTest, LeavesAFlightRecordingOfWhatItSawAndDid) {
  for (int i = 0; i < 30; ++i) Step();
  End(SIGTERM);

  const auto files = agent::recording::RecorderRing::FilesOf(folder_ / "state/control/recorder");
  ASSERT_OK(files);
  ASSERT_EQ(files->size(), 1);
  ASSERT_OK_AND_ASSIGN(const auto reader, agent::recording::ObservationReader::Open(
                                              files->front(), {{"packet", "/packet"},
                                                               {"odom", "/odom"},
                                                               {"command", "/command"},
                                                               {"verdict", "/verdict"}}));
  int observations = 0;
  int commands = 0;
  int ticks = 0;
  ASSERT_OK(reader.ForEach([&](const agent::recording::RecordedItem& item) {
    observations += std::holds_alternative<v1::Observation>(item.content) ? 1 : 0;
    commands += std::holds_alternative<v1::Command>(item.content) ? 1 : 0;
    ticks += std::holds_alternative<v1::TickRecord>(item.content) ? 1 : 0;
    return absl::OkStatus();
  }));
  EXPECT_GE(observations, 29);
  EXPECT_GE(commands, 29);
  EXPECT_GE(ticks, 29);
}

TEST_F(ControlProcessTest, SlowsDownInTheHeatAndRecordsTemperatureScaleAndCommandOnOneClock) {
  const SealedUnit unit = Cruise("1.0.0", 0.7F,
                                 "derate:\n"
                                 "  - {signal: soc_temp_degC, points: [70, 90], scale: [1.0, 0.2], "
                                 "max_age_ms: 2000, absent_scale: 1.0}\n");
  Trust();
  Stage(unit);
  CommitUnit(unit);
  const auto drives = [](double vx_mps) {
    return [vx_mps](const v1::Command& command) {
      return command.values_size() == 2 && std::abs(command.values(0) - vx_mps) < 1e-6;
    };
  };
  ASSERT_TRUE(LiveUntil(drives(0.7F)));

  const Nanos before = Now();
  sysfs_.Set("class/thermal/thermal_zone0/temp", 80'000);
  EXPECT_TRUE(LiveUntil(drives(0.6)));  // halfway from 1.0 to 0.2, of 1 m/s
  const Nanos after = Now();
  End(SIGTERM);

  const auto files = agent::recording::RecorderRing::FilesOf(folder_ / "state/control/recorder");
  ASSERT_OK(files);
  ASSERT_EQ(files->size(), 1);
  ASSERT_OK_AND_ASSIGN(const auto mcap, agent::recording::McapReader::Open(files->front()));
  Nanos hot{}, signalled{}, scaled{}, slow{};
  bool split = false;
  const auto first = [](Nanos& seen, uint64_t at, bool now) {
    if (now && seen == Nanos{}) seen = Nanos{static_cast<int64_t>(at)};
  };
  ASSERT_OK(mcap.ForEachMessage({}, [&](const auto& channel, const auto& message) {
    const std::string bytes(message.data);
    v1::HealthSample health;
    v1::Signal signal;
    v1::TickRecord tick;
    v1::Command command;
    if (channel.topic == "/health" && health.ParseFromString(bytes)) {
      first(hot, message.log_time_ns, health.soc_temp_degc().value() == 80);
    } else if (channel.topic == "/signal/soc_temp_degC" && signal.ParseFromString(bytes)) {
      first(signalled, message.log_time_ns, signal.value() == 80);
    } else if (channel.topic == "/verdict" && tick.ParseFromString(bytes)) {
      first(scaled, message.log_time_ns, std::abs(tick.derate() - 0.6) < 1e-9);
      const v1::LatencySplit& latency = tick.latency();
      split = split || (latency.wait_ns() > 0 && latency.copy_ns() > 0 && latency.run_ns() > 0 &&
                        latency.check_ns() > 0 && latency.publish_ns() > 0);
    } else if (channel.topic == "/command" && command.ParseFromString(bytes)) {
      first(slow, message.log_time_ns, hot != Nanos{} && drives(0.6)(command));
    }
    return absl::OkStatus();
  }));
  EXPECT_LT(before, hot);
  EXPECT_EQ(signalled, hot);
  EXPECT_LT(hot, scaled);
  EXPECT_LE(scaled, slow);
  EXPECT_LT(slow, after);
  EXPECT_TRUE(split) << "a tick's time is split into all its parts";
}

}  // namespace
}  // namespace tests
