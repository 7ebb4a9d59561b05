#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "agent/base/split_mix.h"

namespace gatekeeper::sim {

// The standard library's distributions differ between implementations, and the same seed must give
// the same world everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : bits_(seed) {}

  uint64_t Next() { return bits_.Next(); }
  double Uniform() { return bits_.Uniform(); }  // [0, 1)
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  uint64_t Below(uint64_t n) { return Next() % n; }
  double Normal(double sigma) {
    const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
    return sigma * radius * std::cos(2 * std::numbers::pi * Uniform());
  }

 private:
  agent::base::SplitMix bits_;
};

}  // namespace gatekeeper::sim
