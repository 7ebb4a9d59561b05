#include <algorithm>
#include <cmath>
#include <numeric>

#include "agent/base/split_mix.h"
#include "gatekeeper/gates/bootstrap.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/error_rate.h"
#include "tests/support/cases.h"

namespace gatekeeper::gates {
namespace {

TEST(SplitMixTest, GivesThePublishedNumbers) {
  agent::base::SplitMix random(1234567);
  for (const uint64_t number : {6457827717110365317u, 3203168211198807973u, 9817491932198370423u,
                                4593380528125082431u, 16408922859458223821u}) {
    EXPECT_EQ(random.Next(), number);
  }
}

// Standard normal, by the sum of twelve: no mathematical library has a say.
double Bell(agent::base::SplitMix& random) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += random.Uniform();
  return sum;
}

// Each value keeps `memory` of the one before; mean 0, variance 1.
Series Remembering(size_t n, double memory, agent::base::SplitMix& random) {
  Series series;
  double value = Bell(random);
  for (size_t i = 0; i < n; ++i) {
    series.push_back(value);
    value = memory * value + std::sqrt(1 - memory * memory) * Bell(random);
  }
  return series;
}

TEST(DependenceTest, OfIndependentSamplesIsNone) {
  agent::base::SplitMix random(1);
  std::vector<Series> clips;
  for (int i = 0; i < 20; ++i) clips.push_back(Remembering(500, 0, random));
  const Dependence dependence = DependenceOf(clips);
  EXPECT_NEAR(dependence.time, 1, 0.15);
  EXPECT_NEAR(dependence.n_eff, 10'000 / dependence.time, 1e-6);
}

TEST(DependenceTest, OfAnAutoregressionIsTheClosedForm) {
  agent::base::SplitMix random(2);
  for (const double memory : {0.5, 0.8, 0.9}) {
    std::vector<Series> clips;
    for (int i = 0; i < 40; ++i) clips.push_back(Remembering(2'000, memory, random));
    const double time = (1 + memory) / (1 - memory);
    EXPECT_NEAR(DependenceOf(clips).time, time, 0.12 * time) << memory;
  }
}

TEST(DependenceTest, SeesWhatDiffersFromClipToClip) {
  std::vector<Series> clips;
  for (int i = 0; i < 10; ++i) clips.emplace_back(50, i % 2 == 0 ? 0.0 : 1.0);
  const Dependence dependence = DependenceOf(clips);
  EXPECT_GT(dependence.time, 40);
  EXPECT_LT(dependence.n_eff, 13);
}

TEST(DependenceTest, OfAConstantOrOfNothingIsNone) {
  EXPECT_EQ(DependenceOf({Series(100, 0.25)}).time, 1);
  EXPECT_EQ(DependenceOf({Series(100, 0.25)}).n_eff, 100);
  EXPECT_EQ(DependenceOf({}).n_eff, 0);
  EXPECT_EQ(DependenceOf({Series{}}).n_eff, 0);
}

// --- The bootstrap against one written down anew, with its own distributions. ---

double NormalBelow(double z) { return std::erfc(-z / std::sqrt(2.0)) / 2; }

double NormalQuantile(double p) {
  double low = -40;
  double high = 40;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (NormalBelow(middle) < p ? low : high) = middle;
  }
  return low;
}

// Student's distribution with an even number of degrees of freedom has a closed form (Abramowitz
// and Stegun 26.7.4).
double StudentQuantile(int degrees, double p) {
  const auto below = [degrees](double t) {
    const double cos2 = degrees / (degrees + t * t);
    double term = 1;
    double sum = 1;
    for (int i = 2; i < degrees; i += 2) sum += term *= cos2 * (i - 1) / i;
    return 0.5 + 0.5 * sum * t / std::sqrt(degrees + t * t);
  };
  double low = -1e3;
  double high = 1e3;
  for (int i = 0; i < 200; ++i) {
    const double middle = (low + high) / 2;
    (below(middle) < p ? low : high) = middle;
  }
  return low;
}

// Bounds of the mean of an odd number of values, every step as Efron wrote it down.
std::pair<double, double> Reference(const Series& values, double alpha, uint64_t seed) {
  const size_t n = values.size();
  const double sample = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(n);
  const auto draws = static_cast<size_t>(std::max(2000.0, std::ceil(40 / alpha)));
  agent::base::SplitMix random(seed);
  Series means(draws);
  for (double& mean : means) {
    std::vector<double> drawn(n, 0);
    for (size_t i = 0; i < n; ++i) drawn[(random.Next() >> 32) * n >> 32] += 1;
    mean = std::inner_product(drawn.begin(), drawn.end(), values.begin(), 0.0) /
           static_cast<double>(n);
  }
  std::sort(means.begin(), means.end());
  double below = 0;
  for (const double mean : means) below += mean < sample ? 1 : mean == sample ? 0.5 : 0;
  const double bias = NormalQuantile(below / static_cast<double>(draws));
  double square = 0;
  double cube = 0;
  for (const double value : values) {  // of a mean: mean(i) - mean of all = (mean - x) / (n - 1)
    const double d = (value - sample) / static_cast<double>(n - 1);
    square += d * d;
    cube += d * d * d;
  }
  const double acceleration = cube / (6 * std::pow(square, 1.5));
  const auto m = static_cast<double>(n);
  const auto at = [&](double p) {
    const double z = StudentQuantile(static_cast<int>(n) - 1, p) * std::sqrt(m / (m - 1));
    return (static_cast<double>(draws) + 1) *
           NormalBelow(bias + (bias + z) / (1 - acceleration * (bias + z)));
  };
  return {means[static_cast<size_t>(std::floor(at(alpha))) - 1],
          means[static_cast<size_t>(std::ceil(at(1 - alpha))) - 1]};
}

Statistic MeanOf(const Series& values) {
  return [&values](const std::vector<uint32_t>& times) {
    double sum = 0;
    double n = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      sum += times[i] * values[i];
      n += times[i];
    }
    return sum / n;
  };
}

TEST(BootstrapTest, EqualsEfronsRecipeWrittenDownAnew) {
  agent::base::SplitMix random(11);
  for (const size_t n : {21u, 31u, 101u}) {
    Series values;
    for (size_t i = 0; i < n; ++i) values.push_back(-std::log1p(-random.Uniform()));  // skewed
    for (const double alpha : {0.05, 0.01}) {
      const Bounds bounds = Bootstrap(n, MeanOf(values), alpha, 7 * n);
      const auto [lower, upper] = Reference(values, alpha, 7 * n);
      EXPECT_NEAR(bounds.lower, lower, 1e-9) << n;
      EXPECT_NEAR(bounds.upper, upper, 1e-9) << n;
      EXPECT_LT(bounds.lower, bounds.value);
      EXPECT_GT(bounds.upper, bounds.value);
    }
  }
}

TEST(BootstrapTest, TheSameSeedGivesTheSameBits) {
  agent::base::SplitMix random(12);
  const Series values = Remembering(50, 0.5, random);
  const Bounds first = Bootstrap(50, MeanOf(values), 0.05, 3);
  const Bounds again = Bootstrap(50, MeanOf(values), 0.05, 3);
  EXPECT_EQ(first.lower, again.lower);
  EXPECT_EQ(first.upper, again.upper);
  EXPECT_NE(Bootstrap(50, MeanOf(values), 0.05, 4).lower, first.lower);
}

TEST(BootstrapTest, OfEqualValuesIsThatValue) {
  const Series values(20, 0.75);
  const Bounds bounds = Bootstrap(20, MeanOf(values), 0.05, 1);
  EXPECT_EQ(bounds.lower, 0.75);
  EXPECT_EQ(bounds.upper, 0.75);
}

TEST(BootstrapTest, HasNoBoundsWhereTheStatisticHasNone) {
  const Series values(1, 0.75);
  EXPECT_TRUE(std::isnan(Bootstrap(1, MeanOf(values), 0.05, 1).lower)) << "one block";
  // Undefined unless the first block is drawn: in a third of the draws.
  const auto fussy = [](const std::vector<uint32_t>& times) {
    return times[0] > 0 ? static_cast<double>(times[1]) : NAN;
  };
  EXPECT_TRUE(std::isnan(Bootstrap(20, fussy, 0.05, 1).upper));
}

// --- Error rates, by chance: 5 % +- 0.7 %. ---

TEST(BootstrapErrorRateTest, OfASkewedMeanIsNominal) {
  agent::base::SplitMix random(21);
  const int runs = tests::Cases(kRuns);
  int lower_wrong = 0;
  int upper_wrong = 0;
  for (int run = 0; run < runs; ++run) {
    Series values;  // mean 1, skewness 1
    for (int i = 0; i < 60; ++i) {
      double sum = 0;
      for (int k = 0; k < 4; ++k) sum -= std::log1p(-random.Uniform()) / 4;
      values.push_back(sum);
    }
    const Bounds bounds = Bootstrap(60, MeanOf(values), 0.05, random.Next());
    if (bounds.lower > 1) ++lower_wrong;
    if (bounds.upper < 1) ++upper_wrong;
  }
  if (runs < kRuns) GTEST_SKIP() << "too few runs to tell";
  EXPECT_NEAR(lower_wrong, 0.05 * kRuns, 0.007 * kRuns);
  EXPECT_NEAR(upper_wrong, 0.05 * kRuns, 0.007 * kRuns);
}

TEST(BootstrapErrorRateTest, OfACorrelatedMeanIsNominal) {
  agent::base::SplitMix random(23);
  const int runs = tests::Cases(kRuns);
  int lower_wrong = 0;
  int upper_wrong = 0;
  int naive_wrong = 0;
  for (int run = 0; run < runs; ++run) {
    std::vector<double> sums;
    std::vector<double> sizes;
    for (size_t i = 0; i < 60; ++i) {
      const Series recording = Remembering(20 + i % 3 * 10, 0.5, random);
      sums.push_back(std::accumulate(recording.begin(), recording.end(), 0.0));
      sizes.push_back(static_cast<double>(recording.size()));
    }
    const Bounds bounds = BootstrapRatio(sums, sizes, 0.05, random.Next());
    if (bounds.lower > 0) ++lower_wrong;
    if (bounds.upper < 0) ++upper_wrong;
    const double standard_error = 1 / std::sqrt(1'800.0);  // were every sample independent
    if (bounds.value > 1.645 * standard_error) ++naive_wrong;
  }
  if (runs < kRuns) GTEST_SKIP() << "too few runs to tell";
  EXPECT_NEAR(lower_wrong, 0.05 * kRuns, 0.007 * kRuns);
  EXPECT_NEAR(upper_wrong, 0.05 * kRuns, 0.007 * kRuns);
  EXPECT_GT(naive_wrong, 0.12 * kRuns) << "what counting every tick would have done";
}

}  // namespace
}  // namespace gatekeeper::gates
