#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/runtime/footprint.h"
#include "agent/runtime/geometry.h"
#include "gatekeeper/resim/drive_log.h"
#include "gatekeeper/resim/site_map.h"

namespace gatekeeper::resim {

struct MapOptions {
  double cell_m = 0.05;  // half the width of the thinnest leg a laser of 1 degree sees at 3 m
  // What nobody hit is free only as far as any laser here would have seen a dark wall.
  double free_without_return_m = 8;
};

// What stands where: square cells that are free, occupied or unknown. An occupied cell remembers
// the mean of the points that were measured in it, so that a ray ends at the surface and not at the
// cell's edge; the middle where none was. Immutable.
class GridMap {
 public:
  using Cell = MapCell;

  // From every scan at the pose of its time. A cell is occupied where at least two beams ended and
  // at least a third of the beams that reached it did: what walked through is not. One end is
  // enough where hardly any beam came; surfaces close between neighbouring beams. Ground that the
  // robot itself covered is free whatever was measured there. kResourceExhausted beyond kMaxCells.
  static absl::StatusOr<GridMap> Build(const DriveLog& log,
                                       const agent::runtime::Footprint& footprint,
                                       const MapOptions& options = {});
  // A drawn map as it is.
  static GridMap Of(const SiteMap& site);
  // A drawn map, and in it what stood still in the drive: occupied by either, free by either, and
  // whoever drove through a drawn wall has not taken it away. What was measured beyond its edges is
  // left out.
  static absl::StatusOr<GridMap> BuildIn(const SiteMap& site, const DriveLog& log,
                                         const agent::runtime::Footprint& footprint,
                                         const MapOptions& options = {});

  Cell At(agent::runtime::Vec2 point) const;
  // Along the ray to the surface in the first occupied cell that it meets: the distance of that
  // cell's mean point along the ray, held within the cell. Infinite if there is none within
  // `range_m`. `direction` has length 1.
  double Cast(agent::runtime::Vec2 origin, const agent::runtime::SinCos& direction,
              double range_m) const;
  // The footprint covers the middle of an occupied cell.
  bool Hits(const agent::runtime::Footprint& footprint, const agent::runtime::Pose2& pose) const;

  double cell_m() const { return cell_m_; }
  agent::runtime::Vec2 corner() const { return {low_x_m_, low_y_m_}; }  // of the first cell
  size_t columns() const { return static_cast<size_t>(columns_); }
  size_t rows() const { return static_cast<size_t>(rows_); }
  Cell At(size_t column, size_t row) const;

 private:
  friend class GridMapBuilder;  // the one maker
  GridMap() = default;

  bool Inside(int64_t column, int64_t row) const {
    return column >= 0 && row >= 0 && column < columns_ && row < rows_;
  }
  size_t Index(int64_t column, int64_t row) const {
    return static_cast<size_t>(row * columns_ + column);
  }
  int64_t Column(double x_m) const;
  int64_t Row(double y_m) const;
  void LayOut(const SiteMap& site);
  agent::runtime::Vec2 Middle(size_t index) const;  // of a cell

  double cell_m_ = 0;
  double low_x_m_ = 0;
  double low_y_m_ = 0;
  int64_t columns_ = 0;
  int64_t rows_ = 0;
  std::vector<int32_t> cells_;  // -1 unknown, 0 free, else 1 + index into surfaces_
  std::vector<agent::runtime::Vec2> surfaces_;
};

}  // namespace gatekeeper::resim
