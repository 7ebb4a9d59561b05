#include <cmath>

#include "agent/base/split_mix.h"
#include "gatekeeper/gates/paired.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/error_rate.h"
#include "tests/support/cases.h"

namespace gatekeeper::gates {
namespace {

using Real = long double;

double NormalAbove(double z) { return std::erfc(z / std::sqrt(2.0)) / 2; }

// The score, with the likeliest rate of lost clips found by halving the derivative of the
// likelihood instead of by Tango's formula.
Real Score(const PairedCounts& counts, Real difference) {
  const auto gained = static_cast<Real>(counts.gained);
  const auto lost = static_cast<Real>(counts.lost);
  const auto n = static_cast<Real>(counts.n);
  Real low = std::max<Real>(0, -difference);
  Real high = (1 - difference) / 2;
  for (int i = 0; i < 300; ++i) {
    const Real rate = (low + high) / 2;
    const Real slope = (gained > 0 ? gained / (rate + difference) : 0) +
                       (lost > 0 ? lost / rate : 0) -
                       2 * (n - gained - lost) / (1 - 2 * rate - difference);
    (slope > 0 ? low : high) = rate;
  }
  const Real variance = 2 * low + difference - difference * difference;
  return (gained - lost - n * difference) / std::sqrt(n * variance);
}

TEST(TangoTest, GivesThePublishedScore) {
  // Tango 1998, the trial of two ways to disinfect lenses: 43 of 44 by both, one by the old one
  // only, margin 10 %: Z = 1.709, p = 0.044.
  const PairedCounts lenses{.n = 44, .gained = 0, .lost = 1};
  EXPECT_NEAR(TangoScore(lenses, -0.1), 3.4 / std::sqrt(3.96), 1e-12);
  EXPECT_NEAR(TangoScore(lenses, -0.1), 1.709, 5e-4);
  EXPECT_NEAR(TangoPValue(lenses, -0.1), 0.044, 5e-4);
  EXPECT_NEAR(TangoLowerBound(lenses, NormalAbove(3.4 / std::sqrt(3.96))), -0.1, 1e-9);
}

TEST(TangoTest, WithoutAnyChangeIsTheClosedForm) {
  constexpr double kZ = 1.6448536269514722;
  for (const uint64_t n : {1u, 6u, 52u, 1'000u}) {
    const double bound = kZ * kZ / (static_cast<double>(n) + kZ * kZ);
    EXPECT_NEAR(TangoLowerBound({.n = n, .gained = 0, .lost = 0}, 0.05), -bound, 1e-9);
    EXPECT_NEAR(TangoUpperBound({.n = n, .gained = 0, .lost = 0}, 0.05), bound, 1e-9);
  }
}

TEST(TangoTest, BoundsAreWhereTheLikelihoodPutsThem) {
  for (const uint64_t n : {10u, 44u, 300u}) {
    for (const uint64_t gained : {0u, 1u, 4u}) {
      for (const uint64_t lost : {0u, 1u, 3u, 5u}) {
        const PairedCounts counts{.n = n, .gained = gained, .lost = lost};
        for (const double z : {1.2815515655446004, 1.6448536269514722, 2.5758293035489004}) {
          Real low = -1;
          Real high = 1;
          for (int i = 0; i < 100; ++i) {
            const Real middle = (low + high) / 2;
            (Score(counts, middle) > z ? low : high) = middle;
          }
          EXPECT_NEAR(TangoLowerBound(counts, NormalAbove(z)), static_cast<double>(low), 1e-9)
              << n << " " << gained << " " << lost;
          EXPECT_NEAR(TangoUpperBound({.n = n, .gained = lost, .lost = gained}, NormalAbove(z)),
                      -static_cast<double>(low), 1e-9);
        }
      }
    }
  }
}

TEST(TangoTest, WithoutClipsEverythingIsPossible) {
  EXPECT_EQ(TangoLowerBound({}, 0.05), -1);
  EXPECT_EQ(TangoUpperBound({}, 0.05), 1);
  EXPECT_EQ(TangoPValue({}, -0.1), 1);
}

TEST(TangoTest, EveryClipLostIsWorseThanAnyMargin) {
  const PairedCounts all{.n = 30, .gained = 0, .lost = 30};
  EXPECT_LT(TangoUpperBound(all, 0.05), -0.8);
  EXPECT_GT(TangoPValue(all, -0.5), 0.999);
}

TEST(TangoErrorRateTest, AtTheMarginIsNominal) {
  agent::base::SplitMix random(31);
  const int runs = tests::Cases(kRuns);
  int lower_wrong = 0;
  int upper_wrong = 0;
  // Of 500 clips 6 % are gained and 11 % lost: a difference of exactly -5 %.
  for (int run = 0; run < runs; ++run) {
    PairedCounts counts{.n = 500, .gained = 0, .lost = 0};
    for (int i = 0; i < 500; ++i) {
      const double u = random.Uniform();
      if (u < 0.06) ++counts.gained;
      if (u > 0.89) ++counts.lost;
    }
    if (TangoLowerBound(counts, 0.05) > -0.05) ++lower_wrong;
    if (TangoUpperBound(counts, 0.05) < -0.05) ++upper_wrong;
  }
  if (runs < kRuns) GTEST_SKIP() << "too few runs to tell";
  EXPECT_NEAR(lower_wrong, 0.05 * kRuns, 0.007 * kRuns);
  EXPECT_NEAR(upper_wrong, 0.05 * kRuns, 0.007 * kRuns);
}

TEST(HolmTest, TestsTheSmallestStrictestAndStopsAtTheFirstThatStands) {
  const std::vector<HolmStep> steps = Holm({0.01, 0.04, 0.03, 0.005}, 0.05);
  EXPECT_DOUBLE_EQ(steps[3].level, 0.05 / 4);
  EXPECT_DOUBLE_EQ(steps[0].level, 0.05 / 3);
  EXPECT_DOUBLE_EQ(steps[2].level, 0.05 / 2);
  EXPECT_DOUBLE_EQ(steps[1].level, 0.05);
  EXPECT_TRUE(steps[3].rejected);
  EXPECT_TRUE(steps[0].rejected);
  EXPECT_FALSE(steps[2].rejected) << "0.03 > 0.025";
  EXPECT_FALSE(steps[1].rejected) << "0.04 <= 0.05, but a smaller one stood";
}

TEST(HolmTest, RejectsAtTheLevelItself) {
  EXPECT_TRUE(Holm({0.05}, 0.05)[0].rejected);
  EXPECT_FALSE(Holm({std::nextafter(0.05, 1.0)}, 0.05)[0].rejected);
  EXPECT_TRUE(Holm({}, 0.05).empty());
}

TEST(HolmErrorRateTest, OneFalseRejectionAmongManyIsAsRareAsItSays) {
  agent::base::SplitMix random(32);
  int wrong = 0;
  for (int run = 0; run < kRuns; ++run) {
    std::vector<double> p_values(6);
    for (double& p : p_values) p = random.Uniform();  // every hypothesis is true
    bool any = false;
    for (const HolmStep& step : Holm(p_values, 0.05)) any = any || step.rejected;
    wrong += any ? 1 : 0;
  }
  EXPECT_NEAR(wrong, 0.05 * kRuns, 0.007 * kRuns);
}

}  // namespace
}  // namespace gatekeeper::gates
