#include "agent/runtime/twist_limits.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace agent::runtime {

Curve Tightest(const Curve& a, const Curve& b) {
  std::vector<double> points = a.points;
  points.insert(points.end(), b.points.begin(), b.points.end());
  std::sort(points.begin(), points.end());
  points.erase(std::unique(points.begin(), points.end()), points.end());
  Curve least;
  const auto add = [&](double point) {
    least.points.push_back(point);
    least.values.push_back(std::min(a.At(point), b.At(point)));
  };
  for (size_t i = 0; i < points.size(); ++i) {
    if (i > 0) {
      // Where the two cross between points, the lesser one bends; parallels cross nowhere.
      const double from = a.At(points[i - 1]) - b.At(points[i - 1]);
      const double to = a.At(points[i]) - b.At(points[i]);
      const double cross = points[i - 1] + (points[i] - points[i - 1]) * (from / (from - to));
      if (cross > points[i - 1] && cross < points[i]) add(cross);
    }
    add(points[i]);
  }
  return least;
}

TwistLimits Tightest(const TwistLimits& a, const TwistLimits& b) {
  return {.vx_max_mps = std::min(a.vx_max_mps, b.vx_max_mps),
          .vx_min_mps = std::max(a.vx_min_mps, b.vx_min_mps),
          .wz_abs_max_radps = Tightest(a.wz_abs_max_radps, b.wz_abs_max_radps),
          .acc_max_mps2 = Tightest(a.acc_max_mps2, b.acc_max_mps2),
          .dec_max_mps2 = Tightest(a.dec_max_mps2, b.dec_max_mps2),
          .wz_acc_max_radps2 = std::min(a.wz_acc_max_radps2, b.wz_acc_max_radps2),
          .jerk_max_mps3 = Tightest(a.jerk_max_mps3, b.jerk_max_mps3),
          .cmd_vs_measured_mps = std::min(a.cmd_vs_measured_mps, b.cmd_vs_measured_mps)};
}

}  // namespace agent::runtime
