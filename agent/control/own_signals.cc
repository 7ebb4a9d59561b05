#include "agent/control/own_signals.h"

#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace agent::control {
namespace {

constexpr std::string_view kHeat = "soc_temp_degC";
constexpr std::string_view kSupply = "supply_V";
constexpr std::string_view kPower = "power_W";
constexpr std::string_view kThrottled = "throttled";

}  // namespace

HealthSignals::HealthSignals(const health::HealthSample& sample) {
  const auto add = [this](std::string_view name, const health::Reading& reading) {
    if (reading.available()) values_[count_++] = {name, reading.value};
  };
  add(kHeat, sample.soc_temp_degc);
  add(kSupply, sample.supply_v);
  add(kPower, sample.power_w);
  add(kThrottled, sample.throttled);
}

std::string Conditions(const runtime::InputBoard& board, double derate, base::Nanos now) {
  constexpr base::Nanos kNews = std::chrono::seconds(2);
  const auto value = [&](std::string_view name) -> std::optional<double> {
    const runtime::SignalEntry* entry = board.FindSignal(name);
    const bool known = entry != nullptr && entry->own && entry->record.seen &&
                       now - entry->record.received <= kNews;
    return known ? std::optional(entry->value) : std::nullopt;
  };
  std::vector<std::string> parts;
  if (const auto heat = value(kHeat)) parts.push_back(absl::StrFormat("%.1f degC", *heat));
  if (const auto supply = value(kSupply)) parts.push_back(absl::StrFormat("%.2f V", *supply));
  if (const auto power = value(kPower)) parts.push_back(absl::StrFormat("%.1f W", *power));
  if (const auto throttled = value(kThrottled)) {
    parts.push_back(*throttled > 0 ? "throttled" : "not throttled");
  }
  if (const auto latency = value(kLatencySignal)) {
    parts.push_back(absl::StrFormat("inference p99 %.1f ms", *latency));
  }
  if (derate < 1) parts.push_back(absl::StrFormat("speed x %.2f", derate));
  return absl::StrJoin(parts, ", ");
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
  return OwnSignal{kLatencySignal, p99_us * kMsPerUs};
}

}  // namespace agent::control
