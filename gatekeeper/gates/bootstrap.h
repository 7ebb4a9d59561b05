#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <vector>

// Bounds for means and other statistics of correlated samples. What is drawn again and again are
// not samples but blocks of them that are independent of each other: recordings.

namespace gatekeeper::gates {

// Equally spaced values of one clip.
using Series = std::vector<double>;

// How far samples of the same clip depend on each other.
struct Dependence {
  double time = 1;   // integrated autocorrelation time in samples; 1: independent
  double n_eff = 0;  // independent samples that say as much as all of them
};
// 1 + 2 * the sum of the autocorrelations up to where pairs of them stop being positive and falling
// (Geyer, Practical Markov chain Monte Carlo, Statistical Science 7, 1992: the initial monotone
// sequence), with one mean for all clips: what differs from clip to clip makes the samples of a
// clip dependent.
Dependence DependenceOf(const std::vector<Series>& clips);

// Fewer blocks than these say nothing about how much a statistic varies.
inline constexpr size_t kLeastBlocks = 10;

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// The value of the statistic when block i stands times[i] times in the sample; NaN when it has none
// for such a sample.
using Statistic = std::function<double(const std::vector<uint32_t>& times)>;

struct Bounds {
  double value = 0;  // of the sample itself
  double lower = 0;
  double upper = 0;  // both one-sided, each at alpha
};

// Bias-corrected accelerated bootstrap (Efron, Better bootstrap confidence intervals, JASA 82,
// 1987) over `blocks` blocks, with Student's quantile for the normal one (Hesterberg, What teachers
// should know about the bootstrap, The American Statistician 69, 2015), so that few blocks are not
// taken for many. Draws with SplitMix from `seed` alone: the same bounds anywhere. Where more than
// one draw in twenty has no value, or there are fewer than two blocks, the bounds are NaN.
Bounds Bootstrap(size_t blocks, const Statistic& statistic, double alpha, uint64_t seed);

// The sum of all sums over the sum of all sizes: the mean of what is given block by block, a sum
// and a size each.
Bounds BootstrapRatio(const std::vector<double>& sums, const std::vector<double>& sizes,
                      double alpha, uint64_t seed);

}  // namespace gatekeeper::gates
