#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/health/sysfs.h"

namespace agent::health {

// Event counters that run since boot; what they have grown since the first reading. A counter that
// falls has been reset and counts from there.
class GrowingCounters {
 public:
  void Watch(const std::string& path) { counters_.push_back({.number = SysfsNumber(path)}); }
  Reading Grown();

 private:
  struct Counter {
    SysfsNumber number;
    std::optional<int64_t> last = std::nullopt;
    int64_t grown = 0;
  };
  std::vector<Counter> counters_;
};

// Intel's counts of thermal throttling (devices/system/cpu/cpu*/thermal_throttle): each processor's
// own core, and each package once, because every processor of a package repeats the package's.
GrowingCounters ThermalThrottle(const std::string& root);

// Jetson's over-current and under-voltage alarms (hwmon soctherm_oc, oc1 to oc3).
GrowingCounters SocthermOverCurrent(const std::string& root);

// Lowered caps of clocks. A low frequency alone is an idle processor, not a throttled one.
class ClockCaps {
 public:
  // devices/system/cpu/cpufreq/policy*: scaling_max_freq against cpuinfo_max_freq.
  static ClockCaps Cpufreq(const std::string& root);
  // class/devfreq/*: max_freq against the largest of available_frequencies, or else the largest
  // max_freq seen.
  static ClockCaps Devfreq(const std::string& root);

  // The lowest cap as a share of the full clock, 1 when none is lowered.
  Reading Lowest();

 private:
  struct Clock {
    SysfsNumber cap;
    int64_t full = 0;
    bool full_is_known = false;
  };
  std::vector<Clock> clocks_;
};

}  // namespace agent::health
