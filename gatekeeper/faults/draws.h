#pragma once

#include <cstdint>

namespace gatekeeper::faults {

// Numbers drawn from a seed, the same on every computer: integers and sums only. SplitMix64
// (Steele, Lea and Flood, OOPSLA 2014).
class Draws {
 public:
  explicit Draws(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31U);
  }
  // 0 <= x < 1.
  double Unit() { return static_cast<double>(Next() >> 11U) * 0x1p-53; }
  // Below `n`, which is above 0.
  uint64_t Below(uint64_t n) { return Next() % n; }
  // Mean 0, standard deviation 1, within +-6: twelve uniform numbers added up.
  double Normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += Unit();
    return sum;
  }

 private:
  uint64_t state_;
};

}  // namespace gatekeeper::faults
