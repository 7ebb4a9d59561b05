#include "agent/health/throttling.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <utility>

namespace agent::health {
namespace {

constexpr int kOverCurrentAlarms = 3;  // under-voltage, average and instantaneous over-current

int64_t LargestIn(const std::string& numbers) {
  std::istringstream words(numbers);
  int64_t largest = 0;
  for (int64_t number = 0; words >> number;) largest = std::max(largest, number);
  return largest;
}

}  // namespace

Reading GrowingCounters::Grown() {
  Reading sum;
  for (Counter& counter : counters_) {
    const Count now = counter.number.Read();
    if (!now.available()) {
      if (!sum.available()) sum.state = Better(sum.state, now.state);
      continue;
    }
    if (counter.last && now.value > *counter.last) counter.grown += now.value - *counter.last;
    counter.last = now.value;
    sum = Available(sum.available() ? sum.value : 0);
  }
  if (!sum.available()) return sum;
  for (const Counter& counter : counters_) sum.value += static_cast<double>(counter.grown);
  return sum;
}

GrowingCounters ThermalThrottle(const std::string& root) {
  GrowingCounters counters;
  std::set<std::string> packages;
  for (const std::string& cpu : Numbered(root + "/devices/system/cpu", "cpu")) {
    const std::string folder = cpu + "/thermal_throttle/";
    if (SysfsNumber(folder + "core_throttle_count").Read().state == State::kNotAvailable) continue;
    counters.Watch(folder + "core_throttle_count");
    if (packages.insert(SysfsText(cpu + "/topology/physical_package_id")).second) {
      counters.Watch(folder + "package_throttle_count");
    }
  }
  return counters;
}

GrowingCounters SocthermOverCurrent(const std::string& root) {
  GrowingCounters counters;
  for (const std::string& device : Numbered(root + "/class/hwmon", "hwmon")) {
    if (SysfsText(device + "/name") != "soctherm_oc") continue;
    for (int i = 1; i <= kOverCurrentAlarms; ++i) {
      counters.Watch(device + "/oc" + std::to_string(i) + "_event_cnt");
    }
  }
  return counters;
}

ClockCaps ClockCaps::Cpufreq(const std::string& root) {
  ClockCaps caps;
  for (const std::string& policy : Numbered(root + "/devices/system/cpu/cpufreq", "policy")) {
    const Count full = SysfsNumber(policy + "/cpuinfo_max_freq").Read();
    if (!full.available() || full.value <= 0) continue;
    caps.clocks_.push_back({.cap = SysfsNumber(policy + "/scaling_max_freq"),
                            .full = full.value,
                            .full_is_known = true});
  }
  return caps;
}

ClockCaps ClockCaps::Devfreq(const std::string& root) {
  ClockCaps caps;
  std::error_code error;
  for (std::filesystem::directory_iterator it(root + "/class/devfreq", error), end;
       !error && it != end; it.increment(error)) {
    const std::string device = it->path().string();
    const int64_t full = LargestIn(SysfsText(device + "/available_frequencies"));
    caps.clocks_.push_back(
        {.cap = SysfsNumber(device + "/max_freq"), .full = full, .full_is_known = full > 0});
  }
  return caps;
}

Reading ClockCaps::Lowest() {
  Reading lowest;
  for (Clock& clock : clocks_) {
    const Count cap = clock.cap.Read();
    if (!cap.available() || cap.value <= 0) {
      if (!lowest.available()) {
        lowest.state = Better(lowest.state, cap.available() ? State::kUnreadable : cap.state);
      }
      continue;
    }
    if (!clock.full_is_known) clock.full = std::max(clock.full, cap.value);
    const double share =
        std::min(1.0, static_cast<double>(cap.value) / static_cast<double>(clock.full));
    if (!lowest.available() || share < lowest.value) lowest = Available(share);
  }
  return lowest;
}

}  // namespace agent::health
