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
constexpr double kTwoPi = 6.28318530717958647693;

double Distance(Vec2 a, Vec2 b) {
  const double dx = a.x - b.x;
  const double dy = a.y - b.y;
  return std::sqrt(dx * dx + dy * dy);  // not hypot: its last bit differs between C libraries
}

double DistanceToEdge(Vec2 p, Vec2 a, Vec2 b) {
  const double ex = b.x - a.x;
  const double ey = b.y - a.y;
  const double length2 = ex * ex + ey * ey;
  double t = length2 > 0 ? ((p.x - a.x) * ex + (p.y - a.y) * ey) / length2 : 0;
  t = std::clamp(t, 0.0, 1.0);
  return Distance(p, {a.x + t * ex, a.y + t * ey});
}

double Cross(Vec2 o, Vec2 a, Vec2 b) {
  return (a.x - o.x) * (b.y - o.y) - (a.y - o.y) * (b.x - o.x);
}

bool OnEdge(Vec2 a, Vec2 b, Vec2 p) {
  return std::min(a.x, b.x) <= p.x && p.x <= std::max(a.x, b.x) && std::min(a.y, b.y) <= p.y &&
         p.y <= std::max(a.y, b.y);
}

bool EdgesTouch(Vec2 a, Vec2 b, Vec2 c, Vec2 d) {
  const double c1 = Cross(a, b, c);
  const double c2 = Cross(a, b, d);
  const double c3 = Cross(c, d, a);
  const double c4 = Cross(c, d, b);
  if (((c1 > 0 && c2 < 0) || (c1 < 0 && c2 > 0)) && ((c3 > 0 && c4 < 0) || (c3 < 0 && c4 > 0))) {
    return true;
  }
  return (c1 == 0 && OnEdge(a, b, c)) || (c2 == 0 && OnEdge(a, b, d)) ||
         (c3 == 0 && OnEdge(c, d, a)) || (c4 == 0 && OnEdge(c, d, b));
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

Region::Region(std::vector<Vec2> corners, Vec2 centre, double radius_m)
    : corners_(std::move(corners)), centre_(centre), radius_m_(radius_m) {
  reach_m_ = corners_.empty() ? Distance({}, centre_) + radius_m_ : 0;
  for (const Vec2& corner : corners_) reach_m_ = std::max(reach_m_, Distance({}, corner));
}

double Region::Depth(Vec2 p) const {
  if (corners_.empty()) return radius_m_ - Distance(p, centre_);
  double nearest = std::numeric_limits<double>::infinity();
  bool inside = false;
  Vec2 a = corners_.back();
  for (const Vec2& b : corners_) {
    nearest = std::min(nearest, DistanceToEdge(p, a, b));
    // Even-odd rule: count edges that a ray to the right crosses, each edge owning its lower end.
    if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x) {
      inside = !inside;
    }
    a = b;
  }
  return inside ? nearest : -nearest;
}

bool IsSimplePolygon(const std::vector<Vec2>& corners) {
  const size_t n = corners.size();
  if (n < 3) return false;
  double area2 = 0;
  for (size_t i = 0; i < n; ++i) {
    const Vec2 a = corners[i];
    const Vec2 b = corners[(i + 1) % n];
    area2 += a.x * b.y - b.x * a.y;
    if (Distance(a, b) <= 0) return false;
    // Neighbours share a corner; they must not fold back onto each other.
    const Vec2 c = corners[(i + 2) % n];
    const bool folded = (b.x - a.x) * (c.x - b.x) + (b.y - a.y) * (c.y - b.y) < 0;
    if (Cross(a, b, c) == 0 && folded) return false;
    for (size_t j = i + 2; j < n; ++j) {
      const bool neighbours = i == 0 && j == n - 1;
      if (!neighbours && EdgesTouch(a, b, corners[j], corners[(j + 1) % n])) return false;
    }
  }
  return std::abs(area2) > 0;
}

Vec2 AlongArc(const Pose2& start, double curvature_per_m, double distance_m) {
  // Chord form: exact for straight lines too, without dividing by a small curvature.
  const double half_turn = 0.5 * curvature_per_m * distance_m;
  const double sinc = std::abs(half_turn) < 1e-6 ? 1.0 : ExactSinCos(half_turn).sin / half_turn;
  const SinCos heading = ExactSinCos(start.yaw_rad + half_turn);
  return {start.x_m + distance_m * sinc * heading.cos, start.y_m + distance_m * sinc * heading.sin};
}

}  // namespace agent::runtime
