#include <gtest/gtest.h>

#include "agent/control/event_ring.h"
#include "agent/control/latency_histogram.h"
#include "agent/control/unit_counters.h"

namespace agent::control {
namespace {

using std::chrono::microseconds;
using std::chrono::seconds;

TEST(LatencyHistogramTest, TellsQuantilesAtMostAnEighthTooLarge) {
  LatencyHistogram histogram;
  for (int us = 1; us <= 10'000; ++us) histogram.Add(microseconds(us));

  EXPECT_GE(histogram.QuantileUs(0.5), 5'000);
  EXPECT_LE(histogram.QuantileUs(0.5), 5'000 * 1.125);
  EXPECT_GE(histogram.QuantileUs(0.99), 9'900);
  EXPECT_LE(histogram.QuantileUs(0.99), 9'900 * 1.125);
}

TEST(LatencyHistogramTest, TakesEveryLatencyWithoutLeavingItsMemory) {
  LatencyHistogram histogram;
  EXPECT_EQ(histogram.QuantileUs(0.5), 0);

  histogram.Add(base::Nanos(-5));
  EXPECT_LE(histogram.QuantileUs(1), 1.125);
  histogram.Add(seconds(1'000'000));

  EXPECT_GE(histogram.QuantileUs(1), 16e6);
}

TEST(EventRingTest, LetsTheOldestGoWhenFullSoThatTheGapShows) {
  EventRing ring(3);
  for (int i = 0; i < 200; ++i) ring.Add(0, "fallback", "", "");

  EXPECT_EQ(ring.pending().size(), 128);
  EXPECT_EQ(ring.pending().front().seq(), (3U << 20) + 73);
}

TEST(EventRingTest, KeepsAStopWhateverHappensAfterIt) {
  EventRing ring(3);
  ring.Add(0, "started", "", "");
  const uint64_t stop = ring.Add(0, "estop", "", "", {.cause = "contact", .layer = "circuit"});
  for (int i = 0; i < 1000; ++i) ring.Add(0, "fallback", "", "");

  EXPECT_EQ(ring.pending().size(), 128);
  EXPECT_EQ(ring.pending().front().seq(), stop);
  EXPECT_TRUE(ring.Holds(stop));
  EXPECT_FALSE(ring.Holds(stop - 1));
  ring.Acknowledge(stop);
  EXPECT_FALSE(ring.Holds(stop));

  uint64_t last = 0;
  for (int i = 0; i < 200; ++i) last = ring.Add(0, "stopped", "", "", {.cause = "contact"});
  EXPECT_EQ(ring.pending().size(), 128) << "stops give way to stops";
  EXPECT_EQ(ring.pending().back().seq(), last);
}

TEST(EventRingTest, IgnoresAnAcknowledgementOfWhatItNeverSaid) {
  EventRing ring(3);
  const uint64_t seq = ring.Add(0, "started", "", "");

  ring.Acknowledge(seq + 1);
  EXPECT_EQ(ring.pending().size(), 1);
  ring.Acknowledge(seq);
  EXPECT_TRUE(ring.pending().empty());
}

TEST(EventRingTest, CutsALongDetailBetweenCharacters) {
  EventRing ring(1);
  std::string detail = "x";
  for (int i = 0; i < 400; ++i) detail += "\u00e9";

  ring.Add(0, "refused", "", detail);

  const std::string& kept = ring.pending().front().detail();
  EXPECT_EQ(kept.size(), 499);
  EXPECT_EQ(kept, detail.substr(0, 499));
}

TEST(DisagreeTest, AsksForADifferenceThatMatters) {
  const std::vector<double> driven = {1.0, 0.0};

  EXPECT_FALSE(Disagree(driven, std::vector<double>{0.9, 0.04}));
  EXPECT_TRUE(Disagree(driven, std::vector<double>{0.8, 0.0}));
  EXPECT_TRUE(Disagree(driven, std::vector<double>{1.0, 0.2}));
  EXPECT_TRUE(Disagree(driven, std::vector<double>{}));
  EXPECT_FALSE(Disagree(std::vector<double>{}, std::vector<double>{}));
}

}  // namespace
}  // namespace agent::control
