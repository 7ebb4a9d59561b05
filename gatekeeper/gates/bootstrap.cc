#include "gatekeeper/gates/bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "agent/base/split_mix.h"
#include "boost/math/distributions/normal.hpp"
#include "boost/math/distributions/students_t.hpp"

namespace gatekeeper::gates {
namespace {

constexpr size_t kMaxLag = 1000;          // 50 s at 20 Hz; what lasts longer lasts the whole clip
constexpr size_t kLeastDraws = 2000;      // and
constexpr double kDrawsBeyondBound = 40;  // draws beyond the bound are wanted, at least

double Mean(const std::vector<Series>& clips, size_t& n) {
  double sum = 0;
  n = 0;
  for (const Series& clip : clips) {
    for (const double value : clip) sum += value;
    n += clip.size();
  }
  return n == 0 ? 0 : sum / static_cast<double>(n);
}

// Sum of products of deviations `lag` samples apart, never across clips.
double Covariance(const std::vector<Series>& clips, double mean, size_t lag) {
  double sum = 0;
  for (const Series& clip : clips) {
    for (size_t i = lag; i < clip.size(); ++i) sum += (clip[i] - mean) * (clip[i - lag] - mean);
  }
  return sum;
}

double NormalBelow(double z) {
  return std::isinf(z) ? (z < 0 ? 0 : 1) : boost::math::cdf(boost::math::normal(), z);
}

// Share of the draws below the value, ties halved, as a normal quantile.
double Bias(const std::vector<double>& draws, double value) {
  const auto range = std::equal_range(draws.begin(), draws.end(), value);
  const auto below = static_cast<double>(range.first - draws.begin());
  const auto equal = static_cast<double>(range.second - range.first);
  const auto n = static_cast<double>(draws.size());
  const double share = std::clamp((below + equal / 2) / n, 0.5 / n, 1 - 0.5 / n);
  return boost::math::quantile(boost::math::normal(), share);
}

// Skewness of what leaving out each block does, over six.
double Acceleration(size_t blocks, const Statistic& statistic) {
  std::vector<uint32_t> times(blocks, 1);
  std::vector<double> without;
  for (size_t i = 0; i < blocks; ++i) {
    times[i] = 0;
    const double value = statistic(times);
    if (!std::isnan(value)) without.push_back(value);
    times[i] = 1;
  }
  if (without.empty()) return 0;
  const double mean =
      std::accumulate(without.begin(), without.end(), 0.0) / static_cast<double>(without.size());
  double square = 0;
  double cube = 0;
  for (const double value : without) {
    const double d = mean - value;
    square += d * d;
    cube += d * d * d;
  }
  return square > 0 ? cube / (6 * square * std::sqrt(square)) : 0;
}

std::vector<double> Draw(size_t blocks, const Statistic& statistic, size_t draws, uint64_t seed) {
  agent::base::SplitMix random(seed);
  std::vector<double> values;
  std::vector<uint32_t> times(blocks);
  for (size_t draw = 0; draw < draws; ++draw) {
    std::fill(times.begin(), times.end(), 0);
    for (size_t i = 0; i < blocks; ++i) ++times[random.Below(blocks)];
    const double value = statistic(times);
    if (!std::isnan(value)) values.push_back(value);
  }
  std::sort(values.begin(), values.end());
  return values;
}

// Where in the ordered draws the bound at quantile z of a standard error lies, 0 to 1.
double PlaceOfBound(double z, double bias, double acceleration) {
  const double moved = bias + z;
  const double stretch = 1 - acceleration * moved;
  if (stretch <= 0) return z < 0 ? 0 : 1;
  return NormalBelow(bias + moved / stretch);
}

}  // namespace

Dependence DependenceOf(const std::vector<Series>& clips) {
  size_t n = 0;
  size_t longest = 0;
  const double mean = Mean(clips, n);
  for (const Series& clip : clips) longest = std::max(longest, clip.size());
  const double variance = Covariance(clips, mean, 0);
  Dependence dependence{.time = 1, .n_eff = static_cast<double>(n)};
  if (n == 0 || !(variance > 0)) return dependence;
  // Pairs of lags (0, 1), (2, 3), ...: their sums are positive and fall while they are no noise.
  double sum = 0;
  double last = std::numeric_limits<double>::infinity();
  for (size_t lag = 0; lag < std::min(longest, kMaxLag); lag += 2) {
    const double pair =
        (Covariance(clips, mean, lag) + Covariance(clips, mean, lag + 1)) / variance;
    if (pair <= 0) break;
    last = std::min(last, pair);
    sum += last;
  }
  dependence.time = std::max(1.0, 2 * sum - 1);
  dependence.n_eff = std::max(1.0, static_cast<double>(n) / dependence.time);
  return dependence;
}

Bounds Bootstrap(size_t blocks, const Statistic& statistic, double alpha, uint64_t seed) {
  Bounds bounds{.value = statistic(std::vector<uint32_t>(blocks, 1)), .lower = kNan, .upper = kNan};
  if (blocks < 2 || std::isnan(bounds.value)) return bounds;
  const size_t wanted =
      std::max(kLeastDraws, static_cast<size_t>(std::ceil(kDrawsBeyondBound / alpha)));
  const std::vector<double> draws = Draw(blocks, statistic, wanted, seed);
  if (draws.size() < wanted - wanted / 20) return bounds;
  const auto n = static_cast<double>(blocks);
  const double student =
      boost::math::quantile(boost::math::students_t(n - 1), alpha) * std::sqrt(n / (n - 1));
  const double bias = Bias(draws, bounds.value);
  const double acceleration = Acceleration(blocks, statistic);
  const auto count = static_cast<double>(draws.size());
  const double low = std::floor((count + 1) * PlaceOfBound(student, bias, acceleration));
  const double high = std::ceil((count + 1) * PlaceOfBound(-student, bias, acceleration));
  bounds.lower = draws[static_cast<size_t>(std::clamp(low, 1.0, count)) - 1];
  bounds.upper = draws[static_cast<size_t>(std::clamp(high, 1.0, count)) - 1];
  return bounds;
}

Bounds BootstrapRatio(const std::vector<double>& sums, const std::vector<double>& sizes,
                      double alpha, uint64_t seed) {
  const auto ratio = [&sums, &sizes](const std::vector<uint32_t>& times) {
    double sum = 0;
    double size = 0;
    for (size_t i = 0; i < times.size(); ++i) {
      sum += times[i] * sums[i];
      size += times[i] * sizes[i];
    }
    return size > 0 ? sum / size : kNan;
  };
  return Bootstrap(sums.size(), ratio, alpha, seed);
}

}  // namespace gatekeeper::gates
