#include <algorithm>
#include <cstddef>
#include <utility>

#include "boost/multiprecision/cpp_int.hpp"
#include "gatekeeper/bundle/exact_area.h"

// FindCell: the plane is cut into upright strips at every x where borders begin, end or cross.
// Between two neighbouring x no border crosses another, so that along one upright line inside the
// strip the borders stand in their true order, and every cell is met by the line of some strip.

namespace gatekeeper::bundle {
namespace {

// Whole numbers of any size; those below 1280 bits, as nearly all here are, need no memory.
using Big = boost::multiprecision::number<boost::multiprecision::cpp_int_backend<1280>>;

// Fixed point: micrometres times 2^512. Corners and crossings of straight edges below 10 km differ
// by more than 2^-150 of a micrometre or not at all, and so do heights along a line between them.
constexpr unsigned kBits = 512;
constexpr int kSame = 8;  // roots are rounded; less apart than this is one and the same

Big Fixed(int64_t um) { return Big(um) << kBits; }

Big Floor(const Big& numerator, const Big& denominator) {
  Big quotient;
  Big rest;
  boost::multiprecision::divide_qr(numerator, denominator, quotient, rest);
  if (rest != 0 && (numerator < 0) != (denominator < 0)) --quotient;
  return quotient;
}

// sqrt(square), in fixed point.
Big Root(const Big& square) { return boost::multiprecision::sqrt(Big(square << (2 * kBits))); }

struct Edge {
  GridPoint a;
  GridPoint b;
  size_t shape = 0;
};

struct Borders {
  std::vector<Edge> edges;
  std::vector<std::pair<Shape, size_t>> circles;
};

Borders BordersOf(const std::vector<Shape>& shapes) {
  Borders borders;
  for (size_t s = 0; s < shapes.size(); ++s) {
    const std::vector<GridPoint>& corners = shapes[s].corners;
    if (corners.empty()) borders.circles.push_back({shapes[s], s});
    for (size_t i = 0; i < corners.size(); ++i) {
      borders.edges.push_back({corners[i], corners[(i + 1) % corners.size()], s});
    }
  }
  return borders;
}

bool FarApart(const Edge& e, const Edge& f) {
  const auto below = [](int64_t a, int64_t b, int64_t c, int64_t d) {
    return std::max(a, b) < std::min(c, d);
  };
  return below(e.a.x_um, e.b.x_um, f.a.x_um, f.b.x_um) ||
         below(f.a.x_um, f.b.x_um, e.a.x_um, e.b.x_um) ||
         below(e.a.y_um, e.b.y_um, f.a.y_um, f.b.y_um) ||
         below(f.a.y_um, f.b.y_um, e.a.y_um, e.b.y_um);
}

// Where the lines of two edges cross. One x too many does no harm: it only makes strips narrower.
void AddCrossing(const Edge& e, const Edge& f, std::vector<Big>& xs) {
  if (FarApart(e, f)) return;
  const Big ex = e.b.x_um - e.a.x_um;
  const Big ey = e.b.y_um - e.a.y_um;
  const Big fx = f.b.x_um - f.a.x_um;
  const Big fy = f.b.y_um - f.a.y_um;
  const Big turn = ex * fy - ey * fx;
  if (turn == 0) return;  // parallel: where they share ground, it ends at their corners
  const Big along = (Big(f.a.x_um) - e.a.x_um) * fy - (Big(f.a.y_um) - e.a.y_um) * fx;
  xs.push_back(Fixed(e.a.x_um) + Floor((ex * along) << kBits, turn));
}

void AddCrossings(const Edge& e, const Shape& circle, std::vector<Big>& xs) {
  const Big dx = e.b.x_um - e.a.x_um;
  const Big dy = e.b.y_um - e.a.y_um;
  const Big fx = Big(e.a.x_um) - circle.centre.x_um;
  const Big fy = Big(e.a.y_um) - circle.centre.y_um;
  const Big length2 = dx * dx + dy * dy;
  const Big half = fx * dx + fy * dy;
  const Big square =
      half * half - length2 * (fx * fx + fy * fy - Big(circle.radius_um) * circle.radius_um);
  if (square < 0 || length2 == 0) return;
  const Big root = Root(square);
  for (const Big& t : {Big(-(half << kBits) - root), Big(-(half << kBits) + root)}) {
    xs.push_back(Fixed(e.a.x_um) + Floor(dx * t, length2));
  }
}

void AddCrossings(const Shape& c, const Shape& d, std::vector<Big>& xs) {
  const Big dx = Big(d.centre.x_um) - c.centre.x_um;
  const Big dy = Big(d.centre.y_um) - c.centre.y_um;
  const Big apart2 = dx * dx + dy * dy;
  const Big r2 = Big(c.radius_um) * c.radius_um;
  const Big along = r2 - Big(d.radius_um) * d.radius_um + apart2;
  const Big square = 4 * r2 * apart2 - along * along;
  if (square < 0 || apart2 == 0) return;
  const Big root = Root(square);
  for (const Big& part : {Big(-root * dy), Big(root * dy)}) {
    xs.push_back(Fixed(c.centre.x_um) + Floor(((along * dx) << kBits) + part, 2 * apart2));
  }
}

std::vector<Big> StripBorders(const Borders& borders) {
  std::vector<Big> xs;
  const auto& [edges, circles] = borders;
  for (size_t i = 0; i < edges.size(); ++i) {
    xs.push_back(Fixed(edges[i].a.x_um));
    for (size_t j = i + 1; j < edges.size(); ++j) AddCrossing(edges[i], edges[j], xs);
    for (const auto& circle : circles) AddCrossings(edges[i], circle.first, xs);
  }
  for (size_t i = 0; i < circles.size(); ++i) {
    const Shape& circle = circles[i].first;
    xs.push_back(Fixed(circle.centre.x_um - circle.radius_um));
    xs.push_back(Fixed(circle.centre.x_um + circle.radius_um));
    for (size_t j = i + 1; j < circles.size(); ++j) AddCrossings(circle, circles[j].first, xs);
  }
  std::sort(xs.begin(), xs.end());
  return xs;
}

struct Pass {
  Big y;
  size_t shape = 0;
};

// Where the upright line at x meets borders, from below.
std::vector<Pass> Along(const Borders& borders, const Big& x) {
  std::vector<Pass> passes;
  for (const Edge& edge : borders.edges) {
    const Big ax = Fixed(edge.a.x_um);
    const Big bx = Fixed(edge.b.x_um);
    if ((ax < x) == (bx < x)) continue;
    const Big dx = edge.b.x_um - edge.a.x_um;
    const Big dy = edge.b.y_um - edge.a.y_um;
    passes.push_back({Fixed(edge.a.y_um) + Floor(dy * (x - ax), dx), edge.shape});
  }
  for (const auto& [circle, shape] : borders.circles) {
    const Big dx = x - Fixed(circle.centre.x_um);
    const Big radius = Fixed(circle.radius_um);
    const Big square = radius * radius - dx * dx;
    if (square <= 0) continue;
    const Big root = boost::multiprecision::sqrt(square);
    passes.push_back({Fixed(circle.centre.y_um) - root, shape});
    passes.push_back({Fixed(circle.centre.y_um) + root, shape});
  }
  std::sort(passes.begin(), passes.end(), [](const Pass& a, const Pass& b) { return a.y < b.y; });
  return passes;
}

double Metres(const Big& fixed) {
  // Sixteen bits below the micrometre are more than a message prints.
  constexpr unsigned kKept = 16;
  return static_cast<double>(static_cast<int64_t>(Big(fixed >> (kBits - kKept)))) / (1 << kKept) *
         1e-6;
}

}  // namespace

std::optional<agent::runtime::Vec2> FindCell(const std::vector<Shape>& shapes,
                                             const Wanted& wanted) {
  const Borders borders = BordersOf(shapes);
  const std::vector<Big> xs = StripBorders(borders);
  for (size_t i = 0; i + 1 < xs.size(); ++i) {
    const Big width = xs[i + 1] - xs[i];
    if (width <= 4 * kSame) continue;
    // A round number well inside the strip (an eighth to a half of its width from the left), so
    // that what is computed from it stays short.
    const unsigned round = static_cast<unsigned>(boost::multiprecision::msb(width)) - 2;
    const Big x = (Floor(xs[i], Big(1) << round) + 2) << round;
    const std::vector<Pass> passes = Along(borders, x);
    std::vector<bool> holding(shapes.size(), false);
    for (size_t p = 0; p + 1 < passes.size(); ++p) {
      holding[passes[p].shape] = !holding[passes[p].shape];
      if (passes[p + 1].y - passes[p].y <= kSame || !wanted(holding)) continue;
      return agent::runtime::Vec2{Metres(x), Metres((passes[p].y + passes[p + 1].y) / 2)};
    }
  }
  return std::nullopt;
}

}  // namespace gatekeeper::bundle
