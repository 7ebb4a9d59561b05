#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "agent/control/latency_histogram.h"
#include "agent/health/reading.h"
#include "agent/runtime/input_board.h"
#include "agent/runtime/tick.h"

namespace agent::control {

// What control itself knows and a policy may derate by, as signals beside the robot's:
// soc_temp_degC, supply_V, power_W, throttled (0 or 1) and infer_p99_ms_60s, how long the driving
// unit's model took in the worst hundredth of its answers of the last minute. What cannot be read
// is not set and grows old.
inline constexpr std::string_view kLatencySignal = "infer_p99_ms_60s";

struct OwnSignal {
  std::string_view name;
  double value = 0;
};

// Those that a sample tells.
class HealthSignals {
 public:
  explicit HealthSignals(const health::HealthSample& sample);
  std::span<const OwnSignal> values() const { return {values_.data(), count_}; }

 private:
  std::array<OwnSignal, 4> values_;
  size_t count_ = 0;
};

// What they say at this moment, for people: "81.0 degC, 24.1 V, throttled, inference p99 4.1 ms,
// speed x 0.60". Empty when none is known; values older than two seconds are no news.
std::string Conditions(const runtime::InputBoard& board, double derate, base::Nanos now);

class LatencySignal {
 public:
  // Counts the tick's run, if there was one. Another unit's model begins afresh.
  void Count(const runtime::Tick& tick);
  // Once a second, when a model ran within the last minute.
  std::optional<OwnSignal> Due(base::Nanos now);

 private:
  RollingLatency latency_;
  std::string digest_;
  base::Nanos next_{};
};

}  // namespace agent::control
