#include "agent/health/heat.h"

#include <algorithm>
#include <cctype>
#include <utility>

namespace agent::health {
namespace {

// No computer works outside of these; drivers of powered-off blocks give -273 or -256 degrees.
constexpr double kLeastDegC = -50;
constexpr double kMostDegC = 200;
constexpr int kMostTrips = 12;  // as many as Linux allows a zone

bool Plausible(const Count& millidegrees) {
  const double degc = static_cast<double>(millidegrees.value) * 1e-3;
  return millidegrees.available() && degc >= kLeastDegC && degc <= kMostDegC;
}

// The lowest passive trip point, where the kernel begins to slow the computer down.
std::optional<double> PassiveTrip(const std::string& zone) {
  std::optional<double> lowest;
  for (int i = 0; i < kMostTrips; ++i) {
    const std::string trip = zone + "/trip_point_" + std::to_string(i);
    if (SysfsText(trip + "_type") != "passive") continue;
    const Count millidegrees = SysfsNumber(trip + "_temp").Read();
    if (!Plausible(millidegrees)) continue;
    const double degc = static_cast<double>(millidegrees.value) * 1e-3;
    if (!lowest || degc < *lowest) lowest = degc;
  }
  return lowest;
}

bool SlowsDown(std::string type) {
  std::ranges::transform(type, type.begin(), [](unsigned char c) { return std::tolower(c); });
  return type.find("processor") != std::string::npos || type.find("cpufreq") != std::string::npos ||
         type.find("devfreq") != std::string::npos;
}

}  // namespace

ThermalZones::ThermalZones(const std::string& root) {
  for (const std::string& zone : Numbered(root + "/class/thermal", "thermal_zone")) {
    zones_.push_back({.millidegrees = SysfsNumber(zone + "/temp"),
                      .type = ShortName(SysfsText(zone + "/type")),
                      .passive_degc = PassiveTrip(zone)});
  }
}

ThermalZones::Heat ThermalZones::Read() const {
  Heat heat;
  for (const Zone& zone : zones_) {
    const Count now = zone.millidegrees.Read();
    if (!Plausible(now)) {
      ++heat.skipped;
      const State why = now.available() ? State::kUnreadable : now.state;
      if (!heat.hottest_degc.available()) {
        heat.hottest_degc.state = Better(heat.hottest_degc.state, why);
      }
      continue;
    }
    ++heat.read;
    const double degc = static_cast<double>(now.value) * 1e-3;
    if (!heat.hottest_degc.available() || degc > heat.hottest_degc.value) {
      heat.hottest_degc = Available(degc);
      heat.zone = zone.type;
    }
    if (!zone.passive_degc) continue;
    const double margin = *zone.passive_degc - degc;
    Reading& least = heat.passive_margin_degc;
    if (!least.available() || margin < least.value) least = Available(margin);
  }
  return heat;
}

CoolingDevices::CoolingDevices(const std::string& root) {
  for (const std::string& device : Numbered(root + "/class/thermal", "cooling_device")) {
    if (SlowsDown(SysfsText(device + "/type"))) states_.emplace_back(device + "/cur_state");
  }
}

Reading CoolingDevices::InUse() const {
  Reading in_use;
  for (const SysfsNumber& device : states_) {
    const Count state = device.Read();
    if (!state.available()) {
      if (!in_use.available()) in_use.state = Better(in_use.state, state.state);
      continue;
    }
    in_use = Available((in_use.available() ? in_use.value : 0) + (state.value > 0 ? 1 : 0));
  }
  return in_use;
}

}  // namespace agent::health
