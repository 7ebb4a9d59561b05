#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "agent/runtime/geometry.h"
#include "proto/policy.pb.h"

namespace gatekeeper::bundle {

// Areas on the micrometre grid, where "inside" has an exact answer: numbers that people write with
// six decimals stand on the grid, so nothing is lost by going there.

struct GridPoint {
  int64_t x_um = 0;
  int64_t y_um = 0;
  bool operator==(const GridPoint&) const = default;
};

// A polygon, or a circle when it has no corners. Closed: its border belongs to it.
struct Shape {
  std::vector<GridPoint> corners;
  GridPoint centre;
  int64_t radius_um = 0;
};

// None when the number is not finite, finer than a micrometre or beyond 10 km.
std::optional<int64_t> OnGrid(double metres);
std::optional<GridPoint> OnGrid(double x_m, double y_m);
std::optional<Shape> OnGrid(const google::protobuf::RepeatedPtrField<v1::Point>& polygon_m);
std::optional<Shape> OnGrid(const v1::Circle& circle_m);

// Three or more corners, an area, and no edge that touches another but its neighbours' corners.
bool IsSimple(const Shape& polygon);

// -1 outside, 0 on the border, 1 inside.
int Side(const Shape& shape, GridPoint point);

// The borders of the shapes cut the plane into cells. Asks of each bounded cell, by which of the
// shapes hold it, whether it is `wanted`, and returns a point of the first that is. Edges and
// corners are no cells, so shapes that only touch share none. Polygons may be degenerate or cross
// themselves (even-odd). Borders are followed with 512 bits below the micrometre; polygons on the
// grid cannot make a cell that this misses.
using Wanted = std::function<bool(const std::vector<bool>& holding)>;
std::optional<agent::runtime::Vec2> FindCell(const std::vector<Shape>& shapes,
                                             const Wanted& wanted);

}  // namespace gatekeeper::bundle
