#pragma once

#include <cstdint>
#include <vector>

// Two units on the same clips.

namespace gatekeeper::gates {

struct PairedCounts {
  uint64_t n = 0;       // clips that both were judged on
  uint64_t gained = 0;  // failed with the deployed unit, pass with the new one
  uint64_t lost = 0;    // passed with the deployed unit, fail with the new one
  double difference() const {
    return n == 0
               ? 0
               : (static_cast<double>(gained) - static_cast<double>(lost)) / static_cast<double>(n);
  }
};

// Tango's score statistic of "the new unit's pass rate is higher by `difference`": about standard
// normal if that is so, large when the truth is above. `difference` above -1 and below 1.
// (Tango, Equivalence test and confidence interval for the difference in proportions for the
// paired-sample design, Statistics in Medicine 17, 1998.)
double TangoScore(const PairedCounts& counts, double difference);
// One-sided bounds of the difference at `alpha`, rounded to twelve decimals: where the score is the
// normal quantile. -1 (1) for no clips. Unlike Wald's they do not shrink to a point when no clip
// changed.
double TangoLowerBound(const PairedCounts& counts, double alpha);
double TangoUpperBound(const PairedCounts& counts, double alpha);
// Probability of a score as large as this or larger if the difference is what the score is of.
double TangoPValue(const PairedCounts& counts, double difference);

// What Holm's procedure says of one of several hypotheses.
struct HolmStep {
  double level = 0;       // error rate at which it was tested: alpha / (K - rank)
  bool rejected = false;  // its p and all smaller ones were at most their levels
};
// In the order of the p-values given; all false rejections together have probability `alpha` at
// most. (Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of
// Statistics 6, 1979.)
std::vector<HolmStep> Holm(const std::vector<double>& p_values, double alpha);

}  // namespace gatekeeper::gates
