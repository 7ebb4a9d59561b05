#include "gatekeeper/gates/statistics.h"

#include "boost/math/distributions/beta.hpp"
#include "boost/math/special_functions/beta.hpp"

namespace gatekeeper::gates {
namespace {

// P(Binomial(n, p) <= k), through the incomplete beta function.
double AtMost(uint64_t k, uint64_t n, double p) {
  if (k >= n) return 1;
  return boost::math::ibetac(static_cast<double>(k) + 1, static_cast<double>(n - k), p);
}

}  // namespace

double LowerBound(uint64_t k, uint64_t n, double alpha) {
  if (k == 0 || n == 0) return 0;
  const boost::math::beta_distribution<> rate(static_cast<double>(k),
                                              static_cast<double>(n - k) + 1);
  return boost::math::quantile(rate, alpha);
}

uint64_t FramesNeeded(uint64_t over, double quantile, double confidence) {
  const auto enough = [&](uint64_t n) { return AtMost(over, n, 1 - quantile) <= 1 - confidence; };
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

}  // namespace gatekeeper::gates
