#pragma once

#include <array>
#include <cstddef>

#include "agent/runtime/geometry.h"

namespace agent::runtime {

// Enough for a robot with a load and its rounded corners; more are refused at compile.
inline constexpr size_t kMaxFootprintCorners = 32;

// The ground that a robot covers, load included, in its body frame.
class Footprint {
 public:
  Footprint() : Footprint(Region::Circle({}, 0)) {}  // of an arm, whose base goes nowhere
  explicit Footprint(Region region);

  const Region& region() const { return region_; }
  // A turn by 1 rad moves no part of the outline farther than this. 0 for a circle around the
  // origin.
  double turn_reach_m() const { return turn_reach_m_; }
  // The upright box around it.
  Vec2 low() const { return low_; }
  Vec2 high() const { return high_; }
  // From the outline to a point in the body frame; 0 inside.
  double DistanceM(Vec2 p) const;

 private:
  Region region_;
  double turn_reach_m_ = 0;
  Vec2 low_;
  Vec2 high_;
};

enum class Side { kInside, kOutside };  // of a region: where the footprint must be

// A footprint where a robot stands.
class StandingFootprint {
 public:
  StandingFootprint(const Footprint& footprint, const Pose2& pose);

  // Distance between the outline and the region's border while the footprint is wholly on its
  // side: exact. Below 0 once any of it is over the border, and then about how far. Not a number
  // where the pose is none.
  double RoomM(const Region& region, Side side) const;
  // Never more than RoomM, and cheaper: of the circle around the footprint.
  double LeastRoomM(const Region& region, Side side) const;

 private:
  double RoomToCircle(const Disc& circle, Side side) const;
  double RoomToPolygon(const Region& region, Side side) const;
  double OverM(const Region& region, Side side) const;
  Vec2 InBody(Vec2 p) const;

  const Footprint& footprint_;
  Vec2 origin_;
  SinCos heading_;
  Disc bound_;  // of the footprint, where it stands
  size_t corner_count_ = 0;
  std::array<Edge, kMaxFootprintCorners> edges_;
};

}  // namespace agent::runtime
