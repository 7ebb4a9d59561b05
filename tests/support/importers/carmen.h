#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"

namespace tests {

struct CarmenCounts {
  size_t scans = 0;      // FLASER lines
  size_t odometry = 0;   // ODOM lines of the robot
  size_t corrected = 0;  // ODOM lines that repeat a scan's corrected pose; their stamps are not set
};

// A CARMEN text log (gzip) as a recording:
//   FLASER -> /scan  beams over 180 degrees from -90; 81.8 m and more (the scanner's code) is no
//   return ODOM   -> /odom  and /command with the measured (tv, rv), the only record of what was
//   driven. Loggers that
//             leave both at zero throughout get them from the poses, over the half second before
//   the corrected pose behind each scan -> /odom_corrected: another frame, and stamps that mean
//   nothing
// Stamps stay as logged, whatever they are; receive time is their running maximum from zero.
absl::StatusOr<CarmenCounts> ImportCarmen(const std::string& log_gz, const std::string& mcap);

}  // namespace tests
