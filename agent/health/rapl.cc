#include "agent/health/rapl.h"

#include <algorithm>
#include <utility>

namespace agent::health {

Rapl::Rapl(const std::string& root) {
  const std::vector<std::string> folders = Numbered(root + "/class/powercap", "intel-rapl:");
  const auto is_platform = [](const std::string& folder) {
    return SysfsText(folder + "/name") == "psys";
  };
  const bool platform = std::any_of(folders.begin(), folders.end(), is_platform);
  for (const std::string& folder : folders) {
    const bool package = SysfsText(folder + "/name").starts_with("package-");
    if (platform ? !is_platform(folder) : !package) continue;
    const Count range = SysfsNumber(folder + "/max_energy_range_uj").Read();
    packages_.push_back({.energy_uj = SysfsNumber(folder + "/energy_uj"),
                         .range_uj = range.available() ? std::optional(range.value) : std::nullopt,
                         .last_uj = std::nullopt});
  }
}

Rapl::Energy Rapl::Read() {
  if (packages_.empty()) return {};
  Energy sum{.state = State::kAvailable};
  for (Package& package : packages_) {
    const Count now = package.energy_uj.Read();
    if (!now.available()) {
      package.last_uj.reset();
      sum.state = now.state;
      continue;
    }
    const std::optional<int64_t> last = std::exchange(package.last_uj, now.value);
    int64_t grown = last ? now.value - *last : -1;
    if (last && grown < 0 && package.range_uj) grown += *package.range_uj;
    // A counter that fell without a known range says nothing about what was used meanwhile.
    if (grown < 0 && sum.state == State::kAvailable) sum.state = State::kPending;
    if (grown >= 0) sum.joules += static_cast<double>(grown) * 1e-6;
  }
  return sum;
}

}  // namespace agent::health
