#include "agent/control/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace agent::control {

// The octave is the position of the leading bit of the microseconds, the bucket in it the next
// three bits. Values under 8 us have fewer bits than that: they keep nanosecond eighths by scaling
// first.
void LatencyHistogram::Add(base::Nanos latency) {
  const auto eighths = static_cast<uint64_t>(std::max<int64_t>(latency.count(), 0)) / 125;
  const uint64_t scaled = std::max<uint64_t>(eighths, kPerOctave);  // 1 us
  const auto octave = static_cast<size_t>(std::bit_width(scaled)) - 4;
  const size_t bucket = octave * kPerOctave + (scaled >> octave) - kPerOctave;
  ++counts_[std::min(bucket, counts_.size() - 1)];
  ++total_;
}

void LatencyHistogram::Add(const LatencyHistogram& other) {
  for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += other.counts_[i];
  total_ += other.total_;
}

double LatencyHistogram::QuantileUs(double q) const {
  if (total_ == 0) return 0;
  const auto rank = static_cast<uint64_t>(std::ceil(q * static_cast<double>(total_)));
  uint64_t below = 0;
  for (size_t i = 0; i < counts_.size(); ++i) {
    below += counts_[i];
    if (below >= rank) {
      const double in_octave = static_cast<double>(kPerOctave + i % kPerOctave + 1) / kPerOctave;
      return std::ldexp(in_octave, static_cast<int>(i / kPerOctave));
    }
  }
  return 0;
}

void RollingLatency::Add(base::Nanos latency, base::Nanos now) {
  const int64_t number = now / kStep;
  Step& step = steps_[static_cast<size_t>(number) % kSteps];
  if (step.number != number) step = {.number = number, .latencies = {}};
  step.latencies.Add(latency);
}

double RollingLatency::QuantileUs(double q, base::Nanos now) const {
  const int64_t number = now / kStep;
  LatencyHistogram all;
  for (const Step& step : steps_) {
    if (step.number > number - static_cast<int64_t>(kSteps) && step.number <= number) {
      all.Add(step.latencies);
    }
  }
  return all.QuantileUs(q);
}

}  // namespace agent::control
