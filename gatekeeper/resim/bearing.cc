#include "gatekeeper/resim/bearing.h"

#include <cmath>
#include <numbers>

namespace gatekeeper::resim {
namespace {

// Kernel of fdlibm (Sun Microsystems, 1993) on [0, 7/16].
double AtanKernel(double x) {
  const double z = x * x;
  double p = 1.62858201153657823623e-02;
  p = p * z - 3.65315727442169155270e-02;
  p = p * z + 4.97687799461593236017e-02;
  p = p * z - 5.83357013379057348645e-02;
  p = p * z + 6.66107313738753120669e-02;
  p = p * z - 7.69187620504482999495e-02;
  p = p * z + 9.09088713343650656196e-02;
  p = p * z - 1.11111104054623557880e-01;
  p = p * z + 1.42857142725034663711e-01;
  p = p * z - 1.99999999998764832476e-01;
  p = p * z + 3.33333333333329318027e-01;
  return x - x * z * p;
}

constexpr double kAtanHalf = 4.63647609000806093515e-01;

// Of y/x for 0 <= y <= x, x above 0.
double AtanBelowOne(double y, double x) {
  if (16 * y <= 7 * x) return AtanKernel(y / x);
  // atan(q) = atan(1/2) + atan((q - 1/2) / (1 + q/2))
  if (16 * y <= 11 * x) return kAtanHalf + AtanKernel((2 * y - x) / (2 * x + y));
  // atan(q) = pi/4 - atan((1 - q) / (1 + q))
  return std::numbers::pi / 4 - AtanKernel((x - y) / (x + y));
}

}  // namespace

double ExactAtan2(double y, double x) {
  const double ax = std::abs(x);
  const double ay = std::abs(y);
  if (!(ax > 0 || ay > 0)) return 0;
  double angle = ay <= ax ? AtanBelowOne(ay, ax) : std::numbers::pi / 2 - AtanBelowOne(ax, ay);
  if (x < 0) angle = std::numbers::pi - angle;
  return y < 0 ? -angle : angle;
}

double WrappedRad(double angle_rad) { return std::remainder(angle_rad, 2 * std::numbers::pi); }

double BearingRad(const agent::runtime::Pose2& pose, agent::runtime::Vec2 point) {
  return WrappedRad(ExactAtan2(point.y - pose.y_m, point.x - pose.x_m) - pose.yaw_rad);
}

}  // namespace gatekeeper::resim
