#include "gatekeeper/resim/grid_map.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/resim/cell_walk.h"

namespace gatekeeper::resim {

using agent::runtime::Footprint;
using agent::runtime::Pose2;
using agent::runtime::SinCos;
using agent::runtime::Vec2;

namespace {

constexpr uint32_t kLeastHits = 2;  // one is a speck, unless hardly any beam came there
constexpr uint32_t kHardlyAny = 2;
constexpr uint32_t kHitShare = 3;        // one beam of three
constexpr int64_t kBorderCells = 2;      // around everything measured
constexpr double kMostCoordinate = 1e6;  // metres; a pose beyond it is none
// Returns of neighbouring beams no farther apart than this are of one surface, also between the
// beams: less than half of the narrowest way that a robot would take.
constexpr double kOneSurface_m = 0.3;

}  // namespace

class GridMapBuilder {
 public:
  // `site`: the drawn map that is filled in; null: none.
  GridMapBuilder(const DriveLog& log, const Footprint& footprint, const MapOptions& options,
                 const SiteMap* site)
      : log_(log), footprint_(footprint), options_(options), site_(site) {
    for (size_t i = 0; i < log.scans.front().ranges_m.size(); ++i) {
      bearings_.push_back(log.angle_min_rad + log.angle_increment_rad * static_cast<double>(i));
    }
  }

  absl::StatusOr<GridMap> Build() {
    RETURN_IF_ERROR(Measure());
    hits_.assign(map_.cells_.size(), 0);
    passes_.assign(map_.cells_.size(), 0);
    ForEachBeam(
        [this](const Vec2& from, const SinCos& way, double range_m) { Pass(from, way, range_m); });
    bridged_.assign(map_.cells_.size(), false);
    ForEachSurfacePoint([this](const Vec2& point, Told told) {
      const int64_t column = map_.Column(point.x);
      const int64_t row = map_.Row(point.y);
      if (!map_.Inside(column, row)) return;
      const size_t cell = map_.Index(column, row);
      if (told == Told::kMeasured) {
        Count(hits_[cell]);
      } else {
        bridged_[cell] = true;
      }
    });
    Decide();
    ForEachSurfacePoint([this](const Vec2& point, Told told) { AddSurface(point, told); });
    for (size_t i = 0; i < map_.cells_.size(); ++i) {
      if (map_.cells_[i] <= 0) continue;
      const auto surface = static_cast<size_t>(map_.cells_[i] - 1);
      Vec2& sum = map_.surfaces_[surface];
      const double count = counts_[surface];
      sum = count > 0 ? Vec2{sum.x / count, sum.y / count} : map_.Middle(i);
    }
    return std::move(map_);
  }

 private:
  enum class Told { kMeasured, kBetween };

  template <class Take>
  void ForEachBeam(const Take& take) const {
    for (const TimedScan& scan : log_.scans) {
      const Pose2 pose = log_.PoseAt(scan.at_ns);
      for (size_t i = 0; i < scan.ranges_m.size(); ++i) {
        take(Vec2{pose.x_m, pose.y_m}, agent::runtime::ExactSinCos(pose.yaw_rad + bearings_[i]),
             static_cast<double>(scan.ranges_m[i]));
      }
    }
  }

  // Where beams ended, and between neighbouring ends of one surface every half cell.
  template <class Take>
  void ForEachSurfacePoint(const Take& take) const {
    for (const TimedScan& scan : log_.scans) {
      const Pose2 pose = log_.PoseAt(scan.at_ns);
      std::optional<Vec2> last;  // of the beam before, if it had a return
      for (size_t i = 0; i < scan.ranges_m.size(); ++i) {
        const auto range_m = static_cast<double>(scan.ranges_m[i]);
        if (!IsReturn(range_m)) {
          last.reset();
          continue;
        }
        const SinCos way = agent::runtime::ExactSinCos(pose.yaw_rad + bearings_[i]);
        const Vec2 end{pose.x_m + range_m * way.cos, pose.y_m + range_m * way.sin};
        const double gap_m = last ? agent::runtime::Distance(*last, end) : 0;
        if (gap_m > map_.cell_m_ && gap_m <= kOneSurface_m) {
          const auto steps = static_cast<int>(std::ceil(2 * gap_m / map_.cell_m_));
          for (int k = 1; k < steps; ++k) {
            const double share = static_cast<double>(k) / steps;
            take(Vec2{last->x + share * (end.x - last->x), last->y + share * (end.y - last->y)},
                 Told::kBetween);
          }
        }
        take(end, Told::kMeasured);
        last = end;
      }
    }
  }

  // Lays the grid around the drive and everything that it measured.
  absl::Status Measure() {
    Vec2 low{std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
    Vec2 high{-low.x, -low.y};
    const auto take = [&](double x, double y) {
      low = {std::min(low.x, x), std::min(low.y, y)};
      high = {std::max(high.x, x), std::max(high.y, y)};
    };
    const double reach_m = footprint_.region().reach_m();
    for (const TimedPose& timed : log_.poses) {
      take(timed.pose.x_m - reach_m, timed.pose.y_m - reach_m);
      take(timed.pose.x_m + reach_m, timed.pose.y_m + reach_m);
    }
    ForEachBeam([&](const Vec2& from, const SinCos& way, double range_m) {
      if (IsReturn(range_m)) take(from.x + range_m * way.cos, from.y + range_m * way.sin);
    });
    const double most = std::max({-low.x, -low.y, high.x, high.y});
    if (!(most < kMostCoordinate))
      return absl::ResourceExhaustedError("its poses or ranges lie beyond 1000 km");
    if (site_ != nullptr) {
      map_.LayOut(*site_);
      return absl::OkStatus();
    }
    map_.cell_m_ = options_.cell_m;
    map_.low_x_m_ = (std::floor(low.x / map_.cell_m_) - kBorderCells) * map_.cell_m_;
    map_.low_y_m_ = (std::floor(low.y / map_.cell_m_) - kBorderCells) * map_.cell_m_;
    map_.columns_ = map_.Column(high.x) + 1 + kBorderCells;
    map_.rows_ = map_.Row(high.y) + 1 + kBorderCells;
    if (static_cast<double>(map_.columns_) * static_cast<double>(map_.rows_) >
        static_cast<double>(kMaxCells)) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("a map of %.0f m x %.0f m has more than %d cells", high.x - low.x,
                          high.y - low.y, kMaxCells));
    }
    map_.cells_.assign(static_cast<size_t>(map_.columns_ * map_.rows_), -1);
    return absl::OkStatus();
  }

  static void Count(uint16_t& counter) {
    if (counter < std::numeric_limits<uint16_t>::max()) ++counter;
  }

  // The cells that a beam left behind it; the one it ended in is counted with the surface.
  void Pass(const Vec2& from, const SinCos& way, double range_m) {
    const bool hit = IsReturn(range_m);
    const double length = (hit ? range_m : options_.free_without_return_m) / map_.cell_m_;
    const int64_t end_column = hit ? map_.Column(from.x + range_m * way.cos) : -1;
    const int64_t end_row = hit ? map_.Row(from.y + range_m * way.sin) : -1;
    CellWalk walk((from.x - map_.low_x_m_) / map_.cell_m_, (from.y - map_.low_y_m_) / map_.cell_m_,
                  way.cos, way.sin);
    for (; walk.exit() < length; walk.Advance()) {
      if (!map_.Inside(walk.column(), walk.row())) return;
      if (walk.column() == end_column && walk.row() == end_row) return;
      Count(passes_[map_.Index(walk.column(), walk.row())]);
    }
  }

  void Decide() {
    for (size_t i = 0; i < map_.cells_.size(); ++i) {
      const uint32_t hits = hits_[i];
      const uint32_t all = hits + passes_[i];
      if (hits * kHitShare >= all && hits >= kLeastHits) {
        map_.cells_[i] = 1;
      } else if (all <= kHardlyAny && (hits > 0 || bridged_[i])) {
        map_.cells_[i] = 1;
      } else if (all > 0) {
        map_.cells_[i] = 0;
      }
    }
    for (const TimedPose& timed : log_.poses) ClearUnder(timed.pose);
    if (site_ != nullptr) AddSite();
    for (int32_t& cell : map_.cells_) {
      if (cell <= 0) continue;
      map_.surfaces_.push_back({0, 0});
      cell = static_cast<int32_t>(map_.surfaces_.size());
    }
    counts_.assign(map_.surfaces_.size(), 0);
  }

  void ClearUnder(const Pose2& pose) {
    const double reach_m = footprint_.region().reach_m();
    const SinCos heading = agent::runtime::ExactSinCos(pose.yaw_rad);
    const int64_t last_row = std::min(map_.rows_ - 1, map_.Row(pose.y_m + reach_m));
    const int64_t last_column = std::min(map_.columns_ - 1, map_.Column(pose.x_m + reach_m));
    for (int64_t row = std::max<int64_t>(0, map_.Row(pose.y_m - reach_m)); row <= last_row; ++row) {
      for (int64_t column = std::max<int64_t>(0, map_.Column(pose.x_m - reach_m));
           column <= last_column; ++column) {
        const double dx =
            map_.low_x_m_ + (static_cast<double>(column) + 0.5) * map_.cell_m_ - pose.x_m;
        const double dy =
            map_.low_y_m_ + (static_cast<double>(row) + 0.5) * map_.cell_m_ - pose.y_m;
        const Vec2 in_body{dx * heading.cos + dy * heading.sin,
                           dy * heading.cos - dx * heading.sin};
        if (footprint_.region().Contains(in_body)) map_.cells_[map_.Index(column, row)] = 0;
      }
    }
  }

  void AddSite() {
    for (size_t i = 0; i < map_.cells_.size(); ++i) {
      if (site_->cells[i] == MapCell::kOccupied) {
        map_.cells_[i] = 1;
      } else if (site_->cells[i] == MapCell::kFree && map_.cells_[i] < 0) {
        map_.cells_[i] = 0;
      }
    }
  }

  void AddSurface(const Vec2& point, Told told) {
    const int64_t column = map_.Column(point.x);
    const int64_t row = map_.Row(point.y);
    if (!map_.Inside(column, row)) return;
    const size_t at = map_.Index(column, row);
    const int32_t cell = map_.cells_[at];
    if (cell <= 0 || (told == Told::kBetween && hits_[at] > 0)) return;
    Vec2& sum = map_.surfaces_[static_cast<size_t>(cell - 1)];
    sum = {sum.x + point.x, sum.y + point.y};
    counts_[static_cast<size_t>(cell - 1)] += 1;
  }

  const DriveLog& log_;
  const Footprint& footprint_;
  const MapOptions& options_;
  const SiteMap* site_;
  std::vector<double> bearings_;
  std::vector<uint16_t> hits_;    // beams that ended in the cell
  std::vector<uint16_t> passes_;  // beams that went on
  std::vector<bool> bridged_;     // a surface between two beams leads through it
  std::vector<double> counts_;
  GridMap map_;
};

absl::StatusOr<GridMap> GridMap::Build(const DriveLog& log, const Footprint& footprint,
                                       const MapOptions& options) {
  return GridMapBuilder(log, footprint, options, nullptr).Build();
}

absl::StatusOr<GridMap> GridMap::BuildIn(const SiteMap& site, const DriveLog& log,
                                         const Footprint& footprint, const MapOptions& options) {
  return GridMapBuilder(log, footprint, options, &site).Build();
}

GridMap GridMap::Of(const SiteMap& site) {
  GridMap map;
  map.LayOut(site);
  for (size_t i = 0; i < map.cells_.size(); ++i) {
    if (site.cells[i] == MapCell::kFree) map.cells_[i] = 0;
    if (site.cells[i] != MapCell::kOccupied) continue;
    map.surfaces_.push_back(map.Middle(i));
    map.cells_[i] = static_cast<int32_t>(map.surfaces_.size());
  }
  return map;
}

void GridMap::LayOut(const SiteMap& site) {
  cell_m_ = site.cell_m;
  low_x_m_ = site.corner.x;
  low_y_m_ = site.corner.y;
  columns_ = site.columns;
  rows_ = site.rows;
  cells_.assign(site.cells.size(), -1);
}

Vec2 GridMap::Middle(size_t index) const {
  const double column = static_cast<double>(index % columns());
  const double row = static_cast<double>(index / columns());
  return {low_x_m_ + (column + 0.5) * cell_m_, low_y_m_ + (row + 0.5) * cell_m_};
}

int64_t GridMap::Column(double x_m) const {
  return static_cast<int64_t>(std::floor((x_m - low_x_m_) / cell_m_));
}
int64_t GridMap::Row(double y_m) const {
  return static_cast<int64_t>(std::floor((y_m - low_y_m_) / cell_m_));
}

GridMap::Cell GridMap::At(size_t column, size_t row) const {
  const int32_t cell = cells_[row * columns() + column];
  if (cell < 0) return Cell::kUnknown;
  return cell == 0 ? Cell::kFree : Cell::kOccupied;
}

GridMap::Cell GridMap::At(Vec2 point) const {
  if (!(std::abs(point.x) < kMostCoordinate && std::abs(point.y) < kMostCoordinate))
    return Cell::kUnknown;
  const int64_t column = Column(point.x);
  const int64_t row = Row(point.y);
  if (!Inside(column, row)) return Cell::kUnknown;
  return At(static_cast<size_t>(column), static_cast<size_t>(row));
}

double GridMap::Cast(Vec2 origin, const SinCos& direction, double range_m) const {
  constexpr double kNothing = std::numeric_limits<double>::infinity();
  CellWalk walk((origin.x - low_x_m_) / cell_m_, (origin.y - low_y_m_) / cell_m_, direction.cos,
                direction.sin);
  for (; walk.entry() * cell_m_ <= range_m; walk.Advance()) {
    if (!Inside(walk.column(), walk.row())) return kNothing;
    const int32_t cell = cells_[Index(walk.column(), walk.row())];
    if (cell <= 0) continue;
    const Vec2& surface = surfaces_[static_cast<size_t>(cell - 1)];
    const double along =
        (surface.x - origin.x) * direction.cos + (surface.y - origin.y) * direction.sin;
    return std::clamp(along, walk.entry() * cell_m_, walk.exit() * cell_m_);
  }
  return kNothing;
}

bool GridMap::Hits(const Footprint& footprint, const Pose2& pose) const {
  const double reach_m = footprint.region().reach_m();
  const SinCos heading = agent::runtime::ExactSinCos(pose.yaw_rad);
  const int64_t first_row = std::max<int64_t>(0, Row(pose.y_m - reach_m));
  const int64_t last_row = std::min(rows_ - 1, Row(pose.y_m + reach_m));
  const int64_t first_column = std::max<int64_t>(0, Column(pose.x_m - reach_m));
  const int64_t last_column = std::min(columns_ - 1, Column(pose.x_m + reach_m));
  for (int64_t row = first_row; row <= last_row; ++row) {
    for (int64_t column = first_column; column <= last_column; ++column) {
      if (cells_[Index(column, row)] <= 0) continue;
      const double dx = low_x_m_ + (static_cast<double>(column) + 0.5) * cell_m_ - pose.x_m;
      const double dy = low_y_m_ + (static_cast<double>(row) + 0.5) * cell_m_ - pose.y_m;
      const Vec2 in_body{dx * heading.cos + dy * heading.sin, dy * heading.cos - dx * heading.sin};
      if (footprint.region().Contains(in_body)) return true;
    }
  }
  return false;
}

}  // namespace gatekeeper::resim
