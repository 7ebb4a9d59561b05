#include "agent/monitor/monitor.h"

#include <cmath>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/agent/monitor/sampling.h"
#include "tests/support/status_matchers.h"

namespace {
thread_local size_t allocations = 0;
}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  std::abort();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }

namespace agent::monitor {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<std::string> kAxes = {"x", "y"};

Monitor Watch(std::string_view text) {
  const auto formula = Formula::Parse(text, kAxes, kSampling);
  EXPECT_THAT(formula, ::tests::IsOk());
  return Monitor(*formula);
}

// The outcomes of one step as letters: h, v, u.
std::string Letters(std::span<const Outcome> outcomes) {
  std::string letters;
  for (const Outcome& outcome : outcomes) letters += "uhv"[static_cast<int>(outcome.verdict)];
  return letters;
}

std::string Step(Monitor& monitor, int ms, Reading x, Reading y = 0.0) {
  return Letters(monitor.Step(milliseconds(ms), std::vector<Reading>{x, y}));
}

// One sample every 50 ms from 0.
std::vector<std::string> Told(std::string_view text, const std::vector<Reading>& x) {
  Monitor monitor = Watch(text);
  std::vector<std::string> letters;
  for (size_t i = 0; i < x.size(); ++i) {
    letters.push_back(Step(monitor, static_cast<int>(i) * 50, x[i]));
  }
  return letters;
}

TEST(MonitorTest, AnswersAtOnceWithoutAFuture) {
  EXPECT_THAT(Told("x < 1", {0.0, 1.0, 0.5}), ElementsAre("h", "v", "h"));
}

TEST(MonitorTest, TellsTheMarginAndTheSampleItIsOf) {
  Monitor monitor = Watch("eventually[0,0.05](x > 1)");
  const std::vector<Reading> low = {0.5, 0.0};
  const std::vector<Reading> high = {3.0, 0.0};
  EXPECT_THAT(monitor.Step(milliseconds(0), low), IsEmpty());
  const auto outcomes = monitor.Step(milliseconds(50), high);
  ASSERT_EQ(outcomes.size(), 1U);
  EXPECT_EQ(outcomes[0].at, milliseconds(0));
  EXPECT_EQ(outcomes[0].robustness, 2);
}

TEST(MonitorTest, AnswersTheFutureWhenItsHorizonHasPassed) {
  EXPECT_THAT(Told("eventually[0,0.1](x > 0)", {0.0, 0.0, 1.0, 0.0, 0.0, 0.0}),
              ElementsAre("", "", "h", "h", "h", "v"));
  EXPECT_THAT(Told("always[0,0.1](x > 0)", {1.0, 1.0, 1.0, 0.0, 1.0}),
              ElementsAre("", "", "h", "v", "v"));
}

TEST(MonitorTest, JudgesEverySampleOfAnIrregularClockOnce) {
  Monitor monitor = Watch("always[0,0.1](x > 0)");
  EXPECT_EQ(Step(monitor, 0, 1.0), "");
  EXPECT_EQ(Step(monitor, 30, 1.0), "");
  EXPECT_EQ(Step(monitor, 99, 1.0), "");
  EXPECT_EQ(Step(monitor, 140, 1.0), "hh") << "0 and 30, whose windows end at 100 and 130";
  EXPECT_EQ(Step(monitor, 150, 0.0), "");
  EXPECT_EQ(Step(monitor, 199, 1.0), "v") << "99";
}

TEST(MonitorTest, KnowsNothingOfTheTimeBeforeItsFirstSample) {
  EXPECT_THAT(Told("historically[0,0.1](x > 0)", {1.0, 1.0, 1.0, 1.0}),
              ElementsAre("u", "u", "h", "h"));
  EXPECT_THAT(Told("once[0,0.1](x > 0)", {0.0, 0.0, 0.0, 1.0}), ElementsAre("u", "u", "v", "h"));
  EXPECT_THAT(Told("historically[0,0.1](x > 0)", {0.0, 1.0}), ElementsAre("v", "v"))
      << "what was seen suffices to say no";
}

TEST(MonitorTest, WindowsHoldBothTheirEnds) {
  EXPECT_THAT(Told("once[0.1,0.2](x > 0)", {0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0}),
              ElementsAre("u", "u", "u", "h", "h", "h", "v"));
}

TEST(MonitorTest, UntilWantsTheFirstUpToTheSecond) {
  Monitor monitor = Watch("x > 0 until[0,0.1] y > 0");
  EXPECT_EQ(Step(monitor, 0, 1.0, 0.0), "");
  EXPECT_EQ(Step(monitor, 50, 1.0, 0.0), "");
  EXPECT_EQ(Step(monitor, 100, 0.0, 1.0), "h") << "x need not hold any more where y does";
  EXPECT_EQ(Step(monitor, 150, 0.0, 0.0), "h");
  EXPECT_EQ(Step(monitor, 200, 0.0, 1.0), "h");
  EXPECT_EQ(Step(monitor, 250, 0.0, 1.0), "v") << "at 150 x was not there to wait for y";
}

TEST(MonitorTest, SinceWantsTheFirstAfterTheSecond) {
  Monitor monitor = Watch("x > 0 since[0,0.1] y > 0");
  EXPECT_EQ(Step(monitor, 0, 0.0, 1.0), "h");
  EXPECT_EQ(Step(monitor, 50, 1.0, 0.0), "h");
  EXPECT_EQ(Step(monitor, 100, 1.0, 0.0), "h");
  EXPECT_EQ(Step(monitor, 150, 1.0, 0.0), "v") << "too long ago";
  EXPECT_EQ(Step(monitor, 200, 0.0, 1.0), "h");
  EXPECT_EQ(Step(monitor, 250, 0.0, 0.0), "v");
}

TEST(MonitorTest, NotANumberIsAViolationHoweverItIsAsked) {
  for (const char* text : {"x < 1", "not x < 1", "not not x > 1", "x < 1 or x > 2",
                           "always[0,0](x < 1)", "not once[0,0](x < 1)", "x < 1 -> x > 2"}) {
    Monitor monitor = Watch(text);
    EXPECT_EQ(Step(monitor, 0, std::nan("")), "v") << text;
    EXPECT_EQ(monitor.Step(milliseconds(50), std::vector<Reading>{std::nan(""), 0.0})[0].robustness,
              -kInfinity);
  }
}

TEST(MonitorTest, AnAbsentReadingIsUnknownUnlessTheRestDecides) {
  Monitor monitor = Watch("x < 1 or y < 1");
  EXPECT_EQ(Step(monitor, 0, std::nullopt, 2.0), "u");
  EXPECT_EQ(Step(monitor, 50, std::nullopt, 0.0), "h");
  const auto unknown = monitor.Step(milliseconds(100), std::vector<Reading>{std::nullopt, 2.0});
  EXPECT_TRUE(std::isnan(unknown[0].robustness));
  Monitor both = Watch("x < 1 and y < 1");
  EXPECT_EQ(Step(both, 0, std::nullopt, 2.0), "v");
  EXPECT_EQ(Step(both, 50, std::nullopt, 0.0), "u");
}

TEST(MonitorTest, AGapIsUnknownUnlessTheRestDecides) {
  const auto after = [](const char* text, int gap_ms, Reading before, Reading later) {
    Monitor monitor = Watch(text);
    for (int ms = 0; ms <= 500; ms += 50) Step(monitor, ms, before);
    return Step(monitor, 500 + gap_ms, later);
  };
  EXPECT_EQ(after("historically[0,0.3](x > 0)", 100, 1.0, 1.0), "h") << "max_gap itself is none";
  EXPECT_EQ(after("historically[0,0.3](x > 0)", 101, 1.0, 1.0), "u");
  EXPECT_EQ(after("historically[0,0.3](x > 0)", 101, 1.0, 0.0), "v");
  EXPECT_EQ(after("historically[0,0.3](x > 0)", 101, 0.0, 1.0), "v");
  EXPECT_EQ(after("once[0,0.3](x > 0)", 101, 0.0, 0.0), "u");
  EXPECT_EQ(after("once[0,0.3](x > 0)", 101, 1.0, 0.0), "h") << "seen before the gap";
  EXPECT_EQ(after("once[0,0.3](x > 0)", 101, 0.0, 1.0), "h") << "seen after it";
  EXPECT_EQ(after("x > 0", 101, 0.0, 1.0), "h") << "a sample is no window";
  EXPECT_EQ(after("once[0,0](x > 0)", 5000, 0.0, 1.0), "h");
}

TEST(MonitorTest, AGapEndsWithItsWindow) {
  Monitor monitor = Watch("historically[0,0.1](x > 0)");
  for (int ms = 0; ms <= 500; ms += 50) Step(monitor, ms, 1.0);
  EXPECT_EQ(Step(monitor, 900, 1.0), "u");
  EXPECT_EQ(Step(monitor, 950, 1.0), "u");
  EXPECT_EQ(Step(monitor, 999, 1.0), "u");
  EXPECT_EQ(Step(monitor, 1049, 1.0), "h") << "its window begins at 949";
}

TEST(MonitorTest, AGapReachesUpToTheSampleAtItsEnd) {
  Monitor monitor = Watch("historically[0,0.000000001](x > 0)");
  for (int ms = 0; ms <= 500; ms += 50) Step(monitor, ms, 1.0);
  EXPECT_EQ(Step(monitor, 601, 1.0), "u") << "a nanosecond before it nobody looked";
}

// Samples at these nanoseconds, with x and y; what is told of the last.
struct At {
  int64_t ns;
  double x, y;
};
std::string ToldAtLast(std::string_view text, const std::vector<At>& samples) {
  Monitor monitor = Watch(text);
  std::string told;
  for (const At& at : samples) {
    told = Letters(monitor.Step(Nanos{at.ns}, std::vector<Reading>{at.x, at.y}));
  }
  return told;
}

TEST(MonitorTest, NoSampleLiesBetweenAWindowAndTheWayToIt) {
  constexpr int64_t kMs = 1'000'000;
  EXPECT_EQ(ToldAtLast("x > 0 since[0.1,0.2] y > 0", {{0, 1, 1},
                                                      {50 * kMs, 1, 0},
                                                      {100 * kMs + 1, 0, 0},
                                                      {150 * kMs, 1, 0},
                                                      {200 * kMs, 1, 0}}),
            "v");
  EXPECT_EQ(ToldAtLast("x > 0 until[0.000000001,0.2] y > 0",
                       {{0, 0, 0}, {90 * kMs, 1, 1}, {180 * kMs, 1, 1}, {200 * kMs, 1, 1}}),
            "v")
      << "the way begins at the sample that is judged";
}

TEST(MonitorTest, LeavesOutASampleThatComesTooSoon) {
  Monitor monitor = Watch("x > 0");
  EXPECT_EQ(Step(monitor, 0, 1.0), "h");
  EXPECT_EQ(Step(monitor, 9, 0.0), "");
  EXPECT_EQ(Step(monitor, 10, 0.0), "v");
  EXPECT_EQ(Step(monitor, 10, 0.0), "");
  EXPECT_EQ(Step(monitor, 3, 0.0), "") << "time that runs backwards is no sample either";
}

TEST(MonitorTest, AllocatesNothingAfterItIsMade) {
  Monitor monitor = Watch(
      "always[0,2](x < 0.3 -> eventually[0,0.5](y < 0.2)) and "
      "(x > 0 since[0.2,1] once[0.1,3](y > 1)) and (x < 9 until[0.3,1] historically[0,2](y < 9))");
  std::vector<Reading> readings = {0.0, 0.0};
  const size_t before = allocations;
  size_t outcomes = 0;
  for (int i = 0; i < 20'000; ++i) {
    readings[0] = (i * 37 % 100) * 0.01;
    readings[1] = (i * 53 % 100) * 0.01;
    const int jitter_ms = i * 7 % 40 + (i % 1000 == 0 ? 4000 : 0);
    outcomes += monitor.Step(milliseconds(i * 10LL + i / 1000 * 4000 + jitter_ms), readings).size();
  }
  EXPECT_EQ(allocations, before);
  EXPECT_GT(outcomes, 1000U);
}

}  // namespace
}  // namespace agent::monitor
