#include "gatekeeper/ingest/grid_scan.h"

#include <cmath>
#include <limits>
#include <numbers>

#include "agent/runtime/geometry.h"

namespace gatekeeper::ingest {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

// The way through one axis' cell borders, in cells travelled along the beam.
struct Axis {
  Axis(double from, double direction)
      : cell(static_cast<int64_t>(std::floor(from))),
        step(direction > 0 ? 1 : -1),
        each(direction == 0 ? kNever : 1 / std::abs(direction)),
        next(direction == 0  ? kNever
             : direction > 0 ? (std::floor(from) + 1 - from) * each
                             : (from - std::floor(from)) * each) {}
  void Cross() {
    cell += step;
    next += each;
  }
  int64_t cell;
  int64_t step;
  double each;
  double next;
};

// In cells; infinite without an obstacle.
double Cast(const CostGrid& grid, double angle_rad, double most, uint32_t min_cost) {
  const auto [sine, cosine] = agent::runtime::ExactSinCos(angle_rad);
  Axis x(grid.width / 2.0, cosine);
  Axis y(grid.height / 2.0, sine);
  double travelled = 0;
  while (travelled <= most && x.cell >= 0 && y.cell >= 0 && x.cell < int64_t{grid.width} &&
         y.cell < int64_t{grid.height}) {
    const size_t at = static_cast<size_t>(y.cell) * grid.width + static_cast<size_t>(x.cell);
    const auto cost = static_cast<uint8_t>(grid.cells[at]);
    // An obstacle under the laser itself is half a cell away: 0 would mean that there is none.
    if (cost >= min_cost && cost != grid.unknown_cost) return travelled == 0 ? 0.5 : travelled;
    Axis& nearer = x.next < y.next ? x : y;
    travelled = nearer.next;
    nearer.Cross();
  }
  return kNever;
}

}  // namespace

v1::LaserScan ScanOfGrid(const CostGrid& grid, double yaw_rad, const v1::GridScan& wanted) {
  v1::LaserScan scan;
  scan.set_angle_min_rad(-std::numbers::pi);
  scan.set_angle_increment_rad(2 * std::numbers::pi / wanted.beams());
  for (uint32_t beam = 0; beam < wanted.beams(); ++beam) {
    const double angle_rad = scan.angle_min_rad() + beam * scan.angle_increment_rad();
    const double cells = Cast(grid, angle_rad + yaw_rad - grid.yaw_rad,
                              wanted.range_m() / grid.resolution_m, wanted.min_cost());
    scan.add_ranges_m(static_cast<float>(cells * grid.resolution_m));
  }
  return scan;
}

}  // namespace gatekeeper::ingest
