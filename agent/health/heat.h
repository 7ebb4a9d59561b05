#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/health/sysfs.h"

namespace agent::health {

// The computer's thermal zones (class/thermal/thermal_zone*, millidegrees;
// Documentation/driver-api/thermal/sysfs-api.rst). A zone whose block is powered off cannot be
// read, and some drivers then give absurd values: such zones are skipped and counted.
class ThermalZones {
 public:
  explicit ThermalZones(const std::string& root);

  struct Heat {
    Reading hottest_degc;
    ShortName zone;               // the hottest one's type
    Reading passive_margin_degc;  // least way to a passive trip point, where throttling begins
    uint32_t read = 0;
    uint32_t skipped = 0;
  };
  Heat Read() const;

 private:
  struct Zone {
    SysfsNumber millidegrees;
    ShortName type;
    std::optional<double> passive_degc;
  };
  std::vector<Zone> zones_;
};

// Cooling devices that slow the computer down: processor, cpufreq and devfreq. Fans are cooling
// devices too and do not count.
class CoolingDevices {
 public:
  explicit CoolingDevices(const std::string& root);
  Reading InUse() const;  // how many stand above state 0

 private:
  std::vector<SysfsNumber> states_;
};

}  // namespace agent::health
