#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temp_folder.h"

namespace tests {

// A folder that looks like /sys. Values change in place, as the kernel's do: a file that is open
// shows the new one.
class FakeSysfs {
 public:
  const std::string& root() const { return folder_.path(); }

  void Set(const std::string& path, const std::string& text) {
    const std::filesystem::path whole = folder_ / path;
    std::filesystem::create_directories(whole.parent_path());
    std::ofstream(whole, std::ios::trunc) << text << "\n";
  }
  void Set(const std::string& path, int64_t value) { Set(path, std::to_string(value)); }
  // The device behind an open file is gone or asleep: reading gives nothing.
  void Silence(const std::string& path) { std::ofstream(folder_ / path, std::ios::trunc).flush(); }

  void AddZone(int number, const std::string& type, int64_t millidegrees) {
    const std::string zone = "class/thermal/thermal_zone" + std::to_string(number);
    Set(zone + "/type", type);
    Set(zone + "/temp", millidegrees);
  }
  void AddPackage(int number, int64_t energy_uj, int64_t range_uj) {
    const std::string package = "class/powercap/intel-rapl:" + std::to_string(number);
    Set(package + "/name", "package-" + std::to_string(number));
    Set(package + "/energy_uj", energy_uj);
    Set(package + "/max_energy_range_uj", range_uj);
  }

 private:
  TempFolder folder_;
};

}  // namespace tests
