#include "agent/runtime/kinematics.h"

#include <cmath>

namespace agent::runtime {

Vec3 ToolPoint(const std::vector<DhLink>& chain, std::span<const double> q_rad) {
  // From the tool inwards: a point needs no matrices.
  Vec3 p;
  for (size_t i = chain.size(); i-- > 0;) {
    const DhLink& link = chain[i];
    const double x = p.x + link.a_m;
    const double y = link.alpha.cos * p.y - link.alpha.sin * p.z;
    const double z = link.alpha.sin * p.y + link.alpha.cos * p.z + link.d_m;
    const SinCos theta = ExactSinCos(q_rad[i] + link.theta_offset_rad);
    p = {theta.cos * x - theta.sin * y, theta.sin * x + theta.cos * y, z};
  }
  return p;
}

double Distance(const Vec3& a, const Vec3& b) {
  const double dx = a.x - b.x;
  const double dy = a.y - b.y;
  const double dz = a.z - b.z;
  return std::sqrt(dx * dx + dy * dy + dz * dz);
}

}  // namespace agent::runtime
