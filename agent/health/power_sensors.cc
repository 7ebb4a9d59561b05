#include "agent/health/power_sensors.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <utility>

namespace agent::health {
namespace {

constexpr double kMilli = 1e-3;
constexpr double kMicro = 1e-6;
constexpr int kIna3221Rails = 3;
constexpr int kMostPowerInputs = 16;  // of one hwmon device

State Worse(const Count& a, const Count& b) { return a.available() ? b.state : a.state; }

Reading Product(const Count& volts, const Count& amperes, double unit) {
  if (!volts.available() || !amperes.available()) return Absent(Worse(volts, amperes));
  return Available(static_cast<double>(volts.value) * static_cast<double>(amperes.value) * unit);
}

}  // namespace

Ina3221::Ina3221(const std::string& root) {
  for (const std::string& device : Numbered(root + "/class/hwmon", "hwmon")) {
    if (SysfsText(device + "/name") != "ina3221") continue;
    for (int i = 1; i <= kIna3221Rails; ++i) {
      const std::string number = std::to_string(i);
      const std::string label = SysfsText(device + "/in" + number + "_label");
      const Count enabled = SysfsNumber(device + "/in" + number + "_enable").Read();
      // A channel that the board does not use has no label, or says so in it.
      if (label.empty() || label == "NC" || (enabled.available() && enabled.value == 0)) continue;
      rails_.push_back({.millivolts = SysfsNumber(device + "/in" + number + "_input"),
                        .milliamperes = SysfsNumber(device + "/curr" + number + "_input"),
                        .input = label == "VDD_IN"});
    }
  }
  if (std::ranges::any_of(rails_, &Rail::input)) {
    std::erase_if(rails_, [](const Rail& rail) { return !rail.input; });
  }
}

Reading Ina3221::Watts() const {
  if (rails_.empty()) return {};
  double sum = 0;
  for (const Rail& rail : rails_) {
    const Reading watts =
        Product(rail.millivolts.Read(), rail.milliamperes.Read(), kMilli * kMilli);
    if (!watts.available()) return watts;
    sum += watts.value;
  }
  return Available(sum);
}

Reading Ina3221::SupplyV() const {
  if (rails_.empty() || !rails_.front().input) return {};
  const Count millivolts = rails_.front().millivolts.Read();
  if (!millivolts.available()) return Absent(millivolts.state);
  return Available(static_cast<double>(millivolts.value) * kMilli);
}

HwmonPower::HwmonPower(const std::string& root) {
  for (const std::string& device : Numbered(root + "/class/hwmon", "hwmon")) {
    if (SysfsText(device + "/name") == "ina3221") continue;
    for (int i = 1; i <= kMostPowerInputs; ++i) {
      SysfsNumber power(device + "/power" + std::to_string(i) + "_input");
      if (power.Read().state != State::kNotAvailable) microwatts_.push_back(std::move(power));
    }
  }
}

Reading HwmonPower::Watts() const {
  Reading largest;
  for (const SysfsNumber& sensor : microwatts_) {
    const Count now = sensor.Read();
    if (!now.available()) {
      if (!largest.available()) largest.state = Better(largest.state, now.state);
      continue;
    }
    const double watts = static_cast<double>(now.value) * kMicro;
    if (!largest.available() || watts > largest.value) largest = Available(watts);
  }
  return largest;
}

PowerSupply::PowerSupply(const std::string& root) {
  std::vector<std::string> folders;
  std::error_code error;
  for (std::filesystem::directory_iterator it(root + "/class/power_supply", error), end;
       !error && it != end; it.increment(error)) {
    folders.push_back(it->path().string());
  }
  std::sort(folders.begin(), folders.end());
  for (const std::string& folder : folders) {
    supplies_.push_back({.folder = folder,
                         .battery = SysfsText(folder + "/type") == "Battery",
                         .microvolts = SysfsNumber(folder + "/voltage_now"),
                         .microamperes = SysfsNumber(folder + "/current_now"),
                         .microwatts = SysfsNumber(folder + "/power_now")});
  }
  std::stable_partition(supplies_.begin(), supplies_.end(),
                        [](const Supply& supply) { return supply.battery; });
}

Reading PowerSupply::WattsOf(const Supply& supply) {
  const Count power = supply.microwatts.Read();
  Reading watts = power.available() ? Available(static_cast<double>(power.value) * kMicro)
                                    : Product(supply.microvolts.Read(), supply.microamperes.Read(),
                                              kMicro * kMicro);
  watts.value = std::abs(watts.value);
  return watts;
}

Reading PowerSupply::Watts() const {
  Reading sum;
  for (const Supply& supply : supplies_) {
    if (!supply.battery || SysfsText(supply.folder + "/status") != "Discharging") continue;
    const Reading watts = WattsOf(supply);
    if (!watts.available()) return watts;
    sum = Available((sum.available() ? sum.value : 0) + watts.value);
  }
  return sum;
}

Reading PowerSupply::SupplyV() const {
  Reading volts;
  for (const Supply& supply : supplies_) {
    const Count now = supply.microvolts.Read();
    if (now.available()) return Available(static_cast<double>(now.value) * kMicro);
    volts.state = Better(volts.state, now.state);
  }
  return volts;
}

}  // namespace agent::health
