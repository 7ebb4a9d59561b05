#pragma once

#include <vector>

#include "gatekeeper/sim/random.h"

namespace gatekeeper::sim {

struct Vec2 {
  double x = 0;
  double y = 0;
};

struct Pose2 {
  double x = 0;  // m, site frame
  double y = 0;
  double yaw = 0;  // rad, counter-clockwise
};

struct Wall {
  Vec2 a;
  Vec2 b;
};

// Walks up and down a line and does not look out for robots.
struct Person {
  Vec2 from;
  Vec2 to;
  double speed_mps = 1.0;
  double phase = 0;  // 0..1, where on the walk at time 0
  double radius_m = 0.25;

  Vec2 At(double seconds) const;
};

// A warehouse hall of 20 m x 12 m with three shelves, and whoever walks through it.
class World {
 public:
  World();

  void Add(const Person& person) { people_.push_back(person); }
  void Clear() { people_.clear(); }

  // Distance along the ray to the nearest surface, in metres; `range` if nothing is nearer.
  double Cast(Vec2 origin, double angle, double range, double seconds) const;
  // Free space around a point: to the nearest surface.
  double Clearance(Vec2 point, double seconds) const;

 private:
  void AddBox(Vec2 low, Vec2 high);
  std::vector<Wall> walls_;
  std::vector<Person> people_;
};

// Places a robot may be sent to, all in the open; routes between neighbours pass no shelf.
const std::vector<Vec2>& AisleRoute();  // through the two narrow aisles (1.6 m)
const std::vector<Vec2>& HallRoute();   // around, in the wide parts

}  // namespace gatekeeper::sim
