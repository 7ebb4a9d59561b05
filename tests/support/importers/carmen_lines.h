#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

// The lines of a CARMEN text log that tell of a drive. Metres, radians, seconds.

namespace tests::carmen {

constexpr double kNoReturn = 81.8;  // metres; the scanner's largest code is 81.83 or 81.91

struct Pose {
  double x, y, yaw;
  bool operator==(const Pose&) const = default;
};

struct Motion {
  double vx_mps = 0;
  double wz_radps = 0;
};

struct OdomLine {
  Pose pose;
  Motion motion;
  double stamp_s;
};

struct ScanLine {
  std::vector<double> ranges;
  Pose corrected{};
  double stamp_s = 0;

  // Over 180 degrees from -90.
  double increment_rad() const;
};

// kDataLoss for a line that is cut off or holds other words than its kind has.
absl::StatusOr<OdomLine> ParseOdom(absl::string_view line);
absl::StatusOr<ScanLine> ParseScan(absl::string_view line);

}  // namespace tests::carmen
