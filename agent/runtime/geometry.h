#pragma once

#include <vector>

namespace agent::runtime {

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

// A closed region of the plane: a simple polygon (either winding) or a circle.
class Region {
 public:
  static Region Polygon(std::vector<Vec2> corners) { return Region(std::move(corners), {}, 0); }
  static Region Circle(Vec2 centre, double radius_m) { return Region({}, centre, radius_m); }

  // Distance from `p` to the border, positive inside and negative outside; 1-Lipschitz in `p`.
  double Depth(Vec2 p) const;
  bool Contains(Vec2 p) const { return Depth(p) >= 0; }
  // Largest distance of any point of the region from the origin: lets a scan skip far returns.
  double reach_m() const { return reach_m_; }

 private:
  Region(std::vector<Vec2> corners, Vec2 centre, double radius_m);

  std::vector<Vec2> corners_;  // empty: a circle
  Vec2 centre_;
  double radius_m_ = 0;
  double reach_m_ = 0;
};

// No two edges touch except neighbours at their shared corner, and the area is not zero.
bool IsSimplePolygon(const std::vector<Vec2>& corners);

// Where a body at `start` stands after `distance_m` (signed, negative backwards) along the arc of
// `curvature_per_m` (wz / vx).
Vec2 AlongArc(const Pose2& start, double curvature_per_m, double distance_m);

}  // namespace agent::runtime
