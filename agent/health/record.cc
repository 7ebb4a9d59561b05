#include "agent/health/record.h"

#include "absl/strings/str_format.h"

namespace agent::health {
namespace {

namespace v1 = ::gatekeeper::v1;

v1::HealthState Recorded(State state) {
  switch (state) {
    case State::kNotAvailable:
      return v1::HEALTH_NOT_AVAILABLE;
    case State::kNoPermission:
      return v1::HEALTH_NO_PERMISSION;
    case State::kUnreadable:
      return v1::HEALTH_UNREADABLE;
    case State::kPending:
      return v1::HEALTH_PENDING;
    case State::kAvailable:
      return v1::HEALTH_AVAILABLE;
  }
  return v1::HEALTH_STATE_UNSPECIFIED;
}

void Record(const Reading& reading, v1::HealthReading& out) {
  out.set_state(Recorded(reading.state));
  if (reading.available()) out.set_value(reading.value);
}

}  // namespace

v1::HealthSample ToRecord(const HealthSample& sample, int64_t wall_ms) {
  v1::HealthSample out;
  out.set_now_ns(sample.at.count());
  out.set_wall_ms(wall_ms);
  Record(sample.power_w, *out.mutable_power_w());
  if (sample.power_w.available()) {
    out.set_power_source(std::string(kSourceNames[static_cast<size_t>(sample.power_source)]));
  }
  Record(sample.energy_j, *out.mutable_energy_j());
  out.set_covered_s(sample.covered_s);
  Record(sample.peak_power_w, *out.mutable_peak_power_w());
  out.set_gaps(sample.gaps);
  out.set_missed_s(sample.missed_s);
  Record(sample.supply_v, *out.mutable_supply_v());
  Record(sample.soc_temp_degc, *out.mutable_soc_temp_degc());
  out.set_hottest_zone(std::string(sample.hottest_zone.view()));
  Record(sample.passive_margin_degc, *out.mutable_passive_margin_degc());
  out.set_zones_read(sample.zones_read);
  out.set_zones_skipped(sample.zones_skipped);
  Record(sample.throttled, *out.mutable_throttled());
  Record(sample.cooling_devices, *out.mutable_cooling_devices());
  Record(sample.cpu_cap, *out.mutable_cpu_cap());
  Record(sample.devfreq_cap, *out.mutable_devfreq_cap());
  Record(sample.throttle_events, *out.mutable_throttle_events());
  Record(sample.over_current_events, *out.mutable_over_current_events());
  out.set_throttled_s(sample.throttled_s);
  for (size_t i = 0; i < kSources; ++i) {
    v1::HealthSource& source = *out.add_sources();
    source.set_name(std::string(kSourceNames[i]));
    source.set_state(Recorded(sample.sources[i]));
  }
  return out;
}

std::string Describe(const HealthSample& sample) {
  std::string text;
  const auto part = [&text](const std::string& words) {
    text += (text.empty() ? "" : ", ") + words;
  };
  if (sample.power_w.available()) {
    part(absl::StrFormat("%.1f W (%s)", sample.power_w.value,
                         kSourceNames[static_cast<size_t>(sample.power_source)]));
  }
  if (sample.supply_v.available()) part(absl::StrFormat("%.2f V", sample.supply_v.value));
  if (sample.soc_temp_degc.available()) {
    part(absl::StrFormat("%.1f degC (%s)", sample.soc_temp_degc.value, sample.hottest_zone.view()));
  }
  if (sample.throttled.available())
    part(sample.throttled.value > 0 ? "throttled" : "not throttled");
  if (text.empty()) text = "neither power nor heat nor throttling can be read";
  for (size_t i = 0; i < kSources; ++i) {
    if (sample.sources[i] == State::kNoPermission) {
      absl::StrAppendFormat(&text, "; %s: no permission", kSourceNames[i]);
    }
    if (sample.sources[i] == State::kUnreadable) {
      absl::StrAppendFormat(&text, "; %s: unreadable", kSourceNames[i]);
    }
  }
  return text;
}

}  // namespace agent::health
