#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <optional>
#include <set>
#include <vector>

#include "gatekeeper/bundle/exact_area.h"

// Which cells polygons cut the plane into, found another way than by strips and with exact
// fractions: every cell lies beside some piece of some edge. So each edge is cut where others touch
// it, and beside the middle of every piece, on both sides, a point is taken half-way to whatever
// comes next. Such a point lies on no border, and asking where it is needs signs only.

namespace tests {

using gatekeeper::bundle::GridPoint;
using Ring = std::vector<GridPoint>;

// Corners within +-8: then no product below exceeds 2^62.
class CellOracle {
 public:
  explicit CellOracle(const std::vector<Ring>& rings) : rings_(rings) {
    for (const Ring& ring : rings) {
      for (size_t i = 0; i < ring.size(); ++i) {
        edges_.push_back({ring[i], ring[(i + 1) % ring.size()]});
      }
    }
    for (const Edge& edge : edges_) LookBeside(edge);
  }

  // By which of the rings each cell is held; the unbounded one is among them.
  const std::set<std::vector<bool>>& cells() const { return cells_; }

  // By which of the rings a point is held; none when it lies on a border.
  static std::optional<std::vector<bool>> Holding(const std::vector<Ring>& rings, GridPoint point) {
    return HeldBy(rings, {point.x_um, point.y_um, 1});
  }

 private:
  struct Edge {
    GridPoint a;
    GridPoint b;
    int64_t dx() const { return b.x_um - a.x_um; }
    int64_t dy() const { return b.y_um - a.y_um; }
  };
  struct Fraction {  // in lowest terms, below > 0
    int64_t above = 0;
    int64_t below = 1;
    bool operator<(const Fraction& other) const {
      return above * other.below < other.above * below;
    }
    bool operator==(const Fraction&) const = default;
  };
  struct Point {  // x / scale, y / scale
    int64_t x = 0;
    int64_t y = 0;
    int64_t scale = 1;
  };

  static Fraction Reduced(int64_t above, int64_t below) {
    const int64_t common = std::gcd(above, below) * (below < 0 ? -1 : 1);
    return {above / common, below / common};
  }
  static Point Reduced(const Point& p) {
    const int64_t common = std::gcd(std::gcd(p.x, p.y), p.scale);
    return {p.x / common, p.y / common, p.scale / common};
  }

  // Where along `edge` (0 to 1) others begin, end or cross it.
  std::vector<Fraction> Cuts(const Edge& edge) const {
    std::vector<Fraction> cuts = {{0, 1}, {1, 1}};
    const auto add = [&cuts](const Fraction& at) {
      if (!(at < Fraction{0, 1}) && !(Fraction{1, 1} < at)) cuts.push_back(at);
    };
    for (const Edge& other : edges_) {
      const int64_t gap_x = other.a.x_um - edge.a.x_um;
      const int64_t gap_y = other.a.y_um - edge.a.y_um;
      const int64_t turn = edge.dx() * other.dy() - edge.dy() * other.dx();
      if (turn != 0) {
        add(Reduced(gap_x * other.dy() - gap_y * other.dx(), turn));  // one too many does no harm
      } else if (gap_x * edge.dy() == gap_y * edge.dx()) {
        const int64_t square = edge.dx() * edge.dx() + edge.dy() * edge.dy();
        add(Reduced(gap_x * edge.dx() + gap_y * edge.dy(), square));
      }
    }
    std::sort(cuts.begin(), cuts.end());
    cuts.erase(std::unique(cuts.begin(), cuts.end()), cuts.end());
    return cuts;
  }

  void LookBeside(const Edge& edge) {
    const std::vector<Fraction> cuts = Cuts(edge);
    for (size_t i = 0; i + 1 < cuts.size(); ++i) {
      const Fraction middle =
          Reduced(cuts[i].above * cuts[i + 1].below + cuts[i + 1].above * cuts[i].below,
                  2 * cuts[i].below * cuts[i + 1].below);
      const Point at = {edge.a.x_um * middle.below + edge.dx() * middle.above,
                        edge.a.y_um * middle.below + edge.dy() * middle.above, middle.below};
      for (const int64_t side : {1, -1}) {
        const auto in = HeldBy(rings_, HalfWay(at, -side * edge.dy(), side * edge.dx()));
        if (in) cells_.insert(*in);
      }
    }
  }

  // From `at` along (nx, ny) half-way to the nearest edge that is met, or all of (nx, ny).
  Point HalfWay(const Point& at, int64_t nx, int64_t ny) const {
    Fraction nearest = {2, 1};
    for (const Edge& edge : edges_) {
      const int64_t turn = nx * edge.dy() - ny * edge.dx();
      if (turn == 0) continue;  // its neighbours at the corners are met instead
      const int64_t gap_x = edge.a.x_um * at.scale - at.x;
      const int64_t gap_y = edge.a.y_um * at.scale - at.y;
      const Fraction along = Reduced(gap_x * ny - gap_y * nx, at.scale * turn);
      const Fraction way = Reduced(gap_x * edge.dy() - gap_y * edge.dx(), at.scale * turn);
      const bool met = along.above >= 0 && along.above <= along.below && way.above > 0;
      if (met && way < nearest) nearest = way;
    }
    const Fraction half = Reduced(nearest.above, 2 * nearest.below);
    return Reduced(Point{at.x * half.below + nx * half.above * at.scale,
                         at.y * half.below + ny * half.above * at.scale, at.scale * half.below});
  }

  static std::optional<std::vector<bool>> HeldBy(const std::vector<Ring>& rings, const Point& p) {
    std::vector<bool> in;
    for (const Ring& ring : rings) {
      const std::optional<int> turns = Winding(ring, p);
      if (!turns) return std::nullopt;
      in.push_back(*turns != 0);
    }
    return in;
  }

  // How often the ring goes round the point (Sunday 2001); none on its border.
  static std::optional<int> Winding(const Ring& ring, const Point& p) {
    int turns = 0;
    for (size_t i = 0; i < ring.size(); ++i) {
      const int64_t ax = ring[i].x_um * p.scale - p.x;
      const int64_t ay = ring[i].y_um * p.scale - p.y;
      const GridPoint next = ring[(i + 1) % ring.size()];
      const int64_t dx = next.x_um - ring[i].x_um;
      const int64_t dy = next.y_um - ring[i].y_um;
      const int64_t bx = ax + dx * p.scale;
      const int64_t by = ay + dy * p.scale;
      const int64_t left = dy * ax - dx * ay;  // above 0: the point lies to the left of the edge
      if (left == 0 && std::min(ax, bx) <= 0 && std::max(ax, bx) >= 0 && std::min(ay, by) <= 0 &&
          std::max(ay, by) >= 0) {
        return std::nullopt;
      }
      if (ay <= 0 && by > 0 && left > 0) ++turns;
      if (ay > 0 && by <= 0 && left < 0) --turns;
    }
    return turns;
  }

  const std::vector<Ring>& rings_;
  std::vector<Edge> edges_;
  std::set<std::vector<bool>> cells_;
};

}  // namespace tests
