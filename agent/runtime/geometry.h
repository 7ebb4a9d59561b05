#pragma once

#include <vector>

namespace agent::runtime {

inline constexpr double kTwoPi = 6.28318530717958647693;

struct Vec2 {
  double x = 0;
  double y = 0;
};

struct Pose2 {
  double x_m = 0;
  double y_m = 0;
  double yaw_rad = 0;
};

struct SinCos {
  double sin = 0;
  double cos = 0;
};

// Sine and cosine from additions and multiplications in a fixed order. The C library picks a
// different routine per CPU (with or without fused multiply-add) whose last bit differs; verdicts
// must not. Absolute error below 1e-15 for |angle| <= 100; a non-finite angle gives {0, 1}.
SinCos ExactSinCos(double angle_rad);

double Distance(Vec2 a, Vec2 b);

struct Edge {
  Vec2 a;
  Vec2 b;
  double inverse_length2 = 0;  // 0: both ends are the same point
};

Edge EdgeBetween(Vec2 a, Vec2 b);
double Distance2ToEdge(Vec2 p, const Edge& edge);  // squared
// Each end lies strictly on its own side of the other edge.
bool Cross(const Edge& a, const Edge& b);
// Between any two of their points; of edges that do not cross.
double Distance2OfEdges(const Edge& a, const Edge& b);  // squared

struct Disc {
  Vec2 centre;
  double radius_m = 0;
};

// A closed region of the plane: a simple polygon (either winding) or a circle.
class Region {
 public:
  static Region Polygon(const std::vector<Vec2>& corners);
  static Region Circle(Vec2 centre, double radius_m);

  // Distance from `p` to the border, positive inside and negative outside; 1-Lipschitz in `p`.
  double Depth(Vec2 p) const;
  bool Contains(Vec2 p) const;

  bool is_circle() const { return edges_.empty(); }
  const std::vector<Edge>& edges() const { return edges_; }  // empty: the circle is bound()
  const Disc& bound() const { return bound_; }               // holds the whole region
  // Largest distance of any point of the region from the origin: lets a scan skip far returns.
  double reach_m() const { return reach_m_; }

 private:
  Region(std::vector<Edge> edges, Disc bound, double reach_m);

  std::vector<Edge> edges_;
  Disc bound_;
  double reach_m_ = 0;
};

// No two edges touch except neighbours at their shared corner, and the area is not zero.
bool IsSimplePolygon(const std::vector<Vec2>& corners);

// Where a body at `start` stands after it has gone `distance_m` (signed, negative backwards) while
// it turned by `turn_rad`, both at a constant rate: along an arc, a straight line or on the spot.
Pose2 Moved(const Pose2& start, double distance_m, double turn_rad);

}  // namespace agent::runtime
