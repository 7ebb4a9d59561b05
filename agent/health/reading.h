#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <string_view>

#include "agent/base/clock.h"

namespace agent::health {

using base::Nanos;

// What became of an attempt to read something. Absence is a state of its own, never a zero.
enum class State : uint8_t {
  kNotAvailable,  // this computer has no such sensor, or no driver for it
  kNoPermission,  // it has one, but this process may not read it
  kUnreadable,    // it was there, and reading fails now (device powered off, nonsense in the file)
  kPending,       // a counter that was read once: a rate needs two readings
  kAvailable,
};

struct Reading {
  State state = State::kNotAvailable;
  double value = std::numeric_limits<double>::quiet_NaN();  // a number when available() only

  bool available() const { return state == State::kAvailable; }
};

inline Reading Absent(State state) { return {.state = state}; }
inline Reading Available(double value) { return {.state = State::kAvailable, .value = value}; }

// Of several readings of one kind: what one says who asks whether there is any.
constexpr State Better(State a, State b) {
  constexpr auto rank = [](State state) {
    switch (state) {
      case State::kNotAvailable:
        return 0;
      case State::kUnreadable:
        return 1;
      case State::kNoPermission:
        return 2;  // the one that a person can do something about
      case State::kPending:
        return 3;
      case State::kAvailable:
        return 4;
    }
    return 0;
  };
  return rank(a) < rank(b) ? b : a;
}

// A sensor's own name, cut where it is longer.
class ShortName {
 public:
  ShortName() = default;
  explicit ShortName(std::string_view name) : size_(name.copy(text_.data(), text_.size())) {}
  std::string_view view() const { return {text_.data(), size_}; }

 private:
  std::array<char, 31> text_{};
  size_t size_ = 0;
};

enum class Source : uint8_t {
  kRapl,
  kIna3221,
  kHwmonPower,
  kPowerSupply,
  kThermalZone,
  kCoolingDevice,
  kThermalThrottle,
  kCpufreq,
  kDevfreq,
  kSocthermOc,
};
inline constexpr size_t kSources = 10;
inline constexpr std::array<std::string_view, kSources> kSourceNames = {
    "rapl",           "ina3221",          "hwmon_power", "power_supply", "thermal_zone",
    "cooling_device", "thermal_throttle", "cpufreq",     "devfreq",      "soctherm_oc"};

// One look at the computer's power, heat and throttling. Plain bytes, so that a thread may hand it
// to another one without a lock. proto/health.proto says what each field means.
struct HealthSample {
  Nanos at{};
  Reading power_w;
  Source power_source = Source::kRapl;  // of power_w and energy_j, when there is one
  Reading energy_j;
  double covered_s = 0;
  Reading peak_power_w;
  uint32_t gaps = 0;
  double missed_s = 0;
  Reading supply_v;
  Reading soc_temp_degc;
  ShortName hottest_zone;
  Reading passive_margin_degc;
  uint32_t zones_read = 0;
  uint32_t zones_skipped = 0;
  Reading throttled;
  Reading cooling_devices;
  Reading cpu_cap;
  Reading devfreq_cap;
  Reading throttle_events;
  Reading over_current_events;
  double throttled_s = 0;
  std::array<State, kSources> sources{};

  State& source(Source which) { return sources[static_cast<size_t>(which)]; }
  State source(Source which) const { return sources[static_cast<size_t>(which)]; }
};

}  // namespace agent::health
