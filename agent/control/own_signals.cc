#include "agent/control/own_signals.h"

namespace agent::control {

HealthSignals::HealthSignals(const health::HealthSample& sample) {
  const auto add = [this](std::string_view name, const health::Reading& reading) {
    if (reading.available()) values_[count_++] = {name, reading.value};
  };
  add("soc_temp_degC", sample.soc_temp_degc);
  add("supply_V", sample.supply_v);
  add("power_W", sample.power_w);
  add("throttled", sample.throttled);
}

void LatencySignal::Count(const runtime::Tick& tick) {
  if (tick.infer <= base::Nanos{0}) return;
  if (tick.digest != digest_) {
    digest_ = tick.digest;
    latency_ = RollingLatency();
  }
  latency_.Add(tick.infer, tick.now);
}

std::optional<OwnSignal> LatencySignal::Due(base::Nanos now) {
  constexpr base::Nanos kEvery = std::chrono::seconds(1);
  constexpr double kMsPerUs = 1e-3;
  if (now < next_) return std::nullopt;
  next_ = now + kEvery;
  const double p99_us = latency_.QuantileUs(0.99, now);
  if (p99_us == 0) return std::nullopt;
  return OwnSignal{"infer_p99_ms_60s", p99_us * kMsPerUs};
}

}  // namespace agent::control
