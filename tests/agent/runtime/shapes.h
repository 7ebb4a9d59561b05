#pragma once

#include <boost/geometry.hpp>
#include <boost/geometry/geometries/point_xy.hpp>
#include <vector>

#include "agent/runtime/geometry.h"

// Shapes that stand and drive about, and the same as Boost's, which answer what ours do.

namespace agent::runtime {

// A truck with its axle behind, 1.2 m long: nothing about it is round or centred.
inline const std::vector<Vec2> kTruck = {{0.9, 0.3}, {-0.3, 0.3}, {-0.3, -0.3}, {0.9, -0.3}};

using BoostPoint = boost::geometry::model::d2::point_xy<double>;
using BoostRing = boost::geometry::model::ring<BoostPoint, false>;

inline BoostRing RingOf(const std::vector<Vec2>& corners) {
  BoostRing ring;
  for (const Vec2& corner : corners) ring.emplace_back(corner.x, corner.y);
  ring.push_back(ring.front());
  return ring;
}

}  // namespace agent::runtime
