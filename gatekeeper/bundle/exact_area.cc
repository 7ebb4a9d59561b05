#include "gatekeeper/bundle/exact_area.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace gatekeeper::bundle {
namespace {

// Products of two differences of coordinates below 10 km need 70 bits.
__extension__ using Wide = __int128;

constexpr double kUmPerM = 1e6;
constexpr double kMostUm = 1e10;
constexpr double kFineUm = 1e-3;  // a written decimal misses its micrometre by less, as a double

Wide Cross(GridPoint o, GridPoint a, GridPoint b) {
  return Wide{a.x_um - o.x_um} * (b.y_um - o.y_um) - Wide{a.y_um - o.y_um} * (b.x_um - o.x_um);
}

bool InBox(GridPoint a, GridPoint b, GridPoint p) {
  return std::min(a.x_um, b.x_um) <= p.x_um && p.x_um <= std::max(a.x_um, b.x_um) &&
         std::min(a.y_um, b.y_um) <= p.y_um && p.y_um <= std::max(a.y_um, b.y_um);
}

bool OnEdge(GridPoint a, GridPoint b, GridPoint p) { return Cross(a, b, p) == 0 && InBox(a, b, p); }

bool Opposite(Wide a, Wide b) { return (a > 0 && b < 0) || (a < 0 && b > 0); }

bool Touch(GridPoint a, GridPoint b, GridPoint c, GridPoint d) {
  if (Opposite(Cross(a, b, c), Cross(a, b, d)) && Opposite(Cross(c, d, a), Cross(c, d, b))) {
    return true;
  }
  return OnEdge(a, b, c) || OnEdge(a, b, d) || OnEdge(c, d, a) || OnEdge(c, d, b);
}

// b is a corner at which the border turns back onto itself.
bool FoldsBack(GridPoint a, GridPoint b, GridPoint c) {
  const Wide along =
      Wide{b.x_um - a.x_um} * (c.x_um - b.x_um) + Wide{b.y_um - a.y_um} * (c.y_um - b.y_um);
  return Cross(a, b, c) == 0 && along < 0;
}

int Sign(Wide value) { return (value > 0) - (value < 0); }

}  // namespace

std::optional<int64_t> OnGrid(double metres) {
  const double um = metres * kUmPerM;
  if (!(std::abs(um) <= kMostUm) || std::abs(um - std::round(um)) > kFineUm) return std::nullopt;
  return std::llround(um);
}

std::optional<GridPoint> OnGrid(double x_m, double y_m) {
  const std::optional<int64_t> x = OnGrid(x_m);
  const std::optional<int64_t> y = OnGrid(y_m);
  if (!x || !y) return std::nullopt;
  return GridPoint{*x, *y};
}

std::optional<Shape> OnGrid(const google::protobuf::RepeatedPtrField<v1::Point>& polygon_m) {
  Shape shape;
  for (const v1::Point& point : polygon_m) {
    const std::optional<GridPoint> corner = OnGrid(point.x(), point.y());
    if (!corner) return std::nullopt;
    shape.corners.push_back(*corner);
  }
  return shape;
}

std::optional<Shape> OnGrid(const v1::Circle& circle_m) {
  const std::optional<GridPoint> centre = OnGrid(circle_m.c().x(), circle_m.c().y());
  const std::optional<int64_t> radius = OnGrid(circle_m.r());
  if (!centre || !radius) return std::nullopt;
  return Shape{.corners = {}, .centre = *centre, .radius_um = *radius};
}

bool IsSimple(const Shape& polygon) {
  const std::vector<GridPoint>& corners = polygon.corners;
  const size_t n = corners.size();
  if (n < 3) return false;
  for (size_t i = 0; i < n; ++i) {
    const GridPoint a = corners[i];
    const GridPoint b = corners[(i + 1) % n];
    if (a == b || FoldsBack(a, b, corners[(i + 2) % n])) return false;
    for (size_t j = i + 2; j < n; ++j) {
      const bool neighbours = i == 0 && j == n - 1;
      if (!neighbours && Touch(a, b, corners[j], corners[(j + 1) % n])) return false;
    }
  }
  return true;  // a border that neither touches itself nor folds back encloses an area
}

int Side(const Shape& shape, GridPoint point) {
  if (shape.corners.empty()) {
    const Wide dx = point.x_um - shape.centre.x_um;
    const Wide dy = point.y_um - shape.centre.y_um;
    return Sign(Wide{shape.radius_um} * shape.radius_um - dx * dx - dy * dy);
  }
  bool inside = false;
  GridPoint a = shape.corners.back();
  for (const GridPoint b : shape.corners) {
    if (OnEdge(a, b, point)) return 0;
    // Even-odd: edges that a ray to the right crosses, each edge owning its lower end.
    if ((a.y_um > point.y_um) != (b.y_um > point.y_um)) {
      const bool rises = b.y_um > a.y_um;
      if ((Cross(a, b, point) > 0) == rises) inside = !inside;
    }
    a = b;
  }
  return inside ? 1 : -1;
}

}  // namespace gatekeeper::bundle
