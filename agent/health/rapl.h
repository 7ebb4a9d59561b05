#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/health/sysfs.h"

namespace agent::health {

// Intel's and AMD's running average power limit, as energy counters in microjoules
// (class/powercap/intel-rapl:N; Documentation/power/powercap/powercap.rst of Linux). Only top-level
// domains count, because sub-domains are part of them; `psys`, the whole platform, replaces the
// packages. Since 2020 the counters are readable by root alone (CVE-2020-8694).
class Rapl {
 public:
  explicit Rapl(const std::string& root);

  struct Energy {
    State state = State::kNotAvailable;
    double joules = 0;  // since the last reading, of all packages; when available
  };
  // kPending at the first reading. A package that cannot be read makes the whole unreadable: a sum
  // without it would be too small.
  Energy Read();

 private:
  struct Package {
    SysfsNumber energy_uj;
    std::optional<int64_t> range_uj;  // after which the counter starts again at 0
    std::optional<int64_t> last_uj;
  };
  std::vector<Package> packages_;
};

}  // namespace agent::health
