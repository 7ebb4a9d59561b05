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
  void Add(const LatencyHistogram& other);
  // Upper edge, in microseconds, of the bucket that holds quantile `q` in (0, 1]; 0 when empty.
  double QuantileUs(double q) const;

 private:
  static constexpr size_t kPerOctave = 8;
  static constexpr size_t kOctaves = 24;
  std::array<uint32_t, kPerOctave * kOctaves> counts_{};
  uint64_t total_ = 0;
};

// Latencies of the last minute, in steps of five seconds: what is older than a minute and a step
// counts no more.
class RollingLatency {
 public:
  void Add(base::Nanos latency, base::Nanos now);
  // As LatencyHistogram's; 0 when nothing was added in that time.
  double QuantileUs(double q, base::Nanos now) const;

 private:
  static constexpr base::Nanos kStep = std::chrono::seconds(5);
  static constexpr size_t kSteps = 13;  // a whole minute and the step that has just begun
  struct Step {
    int64_t number = -1;  // since the clock's start
    LatencyHistogram latencies;
  };
  std::array<Step, kSteps> steps_;
};

}  // namespace agent::control
