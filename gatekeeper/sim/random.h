#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

namespace gatekeeper::sim {

// splitmix64: the standard library's distributions differ between implementations, and the same
// seed must give the same world everywhere.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }  // [0, 1)
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }
  uint64_t Below(uint64_t n) { return Next() % n; }
  double Normal(double sigma) {
    const double radius = std::sqrt(-2 * std::log(1 - Uniform()));
    return sigma * radius * std::cos(2 * std::numbers::pi * Uniform());
  }

 private:
  uint64_t state_;
};

}  // namespace gatekeeper::sim
