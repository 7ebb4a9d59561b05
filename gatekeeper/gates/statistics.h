#pragma once

#include <cstdint>

// Bounds on rates, exact for any number of trials. All bounds are rounded to twelve decimals, so
// that the last bits in which mathematical libraries differ do not reach a report.

namespace gatekeeper::gates {

// One-sided Clopper-Pearson bounds of a success rate: `k` of `n` independent trials succeeded and
// the true rate is below the lower (above the upper) bound with probability at most `alpha`.
// 0 (1) when k is 0 (n), or n is 0. Without a failure the lower bound is alpha^(1/n): the exact
// "rule of three". (Clopper and Pearson, Biometrika 26, 1934.)
double LowerBound(uint64_t k, uint64_t n, double alpha);
double UpperBound(uint64_t k, uint64_t n, double alpha);

// One-sided bounds of the rate of a Poisson process, in events an hour: `events` were counted in
// `hours` of exposure. Zero events: at most -ln(alpha) / hours, 3.0 / hours at alpha 0.05. Infinite
// (upper) when there was no exposure. (Garwood, Biometrika 28, 1936.)
double RateLowerBound(uint64_t events, double hours, double alpha);
double RateUpperBound(uint64_t events, double hours, double alpha);

// P(Binomial(n, p) <= k), through the incomplete beta function.
double BinomialAtMost(uint64_t k, uint64_t n, double p);

// Least number of frames that must have been measured, `over` of them over the limit, before one
// may say with `confidence` that `quantile` of all frames are within it: the smallest n with
// P(Binomial(n, 1 - quantile) <= over) <= 1 - confidence. The early-stopping rule of MLPerf LoadGen
// with tolerance 0. 459 for over = 0, quantile = confidence = 0.99.
uint64_t FramesNeeded(uint64_t over, double quantile, double confidence);

// How many of `n` samples, counted from the largest, may lie above an upper bound of the quantile:
// the (answer + 1)-th largest sample is at least the true quantile with probability `confidence`,
// whatever the distribution. -1: not even the largest is; n is too small (59 for the P95 with 95 %,
// 299 for the P99, 2995 for the P99.9). (David and Nagaraja, Order Statistics, 2003, section 7.1.)
int64_t SamplesAboveBound(uint64_t n, double quantile, double confidence);

}  // namespace gatekeeper::gates
