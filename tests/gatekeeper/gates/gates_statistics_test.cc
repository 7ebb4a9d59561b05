#include <cmath>

#include "gatekeeper/gates/statistics.h"
#include "gtest/gtest.h"

namespace gatekeeper::gates {
namespace {

TEST(LowerBoundTest, EqualsAlphaToTheOneOverNWhenEveryTrialSucceeded) {
  for (const uint64_t n : {1u, 20u, 59u, 299u, 2995u}) {
    EXPECT_NEAR(LowerBound(n, n, 0.05), std::pow(0.05, 1.0 / static_cast<double>(n)), 1e-9) << n;
  }
}

TEST(LowerBoundTest, NeedsThePublishedNumberOfTrialsWithoutFailure) {
  EXPECT_GE(LowerBound(59, 59, 0.05), 0.95);
  EXPECT_LT(LowerBound(58, 58, 0.05), 0.95);
  EXPECT_GE(LowerBound(299, 299, 0.05), 0.99);
  EXPECT_LT(LowerBound(298, 298, 0.05), 0.99);
  EXPECT_GE(LowerBound(104, 104, 0.005), 0.95);
  EXPECT_LT(LowerBound(103, 103, 0.005), 0.95);
  EXPECT_GE(LowerBound(5296, 5296, 0.005), 0.999);
  EXPECT_LT(LowerBound(5295, 5295, 0.005), 0.999);
}

// The bound is the p at which k or more successes of n have probability alpha: checked by summing
// the binomial, which shares no code with the beta quantile.
TEST(LowerBoundTest, InvertsTheBinomial) {
  const auto at_least = [](uint64_t k, uint64_t n, double p) {
    double sum = 0;
    for (uint64_t i = k; i <= n; ++i) {
      const double log_choose = std::lgamma(static_cast<double>(n) + 1) -
                                std::lgamma(static_cast<double>(i) + 1) -
                                std::lgamma(static_cast<double>(n - i) + 1);
      sum += std::exp(log_choose + static_cast<double>(i) * std::log(p) +
                      static_cast<double>(n - i) * std::log1p(-p));
    }
    return sum;
  };
  for (const uint64_t n : {5u, 20u, 40u, 150u}) {
    for (uint64_t k = 1; k <= n; k += 3) {
      for (const double alpha : {0.05, 0.025, 0.005}) {
        EXPECT_NEAR(at_least(k, n, LowerBound(k, n, alpha)), alpha, 1e-9) << k << "/" << n;
      }
    }
  }
}

TEST(LowerBoundTest, IsZeroWithoutASuccessOrWithoutATrial) {
  EXPECT_EQ(LowerBound(0, 10, 0.05), 0);
  EXPECT_EQ(LowerBound(0, 0, 0.05), 0);
}

TEST(FramesNeededTest, EqualsTheTableOfTheEarlyStoppingRule) {
  const uint64_t over[] = {0, 1, 2, 5, 10, 20};
  const uint64_t at_90[] = {44, 64, 81, 127, 197, 325};
  const uint64_t at_99[] = {459, 662, 838, 1307, 2010, 3304};
  const uint64_t at_999[] = {4603, 6636, 8403, 13105, 20140, 33097};
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(FramesNeeded(over[i], 0.90, 0.99), at_90[i]) << over[i];
    EXPECT_EQ(FramesNeeded(over[i], 0.99, 0.99), at_99[i]) << over[i];
    EXPECT_EQ(FramesNeeded(over[i], 0.999, 0.99), at_999[i]) << over[i];
  }
}

}  // namespace
}  // namespace gatekeeper::gates
