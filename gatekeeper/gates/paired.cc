#include "gatekeeper/gates/paired.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "boost/math/distributions/normal.hpp"

namespace gatekeeper::gates {
namespace {

double Quantile(double p) { return boost::math::quantile(boost::math::normal(), p); }

// Where the score, which falls with the difference, is `score`.
double DifferenceAt(const PairedCounts& counts, double score) {
  double low = -1;
  double high = 1;
  for (int i = 0; i < 100; ++i) {  // more than a double has bits
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) break;
    (TangoScore(counts, middle) > score ? low : high) = middle;
  }
  return std::nearbyint(low * 1e12) / 1e12;
}

}  // namespace

double TangoScore(const PairedCounts& counts, double difference) {
  const auto n = static_cast<double>(counts.n);
  const auto gained = static_cast<double>(counts.gained);
  const auto lost = static_cast<double>(counts.lost);
  // The likeliest rate of lost clips if the difference were that.
  const double b = -gained - lost + (2 * n - gained + lost) * difference;
  const double c = -lost * difference * (1 - difference);
  const double root = std::sqrt(std::max(0.0, b * b - 8 * n * c));
  // Of the two ways to write the solution, the one that subtracts nothing alike.
  const double rate = b <= 0 ? (root - b) / (4 * n) : -2 * c / (root + b);
  const double variance = n * (2 * rate + difference * (1 - difference));
  const double distance = gained - lost - n * difference;
  if (variance > 0) return distance / std::sqrt(variance);
  return distance == 0 ? 0 : std::copysign(INFINITY, distance);
}

double TangoLowerBound(const PairedCounts& counts, double alpha) {
  return counts.n == 0 ? -1 : DifferenceAt(counts, Quantile(1 - alpha));
}

double TangoUpperBound(const PairedCounts& counts, double alpha) {
  return counts.n == 0 ? 1 : DifferenceAt(counts, Quantile(alpha));
}

double TangoPValue(const PairedCounts& counts, double difference) {
  if (counts.n == 0) return 1;
  const double score = TangoScore(counts, difference);
  if (std::isinf(score)) return score > 0 ? 0 : 1;
  return boost::math::cdf(boost::math::complement(boost::math::normal(), score));
}

std::vector<HolmStep> Holm(const std::vector<double>& p_values, double alpha) {
  std::vector<size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return p_values[a] < p_values[b]; });
  std::vector<HolmStep> steps(p_values.size());
  bool rejecting = true;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    HolmStep& step = steps[order[rank]];
    step.level = alpha / static_cast<double>(order.size() - rank);
    rejecting = rejecting && p_values[order[rank]] <= step.level;
    step.rejected = rejecting;
  }
  return steps;
}

}  // namespace gatekeeper::gates
