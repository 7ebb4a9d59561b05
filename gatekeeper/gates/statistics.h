#pragma once

#include <cstdint>

namespace gatekeeper::gates {

// One-sided Clopper-Pearson lower bound of a success rate: `k` of `n` independent trials succeeded
// and the true rate is below the answer with probability at most `alpha`. 0 when k is 0 or n is 0.
// (Clopper and Pearson, Biometrika 26, 1934.)
double LowerBound(uint64_t k, uint64_t n, double alpha);

// Least number of frames that must have been measured, `over` of them over the limit, before one
// may say with `confidence` that `quantile` of all frames are within it: the smallest n with
// P(Binomial(n, 1 - quantile) <= over) <= 1 - confidence. The early-stopping rule of MLPerf LoadGen
// with tolerance 0. 459 for over = 0, quantile = confidence = 0.99.
uint64_t FramesNeeded(uint64_t over, double quantile, double confidence);

}  // namespace gatekeeper::gates
