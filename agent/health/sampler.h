#pragma once

#include <string>

#include "agent/health/energy.h"
#include "agent/health/heat.h"
#include "agent/health/power_sensors.h"
#include "agent/health/rapl.h"
#include "agent/health/reading.h"
#include "agent/health/throttling.h"

namespace agent::health {

// How often to look: the fastest sensors renew their value ten times a second.
inline constexpr Nanos kSampleEvery = std::chrono::milliseconds(100);

// Reads the computer's power, heat and throttling from sysfs. What is missing is looked for again
// every half minute, for drivers that are loaded late and devices that come back. Files are opened
// once. One thread, never the control tick's: a driver may take its time.
class Sampler {
 public:
  // `sysfs_root` is /sys, or a folder that looks like it.
  explicit Sampler(std::string sysfs_root);

  // Call every kSampleEvery; `now` never runs backwards.
  HealthSample Sample(Nanos now);

 private:
  void LookAgain(Nanos now);
  void SamplePower(HealthSample& sample);
  void SampleHeat(HealthSample& sample);
  void SampleThrottling(HealthSample& sample);

  const std::string root_;
  Rapl rapl_;
  Ina3221 ina3221_;
  HwmonPower hwmon_power_;
  PowerSupply power_supply_;
  ThermalZones zones_;
  CoolingDevices cooling_;
  GrowingCounters thermal_throttle_;
  GrowingCounters over_current_;
  ClockCaps cpufreq_;
  ClockCaps devfreq_;

  EnergyAccount energy_;
  HealthSample last_;
  bool sampled_ = false;
  Nanos looked_{};
};

}  // namespace agent::health
