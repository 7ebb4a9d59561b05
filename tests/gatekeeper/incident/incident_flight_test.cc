#include <gmock/gmock.h>

#include "agent/recording/foxglove_codec.h"
#include "agent/recording/recorder_ring.h"
#include "agent/recording/topics.h"
#include "gatekeeper/incident/flight_timeline.h"
#include "proto/health.pb.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::incident {
namespace {

using agent::base::Nanos;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::tests::StatusIs;

constexpr int64_t kWallAtStart = 1'767'225'600'000;  // 2026-01-01 00:00:00 UTC, at monotonic 0

class FlightTimelineTest : public testing::Test {
 protected:
  FlightTimelineTest() {
    auto ring = agent::recording::RecorderRing::Open({.folder = folder_ / "recorder"});
    EXPECT_OK(ring.status());
    ring_.emplace(*std::move(ring));
  }
  void Health(Nanos at, double degc, bool throttled) {
    v1::HealthSample sample;
    sample.set_wall_ms(kWallAtStart + at / milliseconds(1));
    sample.mutable_power_w()->set_value(9.8);
    sample.mutable_soc_temp_degc()->set_value(degc);
    sample.set_hottest_zone("cpu-thermal");
    sample.mutable_throttled()->set_value(throttled ? 1 : 0);
    EXPECT_OK(ring_->WriteMessage(agent::recording::topics::kHealth, sample, at));
  }
  void Tick(Nanos at, double derate, Nanos run) {
    v1::TickRecord tick;
    tick.set_state("NOMINAL");
    tick.set_derate(derate);
    tick.add_enforced(derate);
    tick.add_enforced(0);
    if (derate < 1) tick.add_reasons("derate:soc_temp_degC");
    tick.mutable_latency()->set_run_ns(run.count());
    EXPECT_OK(ring_->Write(tick, at));
  }
  // Ten seconds: hot from the fourth on, and slower from the next tick on.
  void Heat() {
    for (int tenth = 0; tenth < 100; ++tenth) {
      const Nanos at = milliseconds(100 * tenth);
      const bool hot = tenth >= 40;
      Health(at, hot ? 80 : 50, hot);
      Tick(at + milliseconds(20), hot ? 0.6 : 1, tenth == 47 ? milliseconds(29) : milliseconds(2));
    }
    EXPECT_OK(
        ring_->WriteMessage(agent::recording::topics::kEvent,
                            agent::recording::LogEntry(0, ::foxglove::Log::INFO, "unit_warm aaaa"),
                            milliseconds(4500)));
  }
  std::vector<std::string> Told(const FlightWindow& window) {
    const auto lines = FlightTimeline(window);
    EXPECT_OK(lines.status());
    std::vector<std::string> told;
    for (const TimelineLine& line : *lines) {
      told.push_back(UtcText(line.wall_ms).substr(17) + " " + line.who + ": " + line.what);
    }
    return told;
  }

  tests::TempFolder folder_;
  std::optional<agent::recording::RecorderRing> ring_;
};

TEST_F(FlightTimelineTest, MergesHeatThrottlingDecisionsLatencyAndEvents) {
  Heat();
  ASSERT_OK(ring_->Rotate());

  EXPECT_THAT(
      Told(
          {.recorder = folder_ / "recorder", .seconds = 1.4, .until_wall_ms = kWallAtStart + 4950}),
      ElementsAre(
          "04.000 health: 9.8 W, 80.0 degC (cpu-thermal), throttled",
          "04.020 decision: NOMINAL, speed x 0.6, because derate:soc_temp_degC -> [0.6, 0]",
          "04.500 control: unit_warm aaaa",
          "04.720 latency: slowest tick: wait 0.00, copy 0.00, run 29.00, check 0.00, publish "
          "0.00 ms"));
}

TEST_F(FlightTimelineTest, ReadsWhatAKilledProcessLeftAndEndsWithTheRecording) {
  Heat();
  ASSERT_OK(ring_->Flush());  // and no more: the file has no end

  const std::vector<std::string> told = Told({.recorder = folder_ / "recorder", .seconds = 2});
  EXPECT_THAT(told, Each(AllOf(testing::Ge("07"), testing::Le("10"))));
  EXPECT_THAT(told, Contains(HasSubstr("09.000 health: 9.8 W, 80.0 degC")));
  EXPECT_THAT(Told({.recorder = folder_ / "recorder"}),
              Contains(HasSubstr("decision: NOMINAL -> [1, 0]")));  // nothing slows it
}

TEST_F(FlightTimelineTest, SaysOfWhichTimeThereIsSomething) {
  Heat();
  ASSERT_OK(ring_->Rotate());
  EXPECT_THAT(
      FlightTimeline(
          {.recorder = folder_ / "recorder", .seconds = 60, .until_wall_ms = kWallAtStart - 1}),
      StatusIs(absl::StatusCode::kNotFound,
               HasSubstr("2026-01-01 00:00:00.000 to 2026-01-01 00:00:09.920 UTC")));
}

TEST_F(FlightTimelineTest, AFolderWithoutRecordingsIsSaid) {
  EXPECT_THAT(FlightTimeline({.recorder = folder_ / "recorder"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no flight recording")));
  EXPECT_THAT(FlightTimeline({.recorder = folder_ / "elsewhere"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("elsewhere")));
}

}  // namespace
}  // namespace gatekeeper::incident
