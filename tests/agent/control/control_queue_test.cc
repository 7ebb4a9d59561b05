#include <fcntl.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "agent/control/latency_histogram.h"
#include "agent/control/latest.h"
#include "agent/control/own_signals.h"
#include "agent/control/record_queue.h"

namespace agent::control {
namespace {

using base::Nanos;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string BytesOf(uint32_t number) {
  return std::string(number * 37 % 501, static_cast<char>('a' + number % 26));
}

TEST(RecordQueueTest, GivesBackWhatWasPushedInItsOrderOverManyTurns) {
  RecordQueue queue(4096);
  std::mt19937 random(7);
  uint32_t pushed = 0;
  uint32_t popped = 0;
  QueuedRecord record;
  while (popped < 20'000) {
    if (random() % 2 == 0 && queue.Push(RecordKind::kTick, Nanos(pushed), BytesOf(pushed))) {
      ++pushed;
    }
    if (random() % 2 == 0 && queue.Pop(record)) {
      ASSERT_EQ(record.kind, RecordKind::kTick);
      ASSERT_EQ(record.at, Nanos(popped));
      ASSERT_EQ(record.bytes, BytesOf(popped));
      ++popped;
    }
  }
}

TEST(RecordQueueTest, TwoThreadsLoseAndMixNothing) {
  RecordQueue queue(4096);
  constexpr uint32_t kRecords = 200'000;
  std::thread producer([&] {
    for (uint32_t i = 0; i < kRecords;) {
      if (queue.Push(RecordKind::kCommand, Nanos(i), BytesOf(i))) {
        ++i;
      } else {
        std::this_thread::yield();
      }
    }
  });
  QueuedRecord record;
  for (uint32_t i = 0; i < kRecords;) {
    if (!queue.Pop(record)) {
      std::this_thread::yield();
      continue;
    }
    if (record.at != Nanos(i) || record.bytes != BytesOf(i)) {
      ADD_FAILURE() << "record " << i;
      break;
    }
    ++i;
  }
  producer.join();
}

TEST(RecordQueueTest, RefusesWhatDoesNotFitAndTakesItWhenThereIsRoomAgain) {
  RecordQueue queue(256);
  EXPECT_FALSE(queue.Push(RecordKind::kTick, Nanos(0), std::string(256, 'x')));
  EXPECT_TRUE(queue.Push(RecordKind::kTick, Nanos(1), std::string(100, 'y')));
  EXPECT_FALSE(queue.Push(RecordKind::kTick, Nanos(2), std::string(100, 'z')));
  QueuedRecord record;
  ASSERT_TRUE(queue.Pop(record));
  EXPECT_FALSE(queue.Pop(record));
  EXPECT_TRUE(queue.Push(RecordKind::kTick, Nanos(3), std::string(100, 'z')));
}

TEST(RecordQueueTest, ClosesDescriptorsThatItCannotTakeOrThatNobodyTook) {
  int pipes[2][2];
  ASSERT_EQ(pipe2(pipes[0], O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(pipes[1], O_CLOEXEC), 0);
  {
    RecordQueue queue(128);
    EXPECT_TRUE(queue.Push(RecordKind::kPacket, Nanos(0), "a", base::UniqueFd(pipes[0][1])));
    EXPECT_EQ(fcntl(pipes[0][1], F_GETFD), FD_CLOEXEC);
    EXPECT_FALSE(queue.Push(RecordKind::kPacket, Nanos(0), std::string(200, 'b'),
                            base::UniqueFd(pipes[1][1])));
    EXPECT_EQ(fcntl(pipes[1][1], F_GETFD), -1);
  }
  EXPECT_EQ(fcntl(pipes[0][1], F_GETFD), -1);
  close(pipes[0][0]);
  close(pipes[1][0]);
}

TEST(LatestTest, HandsOverTheNewestOnce) {
  Latest<int> latest;
  EXPECT_EQ(latest.Take(), std::nullopt);
  latest.Put(1);
  latest.Put(2);
  EXPECT_EQ(latest.Take(), 2);
  EXPECT_EQ(latest.Take(), std::nullopt);
}

TEST(LatestTest, NeverShowsATornOrAnOlderValueToAnotherThread) {
  struct Pair {
    uint64_t a = 0;
    uint64_t b = 0;
  };
  Latest<Pair> latest;
  constexpr uint64_t kLast = 300'000;
  std::thread writer([&] {
    for (uint64_t i = 1; i <= kLast; ++i) latest.Put({i, ~i});
  });
  uint64_t seen = 0;
  while (seen < kLast) {
    const auto pair = latest.Take();
    if (!pair) continue;
    if (pair->b != ~pair->a || pair->a <= seen) {
      ADD_FAILURE() << pair->a << " after " << seen;
      break;
    }
    seen = pair->a;
  }
  writer.join();
}

TEST(RollingLatencyTest, ForgetsWhatIsOlderThanAMinuteAndAStep) {
  RollingLatency latency;
  EXPECT_EQ(latency.QuantileUs(0.99, seconds(0)), 0);
  latency.Add(milliseconds(40), seconds(2));
  for (int i = 0; i < 10; ++i) latency.Add(milliseconds(1), seconds(30));
  EXPECT_GE(latency.QuantileUs(0.99, seconds(62)), 40'000);
  EXPECT_GE(latency.QuantileUs(0.99, seconds(64)), 40'000);
  EXPECT_LE(latency.QuantileUs(0.99, seconds(65)), 1'125);
  EXPECT_GE(latency.QuantileUs(0.99, seconds(65)), 1'000);
  EXPECT_EQ(latency.QuantileUs(0.99, seconds(200)), 0);
}

std::vector<std::pair<std::string, double>> Listed(const HealthSignals& signals) {
  std::vector<std::pair<std::string, double>> list;
  for (const OwnSignal& signal : signals.values()) list.emplace_back(signal.name, signal.value);
  return list;
}

TEST(OwnSignalsTest, OnlyWhatWasReadBecomesASignal) {
  health::HealthSample sample;
  EXPECT_THAT(Listed(HealthSignals(sample)), IsEmpty());
  sample.soc_temp_degc = health::Available(71.5);
  sample.power_w = health::Absent(health::State::kNoPermission);
  sample.throttled = health::Available(0);
  EXPECT_THAT(Listed(HealthSignals(sample)),
              ElementsAre(std::pair("soc_temp_degC", 71.5), std::pair("throttled", 0.0)));
  sample.supply_v = health::Available(24);
  sample.power_w = health::Available(9);
  EXPECT_THAT(Listed(HealthSignals(sample)),
              ElementsAre(std::pair("soc_temp_degC", 71.5), std::pair("supply_V", 24.0),
                          std::pair("power_W", 9.0), std::pair("throttled", 0.0)));
}

TEST(OwnSignalsTest, ConditionsSayWhatIsKnownAndNothingOld) {
  runtime::InputBoard board;
  EXPECT_EQ(Conditions(board, 1, seconds(1)), "");
  board.AcceptSignal("power_W", 99, 1, seconds(1));  // the robot's word is none of ours
  EXPECT_EQ(Conditions(board, 1, seconds(1)), "");
  board.SetSignal("soc_temp_degC", 81, seconds(1));
  board.SetSignal("throttled", 1, seconds(2));
  board.SetSignal("supply_V", 23.456, seconds(2));
  board.SetSignal("infer_p99_ms_60s", 4.13, seconds(2));
  EXPECT_EQ(Conditions(board, 0.6, seconds(3)),
            "81.0 degC, 23.46 V, throttled, inference p99 4.1 ms, speed x 0.60");
  EXPECT_EQ(Conditions(board, 1, seconds(4)), "23.46 V, throttled, inference p99 4.1 ms");
  EXPECT_EQ(Conditions(board, 1, seconds(5)), "");
}

TEST(OwnSignalsTest, TheLatencyIsTheDrivingUnitsAndComesOnceASecond) {
  LatencySignal latency;
  runtime::Tick tick;
  tick.digest = "one";
  EXPECT_FALSE(latency.Due(seconds(0)).has_value()) << "nothing ran yet";
  tick.infer = milliseconds(8);
  tick.now = seconds(1);
  latency.Count(tick);
  const std::optional<OwnSignal> first = latency.Due(seconds(1));
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->name, "infer_p99_ms_60s");
  EXPECT_GE(first->value, 8);
  EXPECT_LE(first->value, 9);
  EXPECT_FALSE(latency.Due(milliseconds(1999)).has_value());
  tick.infer = {};  // not asked
  latency.Count(tick);
  EXPECT_EQ(latency.Due(seconds(2))->value, first->value);
  tick.digest = "two";
  tick.infer = milliseconds(1);
  latency.Count(tick);
  EXPECT_LE(latency.Due(seconds(3))->value, 1.125);
  EXPECT_FALSE(latency.Due(seconds(90)).has_value()) << "nothing ran for a minute";
}

}  // namespace
}  // namespace agent::control
