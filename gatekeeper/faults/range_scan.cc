#include "gatekeeper/faults/range_scan.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "gatekeeper/faults/severity.h"

namespace gatekeeper::faults {
namespace {

bool Returns(float range) { return std::isfinite(range) && range > 0; }

}  // namespace

void LoseBeams(int severity, Draws& draws, v1::LaserScan& scan) {
  const double share = At({0.05, 0.10, 0.20, 0.40, 0.60}, severity);
  for (float& range : *scan.mutable_ranges_m()) {
    if (draws.Unit() < share) range = 0;
  }
}

// A speck hangs anywhere between the laser and what the beam would have met.
void AddDust(int severity, Draws& draws, v1::LaserScan& scan) {
  constexpr double kFarthest_m = 4;  // beyond it specks return too little light
  const double share = At({0.02, 0.05, 0.10, 0.20, 0.35}, severity);
  for (float& range : *scan.mutable_ranges_m()) {
    const bool hit = draws.Unit() < share;
    const double at_m =
        draws.Unit() *
        (Returns(range) ? std::min(static_cast<double>(range), kFarthest_m) : kFarthest_m);
    if (hit) range = static_cast<float>(std::max(at_m, 0.05));
  }
}

// Within one sector the laser sees what is before the mirror as if it were behind it.
void Mirror(int severity, Draws& draws, v1::LaserScan& scan) {
  constexpr double kRadPerDeg = 0.017453292519943295;
  const double sector_rad = kRadPerDeg * At({10, 20, 30, 45, 60}, severity);
  auto& ranges = *scan.mutable_ranges_m();
  if (ranges.empty()) return;
  // Angles that are no numbers, or next to nothing, make it the whole scan.
  const double wanted = sector_rad / std::abs(scan.angle_increment_rad()) + 1;
  const int beams = wanted < ranges.size() ? static_cast<int>(wanted) : ranges.size();
  const auto first =
      static_cast<int>(draws.Below(static_cast<uint64_t>(ranges.size() - beams + 1)));
  for (int i = first; i < first + beams; ++i) {
    if (Returns(ranges[i])) ranges[i] = 1.7F * ranges[i];
  }
}

void Lengthened(int severity, Draws&, v1::LaserScan& scan) {
  const auto more = static_cast<float>(At({0.02, 0.05, 0.10, 0.20, 0.40}, severity));
  for (float& range : *scan.mutable_ranges_m()) {
    if (Returns(range)) range += more;
  }
}

void MirrorScan(v1::LaserScan& scan) {
  auto& ranges = *scan.mutable_ranges_m();
  const double last_rad =
      scan.angle_min_rad() + scan.angle_increment_rad() * std::max(0, ranges.size() - 1);
  std::reverse(ranges.begin(), ranges.end());
  scan.set_angle_min_rad(-last_rad);
}

void BringNearer(double factor, double half_angle_rad, v1::LaserScan& scan) {
  auto& ranges = *scan.mutable_ranges_m();
  for (int i = 0; i < ranges.size(); ++i) {
    const double angle_rad = scan.angle_min_rad() + scan.angle_increment_rad() * i;
    if (std::abs(angle_rad) <= half_angle_rad && Returns(ranges[i]))
      ranges[i] = static_cast<float>(ranges[i] * factor);
  }
}

}  // namespace gatekeeper::faults
