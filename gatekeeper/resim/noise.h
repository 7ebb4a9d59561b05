#pragma once

#include <cstdint>

namespace gatekeeper::resim {

// splitmix64 (Steele, Lea and Flood, 2014) and a bell curve from additions alone: the standard
// library's distributions and its logarithm differ between hosts, and a seed must mean one drive.
class Noise {
 public:
  explicit Noise(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    state_ += 0x9e3779b97f4a7c15ULL;
    uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }  // [0, 1)
  uint64_t Below(uint64_t n) { return Next() % n; }
  // Mean 0, standard deviation 1, never beyond 6: the sum of twelve uniform numbers less 6.
  double Normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += Uniform();
    return sum;
  }

 private:
  uint64_t state_;
};

}  // namespace gatekeeper::resim
