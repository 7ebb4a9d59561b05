#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "agent/base/clock.h"

namespace agent::control {

// Latencies in fixed memory: 8 buckets per doubling from 1 us to 16.8 s, so that a quantile is at
// most one eighth too large. Adding is a few instructions and never allocates.
class LatencyHistogram {
 public:
  void Add(base::Nanos latency);
  // Upper edge, in microseconds, of the bucket that holds quantile `q` in (0, 1]; 0 when empty.
  double QuantileUs(double q) const;

 private:
  static constexpr size_t kPerOctave = 8;
  static constexpr size_t kOctaves = 24;
  std::array<uint32_t, kPerOctave * kOctaves> counts_{};
  uint64_t total_ = 0;
};

}  // namespace agent::control
