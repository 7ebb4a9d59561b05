#include "agent/runtime/geometry.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace agent::runtime {
namespace {

// Kernels of fdlibm (Sun Microsystems, 1993): minimax polynomials on [-pi/4, pi/4].
double SinKernel(double r) {
  const double z = r * r;
  double p = 1.58969099521155010221e-10;
  p = p * z - 2.50507602534068634195e-08;
  p = p * z + 2.75573137070700676789e-06;
  p = p * z - 1.98412698298579493134e-04;
  p = p * z + 8.33333333332248946124e-03;
  p = p * z - 1.66666666666666324348e-01;
  return r + r * z * p;
}

double CosKernel(double r) {
  const double z = r * r;
  double p = -1.13596475577881948265e-11;
  p = p * z + 2.08757232129817482790e-09;
  p = p * z - 2.75573143513906633035e-07;
  p = p * z + 2.48015872894767294178e-05;
  p = p * z - 1.38888888888741095749e-03;
  p = p * z + 4.16666666666666019037e-02;
  return 1.0 - 0.5 * z + z * z * p;
}

constexpr double kTwoOverPi = 6.36619772367581382433e-01;
// pi/2 in two parts; the first has 33 bits, so that its product with a small integer is exact.
constexpr double kHalfPiHigh = 1.57079632673412561417e+00;
constexpr double kHalfPiLow = 6.07710050650619224932e-11;
constexpr double kReduceFirst = 1e5;  // rad; above it the integer is no longer small

double Turn(Vec2 o, Vec2 a, Vec2 b) {
  return (a.x - o.x) * (b.y - o.y) - (a.y - o.y) * (b.x - o.x);
}

bool IsOnEdge(Vec2 p, const Edge& edge) {
  const auto& [a, b, length] = edge;
  return Turn(a, b, p) == 0 && std::min(a.x, b.x) <= p.x && p.x <= std::max(a.x, b.x) &&
         std::min(a.y, b.y) <= p.y && p.y <= std::max(a.y, b.y);
}

// Of edges of one polygon, the later one given second. Their first corners are not asked for: each
// is the last of the edge before, which is asked for itself or is folded back.
bool EdgesTouch(const Edge& first, const Edge& second) {
  return Cross(first, second) || IsOnEdge(second.b, first) || IsOnEdge(first.b, second);
}

double Squared(Vec2 from, Vec2 to) {
  const double dx = to.x - from.x;
  const double dy = to.y - from.y;
  return dx * dx + dy * dy;
}

}  // namespace

SinCos ExactSinCos(double angle_rad) {
  if (!std::isfinite(angle_rad)) return {0, 1};
  if (std::abs(angle_rad) > kReduceFirst) angle_rad = std::remainder(angle_rad, kTwoPi);
  const double n = std::floor(angle_rad * kTwoOverPi + 0.5);
  const double r = (angle_rad - n * kHalfPiHigh) - n * kHalfPiLow;
  const double sine = SinKernel(r);
  const double cosine = CosKernel(r);
  switch (static_cast<int>(n) & 3) {
    case 0:
      return {sine, cosine};
    case 1:
      return {cosine, -sine};
    case 2:
      return {-sine, -cosine};
    default:
      return {-cosine, sine};
  }
}

// The square root is exactly rounded everywhere; hypot's last bit differs between C libraries.
double Distance(Vec2 a, Vec2 b) { return std::sqrt(Squared(a, b)); }

Edge EdgeBetween(Vec2 a, Vec2 b) {
  const double length2 = Squared(a, b);
  return {a, b, length2 > 0 ? 1 / length2 : 0};
}

double Distance2ToEdge(Vec2 p, const Edge& edge) {
  const double ex = edge.b.x - edge.a.x;
  const double ey = edge.b.y - edge.a.y;
  const double share = ((p.x - edge.a.x) * ex + (p.y - edge.a.y) * ey) * edge.inverse_length2;
  const double t = std::clamp(share, 0.0, 1.0);
  return Squared(p, {edge.a.x + t * ex, edge.a.y + t * ey});
}

bool Cross(const Edge& a, const Edge& b) {
  const double b1 = Turn(a.a, a.b, b.a);
  const double b2 = Turn(a.a, a.b, b.b);
  if (!((b1 > 0 && b2 < 0) || (b1 < 0 && b2 > 0))) return false;
  const double a1 = Turn(b.a, b.b, a.a);
  const double a2 = Turn(b.a, b.b, a.b);
  return (a1 > 0 && a2 < 0) || (a1 < 0 && a2 > 0);
}

double Distance2OfEdges(const Edge& a, const Edge& b) {
  return std::min({Distance2ToEdge(a.a, b), Distance2ToEdge(a.b, b), Distance2ToEdge(b.a, a),
                   Distance2ToEdge(b.b, a)});
}

Region::Region(std::vector<Edge> edges, Disc bound, double reach_m)
    : edges_(std::move(edges)), bound_(bound), reach_m_(reach_m) {}

Region Region::Circle(Vec2 centre, double radius_m) {
  return Region({}, {centre, radius_m}, Distance({}, centre) + radius_m);
}

Region Region::Polygon(const std::vector<Vec2>& corners) {
  Vec2 low = corners.front();
  Vec2 high = corners.front();
  double reach_m = 0;
  std::vector<Edge> edges;
  for (size_t i = 0; i < corners.size(); ++i) {
    const Vec2 corner = corners[i];
    edges.push_back(EdgeBetween(corner, corners[(i + 1) % corners.size()]));
    low = {std::min(low.x, corner.x), std::min(low.y, corner.y)};
    high = {std::max(high.x, corner.x), std::max(high.y, corner.y)};
    reach_m = std::max(reach_m, Distance({}, corner));
  }
  Disc bound{.centre = {(low.x + high.x) / 2, (low.y + high.y) / 2}};
  for (const Vec2& corner : corners) {
    bound.radius_m = std::max(bound.radius_m, Distance(bound.centre, corner));
  }
  return Region(std::move(edges), bound, reach_m);
}

double Region::Depth(Vec2 p) const {
  if (is_circle()) return bound_.radius_m - Distance(p, bound_.centre);
  double nearest2 = std::numeric_limits<double>::infinity();
  bool inside = false;
  for (const Edge& edge : edges_) {
    nearest2 = std::min(nearest2, Distance2ToEdge(p, edge));
    // Even-odd rule: count edges that a ray to the right crosses, each edge owning its lower end.
    const auto& [a, b, length] = edge;
    if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x) {
      inside = !inside;
    }
  }
  const double nearest = std::sqrt(nearest2);
  return inside ? nearest : -nearest;
}

bool Region::Contains(Vec2 p) const {
  // A little more than the radius, because the corners that made it were rounded.
  const double far = bound_.radius_m * (1 + 1e-9);
  if (Squared(p, bound_.centre) > far * far) return false;
  return Depth(p) >= 0;
}

bool IsSimplePolygon(const std::vector<Vec2>& corners) {
  const size_t n = corners.size();
  double area2 = 0;  // of fewer than three corners: none
  for (size_t i = 0; i < n; ++i) {
    const Vec2 a = corners[i];
    const Vec2 b = corners[(i + 1) % n];
    area2 += a.x * b.y - b.x * a.y;
    if (Distance(a, b) <= 0) return false;
    // Neighbours share a corner; they must not fold back onto each other.
    const Vec2 c = corners[(i + 2) % n];
    const bool folded = (b.x - a.x) * (c.x - b.x) + (b.y - a.y) * (c.y - b.y) < 0;
    if (Turn(a, b, c) == 0 && folded) return false;
    for (size_t j = i + 2; j < n; ++j) {
      const bool neighbours = i == 0 && j == n - 1;
      if (!neighbours && EdgesTouch({a, b}, {corners[j], corners[(j + 1) % n]})) return false;
    }
  }
  return std::abs(area2) > 0;
}

Pose2 Moved(const Pose2& start, double distance_m, double turn_rad) {
  // Chord form: exact for straight lines too, without dividing by a small curvature.
  const double half_turn = 0.5 * turn_rad;
  const double sinc = std::abs(half_turn) < 1e-6 ? 1.0 : ExactSinCos(half_turn).sin / half_turn;
  const SinCos heading = ExactSinCos(start.yaw_rad + half_turn);
  const double chord_m = distance_m * sinc;
  return {start.x_m + chord_m * heading.cos, start.y_m + chord_m * heading.sin,
          start.yaw_rad + turn_rad};
}

}  // namespace agent::runtime
