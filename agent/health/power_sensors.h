#pragma once

#include <string>
#include <vector>

#include "agent/health/sysfs.h"

namespace agent::health {

// INA3221 monitors, as on NVIDIA Jetson boards: three rails each (Documentation/hwmon/ina3221.rst).
// Found by name and label, because hwmon numbers change from boot to boot; in4 to in6 are shunt
// voltages and in7 and curr4 sums, which are no rails. A rail labelled VDD_IN is the board's input
// and stands for all; a board without one is the sum of its enabled rails.
class Ina3221 {
 public:
  explicit Ina3221(const std::string& root);
  Reading Watts() const;    // unreadable as soon as one rail of the sum is
  Reading SupplyV() const;  // of the board's input; not available on a board without that label

 private:
  struct Rail {
    SysfsNumber millivolts;
    SysfsNumber milliamperes;
    bool input = false;
  };
  std::vector<Rail> rails_;  // the input's alone where there is one
};

// Any other hwmon sensor that measures power itself (power*_input, microwatts). The largest one
// counts: rails stand behind one another, and a sum would count them twice.
class HwmonPower {
 public:
  explicit HwmonPower(const std::string& root);
  Reading Watts() const;

 private:
  std::vector<SysfsNumber> microwatts_;
};

// Batteries and mains adapters (class/power_supply; micro-units). Drivers differ in the sign of a
// battery's current, so the magnitude counts, and only while it does not charge: what flows in then
// is not what the robot uses.
class PowerSupply {
 public:
  explicit PowerSupply(const std::string& root);
  Reading Watts() const;    // of all discharging batteries
  Reading SupplyV() const;  // of the first battery, else of the first supply that tells

 private:
  struct Supply {
    std::string folder;
    bool battery = false;
    SysfsNumber microvolts;
    SysfsNumber microamperes;
    SysfsNumber microwatts;
  };
  static Reading WattsOf(const Supply& supply);
  std::vector<Supply> supplies_;  // batteries first
};

}  // namespace agent::health
