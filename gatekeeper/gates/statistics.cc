#include "gatekeeper/gates/statistics.h"

#include <cmath>
#include <limits>

#include "boost/math/distributions/beta.hpp"
#include "boost/math/distributions/chi_squared.hpp"
#include "boost/math/special_functions/beta.hpp"

namespace gatekeeper::gates {
namespace {

double Rounded(double value) {
  constexpr double kGrid = 1e12;
  const double scaled = value * kGrid;
  // Beyond 2^53 every double is a whole number already.
  return std::abs(scaled) < 9e15 ? std::nearbyint(scaled) / kGrid : value;
}

double BetaQuantile(double successes, double failures, double p) {
  return Rounded(boost::math::quantile(boost::math::beta_distribution<>(successes, failures), p));
}

double ChiSquaredQuantile(uint64_t degrees, double p) {
  return boost::math::quantile(
      boost::math::chi_squared_distribution<>(static_cast<double>(degrees)), p);
}

}  // namespace

double LowerBound(uint64_t k, uint64_t n, double alpha) {
  if (k == 0 || n == 0) return 0;
  return BetaQuantile(static_cast<double>(k), static_cast<double>(n - k) + 1, alpha);
}

double UpperBound(uint64_t k, uint64_t n, double alpha) {
  if (k >= n) return 1;
  return BetaQuantile(static_cast<double>(k) + 1, static_cast<double>(n - k), 1 - alpha);
}

double RateLowerBound(uint64_t events, double hours, double alpha) {
  if (events == 0 || !(hours > 0)) return 0;
  return Rounded(ChiSquaredQuantile(2 * events, alpha) / (2 * hours));
}

double RateUpperBound(uint64_t events, double hours, double alpha) {
  if (!(hours > 0)) return std::numeric_limits<double>::infinity();
  return Rounded(ChiSquaredQuantile(2 * events + 2, 1 - alpha) / (2 * hours));
}

double BinomialAtMost(uint64_t k, uint64_t n, double p) {
  if (k >= n) return 1;
  return boost::math::ibetac(static_cast<double>(k) + 1, static_cast<double>(n - k), p);
}

uint64_t FramesNeeded(uint64_t over, double quantile, double confidence) {
  const auto enough = [&](uint64_t n) {
    return BinomialAtMost(over, n, 1 - quantile) <= 1 - confidence;
  };
  uint64_t low = over;  // never enough: all frames are over the limit
  uint64_t high = over + 1;
  while (!enough(high)) {
    low = high;
    high *= 2;
  }
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

int64_t SamplesAboveBound(uint64_t n, double quantile, double confidence) {
  const auto bounds = [&](uint64_t above) {
    return BinomialAtMost(above, n, 1 - quantile) <= 1 - confidence;
  };
  if (n == 0 || !bounds(0)) return -1;
  uint64_t low = 0;   // still a bound
  uint64_t high = n;  // never one
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    (bounds(middle) ? low : high) = middle;
  }
  return static_cast<int64_t>(low);
}

}  // namespace gatekeeper::gates
