#include <cmath>
#include <functional>
#include <vector>

#include "agent/base/split_mix.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/replay.h"
#include "gatekeeper/gates/scenario_library.h"
#include "gatekeeper/gates/statistics.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/error_rate.h"
#include "tests/support/cases.h"

// Bounds of rates and quantiles, against sums in long double that share no code with them, and
// against chance.

namespace gatekeeper::gates {
namespace {

using Real = long double;

Real LogChoose(uint64_t n, uint64_t k) {
  const auto gamma = [](uint64_t x) { return std::lgamma(static_cast<Real>(x) + 1); };
  return gamma(n) - gamma(k) - gamma(n - k);
}

// P(Binomial(n, p) <= k), term by term.
Real AtMost(uint64_t k, uint64_t n, Real p) {
  Real sum = 0;
  for (uint64_t i = 0; i <= k && i <= n; ++i) {
    sum += std::exp(LogChoose(n, i) + static_cast<Real>(i) * std::log(p) +
                    static_cast<Real>(n - i) * std::log1p(-p));
  }
  return sum;
}

// P(Poisson(mean) <= k), term by term.
Real PoissonAtMost(uint64_t k, Real mean) {
  Real term = std::exp(-mean);
  Real sum = term;
  for (uint64_t i = 1; i <= k; ++i) sum += term *= mean / static_cast<Real>(i);
  return sum;
}

// Where the falling function is 0.
Real Root(Real low, Real high, const std::function<Real(Real)>& falling) {
  for (int i = 0; i < 200; ++i) {
    const Real middle = (low + high) / 2;
    (falling(middle) > 0 ? low : high) = middle;
  }
  return low;
}

TEST(FailingShareTest, TellsItsBoundInFullHoweverLargeItIs) {
  Scenario scenario;
  scenario.document.set_id("drive");
  Replay replay;
  replay.scenario = &scenario;
  FailingShare share;
  share.Add(replay, false);
  EXPECT_EQ(share.Text(0.05), "0 of 1 recording fail: at most 95% of such");
  EXPECT_EQ(share.Text(0.001), "0 of 1 recording fail: at most 99.9% of such");
  share.Add(replay, true);
  EXPECT_EQ(share.Text(0.05), "1 of 1 recording fail: at most 100% of such");
}

TEST(BoundsTest, OfARateInvertTheBinomialFromBothSides) {
  for (const uint64_t n : {1u, 7u, 24u, 59u, 150u, 300u}) {
    for (uint64_t k = 0; k <= n; k += 1 + n / 9) {
      for (const double alpha : {0.1, 0.05, 0.005}) {
        const auto upper = Root(0, 1, [&](Real p) { return AtMost(k, n, p) - alpha; });
        EXPECT_NEAR(UpperBound(k, n, alpha), k == n ? 1 : static_cast<double>(upper), 1e-9)
            << k << "/" << n;
        const auto lower =
            Root(0, 1, [&](Real p) { return alpha - (1 - (k == 0 ? 0 : AtMost(k - 1, n, p))); });
        EXPECT_NEAR(LowerBound(k, n, alpha), k == 0 ? 0 : static_cast<double>(lower), 1e-9)
            << k << "/" << n;
      }
    }
  }
}

TEST(BoundsTest, OfARateMirrorEachOther) {
  EXPECT_NEAR(UpperBound(3, 40, 0.05), 1 - LowerBound(37, 40, 0.05), 1e-11);
  EXPECT_EQ(UpperBound(5, 5, 0.05), 1);
  EXPECT_EQ(UpperBound(0, 0, 0.05), 1);
  EXPECT_EQ(LowerBound(0, 0, 0.05), 0);
}

TEST(BoundsTest, WithoutAFailureFollowTheRuleOfThree) {
  for (const double n : {10.0, 59.0, 299.0, 2995.0}) {
    const auto count = static_cast<uint64_t>(n);
    EXPECT_NEAR(UpperBound(0, count, 0.05), 1 - std::pow(0.05, 1 / n), 1e-11);
    EXPECT_NEAR(UpperBound(0, count, 0.05) * n, 3, n < 50 ? 0.5 : 0.08) << n;
  }
}

TEST(BoundsTest, OfEventsAnHourInvertThePoissonDistribution) {
  for (const uint64_t events : {0u, 1u, 2u, 5u, 17u}) {
    for (const double hours : {0.5, 12.0, 1000.0}) {
      for (const double alpha : {0.1, 0.05, 0.005}) {
        const auto upper = Root(0, 100, [&](Real m) { return PoissonAtMost(events, m) - alpha; });
        EXPECT_NEAR(RateUpperBound(events, hours, alpha), static_cast<double>(upper) / hours, 1e-9);
        const auto lower = Root(0, 100, [&](Real m) {
          return alpha - (1 - (events == 0 ? 0 : PoissonAtMost(events - 1, m)));
        });
        EXPECT_NEAR(RateLowerBound(events, hours, alpha),
                    events == 0 ? 0 : static_cast<double>(lower) / hours, 1e-9);
      }
    }
  }
  EXPECT_NEAR(RateUpperBound(0, 100, 0.05), -std::log(0.05) / 100, 1e-12) << "3.0 / T";
  // Garwood's table: 5 events, 95 % two-sided.
  EXPECT_NEAR(RateLowerBound(5, 1, 0.025), 1.6235, 5e-5);
  EXPECT_NEAR(RateUpperBound(5, 1, 0.025), 11.6683, 5e-5);
}

TEST(BoundsTest, WithoutExposureARateHasNoUpperBound) {
  EXPECT_EQ(RateUpperBound(0, 0, 0.05), INFINITY);
  EXPECT_EQ(RateUpperBound(3, -1, 0.05), INFINITY);
  EXPECT_EQ(RateLowerBound(3, 0, 0.05), 0);
}

TEST(QuantileBoundTest, NeedsThePublishedNumberOfSamples) {
  const struct {
    double quantile;
    uint64_t n;
  } published[] = {{0.95, 59}, {0.99, 299}, {0.999, 2995}};
  for (const auto& row : published) {
    EXPECT_EQ(SamplesAboveBound(row.n, row.quantile, 0.95), 0) << row.quantile;
    EXPECT_EQ(SamplesAboveBound(row.n - 1, row.quantile, 0.95), -1) << row.quantile;
  }
  EXPECT_EQ(SamplesAboveBound(0, 0.5, 0.95), -1);
}

TEST(QuantileBoundTest, EqualsTheTableOfTheEarlyStoppingRule) {
  const uint64_t n[] = {1'000, 10'000, 30'000};
  const int64_t at_90[] = {78, 930, 2'879};
  const int64_t at_99[] = {2, 77, 260};
  const int64_t at_999[] = {-1, 2, 17};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(SamplesAboveBound(n[i], 0.9, 0.99), at_90[i]);
    EXPECT_EQ(SamplesAboveBound(n[i], 0.99, 0.99), at_99[i]);
    EXPECT_EQ(SamplesAboveBound(n[i], 0.999, 0.99), at_999[i]);
  }
}

TEST(QuantileBoundTest, IsTheLargestThatTheBinomialAllows) {
  for (const uint64_t n : {60u, 200u, 333u}) {
    for (const double quantile : {0.5, 0.9, 0.95}) {
      const int64_t above = SamplesAboveBound(n, quantile, 0.95);
      ASSERT_GE(above, 0);
      const auto most = static_cast<uint64_t>(above);
      EXPECT_LE(AtMost(most, n, 1 - static_cast<Real>(quantile)), 0.05L);
      EXPECT_GT(AtMost(most + 1, n, 1 - static_cast<Real>(quantile)), 0.05L);
    }
  }
}

// --- Error rates, by chance. ---

TEST(ErrorRateTest, AnExactBoundIsWrongAtMostAsOftenAsItSays) {
  agent::base::SplitMix random(1);
  const int runs = tests::Cases(kRuns);
  int lower_wrong = 0;
  int upper_wrong = 0;
  constexpr uint64_t kTrials = 400;
  constexpr double kRate = 0.83;
  for (int run = 0; run < runs; ++run) {
    uint64_t passed = 0;
    for (uint64_t i = 0; i < kTrials; ++i) passed += random.Uniform() < kRate ? 1 : 0;
    if (LowerBound(passed, kTrials, 0.05) > kRate) ++lower_wrong;
    if (UpperBound(passed, kTrials, 0.05) < kRate) ++upper_wrong;
  }
  if (runs < kRuns) GTEST_SKIP() << "too few runs to tell";
  EXPECT_LE(lower_wrong, 0.057 * kRuns);
  EXPECT_LE(upper_wrong, 0.057 * kRuns);
  // Exact, but no more careful than whole numbers force it to be.
  EXPECT_GE(lower_wrong, 0.035 * kRuns);
  EXPECT_GE(upper_wrong, 0.035 * kRuns);
}

TEST(ErrorRateTest, ARateBoundIsWrongAtMostAsOftenAsItSays) {
  agent::base::SplitMix random(2);
  const int runs = tests::Cases(kRuns);
  int wrong = 0;
  constexpr double kHours = 100;
  constexpr double kRate = 0.4;
  for (int run = 0; run < runs; ++run) {
    uint64_t events = 0;  // exponential gaps
    for (double at = 0; (at -= std::log1p(-random.Uniform()) / kRate) < kHours;) ++events;
    if (RateUpperBound(events, kHours, 0.05) < kRate) ++wrong;
  }
  if (runs < kRuns) GTEST_SKIP() << "too few runs to tell";
  EXPECT_LE(wrong, 0.057 * kRuns);
  EXPECT_GE(wrong, 0.035 * kRuns);
}

TEST(ErrorRateTest, AQuantileBoundIsWrongAtMostAsOftenAsItSays) {
  agent::base::SplitMix random(3);
  const int runs = tests::Cases(kRuns);
  int wrong = 0;
  constexpr uint64_t kFrames = 1'000;
  constexpr double kQuantile = 0.95;
  const auto above = static_cast<uint64_t>(SamplesAboveBound(kFrames, kQuantile, 0.95));
  for (int run = 0; run < runs; ++run) {
    // The bound lies below the true quantile exactly when no more than `above` samples exceed it.
    uint64_t beyond = 0;
    for (uint64_t i = 0; i < kFrames; ++i) beyond += random.Uniform() > kQuantile ? 1 : 0;
    if (beyond <= above) ++wrong;
  }
  if (runs < kRuns) GTEST_SKIP() << "too few runs to tell";
  EXPECT_LE(wrong, 0.057 * kRuns);
  EXPECT_GE(wrong, 0.035 * kRuns);
}

}  // namespace
}  // namespace gatekeeper::gates
