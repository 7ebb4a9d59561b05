#pragma once

#include <span>
#include <vector>

#include "agent/runtime/geometry.h"

namespace agent::runtime {

struct Vec3 {
  double x = 0;
  double y = 0;
  double z = 0;
};

// A revolute joint and its link in the standard convention of Denavit and Hartenberg (1955): turn
// by the joint's angle plus an offset about z, go d along z and a along x, turn by alpha about x.
struct DhLink {
  double a_m = 0;
  double d_m = 0;
  double theta_offset_rad = 0;
  SinCos alpha;
};

// Where the end of the last link is, in the frame of the first link's base. `q_rad` holds an angle
// for every link.
Vec3 ToolPoint(const std::vector<DhLink>& chain, std::span<const double> q_rad);

double Distance(const Vec3& a, const Vec3& b);

}  // namespace agent::runtime
