#include "gatekeeper/gates/surroundings.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "agent/recording/observation_reader.h"

namespace gatekeeper::gates {
namespace {

using agent::runtime::Vec2;

constexpr double kFinestDot_m = 0.05;
constexpr int64_t kLookAround_ns = 1'000'000'000;
constexpr size_t kMaxCells = 200'000;  // of the finest: 500 m2 of wall

// Squares of the site that something is in, coarsened until they are few.
class DotGrid {
 public:
  explicit DotGrid(const Window& window) : window_(window) {}

  void Add(double x_m, double y_m) {
    const bool inside = x_m >= window_.low.x && x_m <= window_.high.x && y_m >= window_.low.y &&
                        y_m <= window_.high.y;
    if (inside && cells_.size() < kMaxCells) cells_.insert(CellOf(x_m, y_m));
  }

  std::vector<Vec2> Take() {
    while (cells_.size() > kMaxDots) {
      std::set<std::pair<int64_t, int64_t>> coarse;
      for (const auto& [x, y] : cells_) coarse.emplace(Halved(x), Halved(y));
      cells_ = std::move(coarse);
      cell_m_ *= 2;
    }
    std::vector<Vec2> dots;
    for (const auto& [x, y] : cells_) {
      dots.push_back(
          {(static_cast<double>(x) + 0.5) * cell_m_, (static_cast<double>(y) + 0.5) * cell_m_});
    }
    return dots;
  }

 private:
  std::pair<int64_t, int64_t> CellOf(double x_m, double y_m) const {
    return {std::llround(std::floor(x_m / cell_m_)), std::llround(std::floor(y_m / cell_m_))};
  }
  static int64_t Halved(int64_t cell) { return cell >= 0 ? cell / 2 : -((1 - cell) / 2); }

  Window window_;
  double cell_m_ = kFinestDot_m;
  std::set<std::pair<int64_t, int64_t>> cells_;
};

void AddScan(const v1::LaserScan& scan, const MeasuredMotion& pose, DotGrid& dots) {
  if (!std::isfinite(pose.x_m) || !std::isfinite(pose.y_m) || !std::isfinite(pose.yaw_rad)) return;
  for (int i = 0; i < scan.ranges_m_size(); ++i) {
    const double range_m = scan.ranges_m(i);
    const double angle = pose.yaw_rad + scan.angle_min_rad() + i * scan.angle_increment_rad();
    if (!std::isfinite(range_m) || range_m <= 0 || !std::isfinite(angle)) continue;
    const agent::runtime::SinCos way = agent::runtime::ExactSinCos(angle);
    dots.Add(pose.x_m + range_m * way.cos, pose.y_m + range_m * way.sin);
  }
}

}  // namespace

std::vector<Vec2> WallsIn(const resim::SiteMap& map, const Window& window) {
  DotGrid dots(window);
  for (size_t cell = 0; cell < map.cells.size(); ++cell) {
    if (map.cells[cell] != resim::MapCell::kOccupied) continue;
    dots.Add(map.corner.x + (static_cast<double>(cell % map.columns) + 0.5) * map.cell_m,
             map.corner.y + (static_cast<double>(cell / map.columns) + 0.5) * map.cell_m);
  }
  return dots.Take();
}

std::vector<Vec2> SeenIn(const Replay& replay, const std::vector<double>& seconds,
                         const Window& window) {
  DotGrid dots(window);
  const auto& channels = replay.scenario->document.channels();
  const auto reader = agent::recording::ObservationReader::Open(replay.scenario->recording,
                                                                {channels.begin(), channels.end()});
  if (!reader.ok() || replay.measured.empty()) return {};
  for (const double at_s : seconds) {
    if (!std::isfinite(at_s)) continue;
    const int64_t at_ns = replay.first_ns + std::llround(at_s * 1e9);
    // What cannot be read further is not drawn.
    (void)reader->ForEach(at_ns - kLookAround_ns, at_ns + kLookAround_ns,
                          [&](const agent::recording::RecordedItem& item) {
                            const auto* observation = std::get_if<v1::Observation>(&item.content);
                            if (observation != nullptr && observation->has_scan()) {
                              const size_t tick = TickAt(replay, item.log_time_ns);
                              AddScan(observation->scan(),
                                      replay.measured[std::min(tick, replay.measured.size() - 1)],
                                      dots);
                            }
                            return absl::OkStatus();
                          });
  }
  return dots.Take();
}

size_t TickAt(const Replay& replay, int64_t at_ns) {
  const auto tick =
      std::lower_bound(replay.ticks.begin(), replay.ticks.end(), at_ns,
                       [](const v1::TickRecord& t, int64_t at) { return t.now_ns() < at; });
  if (tick == replay.ticks.end()) return replay.ticks.size() - 1;
  return static_cast<size_t>(tick - replay.ticks.begin());
}

}  // namespace gatekeeper::gates
