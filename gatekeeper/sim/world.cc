#include "gatekeeper/sim/world.h"

#include <algorithm>
#include <cmath>

namespace gatekeeper::sim {
namespace {

constexpr Vec2 kHallHigh{20, 12};

double Cross(Vec2 a, Vec2 b) { return a.x * b.y - a.y * b.x; }
Vec2 Minus(Vec2 a, Vec2 b) { return {a.x - b.x, a.y - b.y}; }

double ToWall(Vec2 point, const Wall& wall) {
  const Vec2 along = Minus(wall.b, wall.a);
  const Vec2 to = Minus(point, wall.a);
  const double length2 = along.x * along.x + along.y * along.y;
  const double t = std::clamp((to.x * along.x + to.y * along.y) / length2, 0.0, 1.0);
  return std::hypot(to.x - t * along.x, to.y - t * along.y);
}

double CastWall(Vec2 origin, Vec2 direction, const Wall& wall) {
  const Vec2 along = Minus(wall.b, wall.a);
  const double denominator = Cross(direction, along);
  if (std::abs(denominator) < 1e-12) return INFINITY;
  const Vec2 to = Minus(wall.a, origin);
  const double ray = Cross(to, along) / denominator;
  const double on_wall = Cross(to, direction) / denominator;
  return ray >= 0 && on_wall >= 0 && on_wall <= 1 ? ray : INFINITY;
}

double CastCircle(Vec2 origin, Vec2 direction, Vec2 centre, double radius) {
  const Vec2 to = Minus(centre, origin);
  const double along = to.x * direction.x + to.y * direction.y;
  const double off2 = to.x * to.x + to.y * to.y - along * along;
  if (along < 0 || off2 > radius * radius) return INFINITY;
  return std::max(0.0, along - std::sqrt(radius * radius - off2));
}

}  // namespace

Vec2 Person::At(double seconds) const {
  const double length = std::hypot(to.x - from.x, to.y - from.y);
  const double turns = phase + seconds * speed_mps / (2 * length);
  const double saw = 2 * std::abs(turns - std::floor(turns + 0.5));  // 0 at `from`, 1 at `to`
  return {from.x + saw * (to.x - from.x), from.y + saw * (to.y - from.y)};
}

World::World() {
  AddBox({0, 0}, kHallHigh);
  AddBox({5, 2.8}, {13, 3.6});  // shelf 1
  AddBox({5, 5.2}, {13, 6.0});  // shelf 2: aisle of 1.6 m below it
  AddBox({5, 7.6}, {13, 8.4});  // shelf 3: aisle of 1.6 m below it
}

void World::AddBox(Vec2 low, Vec2 high) {
  const Vec2 corner1{high.x, low.y};
  const Vec2 corner2{low.x, high.y};
  walls_.insert(walls_.end(), {{low, corner1}, {corner1, high}, {high, corner2}, {corner2, low}});
}

double World::Cast(Vec2 origin, double angle, double range, double seconds) const {
  const Vec2 direction{std::cos(angle), std::sin(angle)};
  double nearest = range;
  for (const Wall& wall : walls_) nearest = std::min(nearest, CastWall(origin, direction, wall));
  for (const Person& person : people_) {
    nearest = std::min(nearest, CastCircle(origin, direction, person.At(seconds), person.radius_m));
  }
  return nearest;
}

double World::Clearance(Vec2 point, double seconds) const {
  double nearest = INFINITY;
  for (const Wall& wall : walls_) nearest = std::min(nearest, ToWall(point, wall));
  for (const Person& person : people_) {
    const Vec2 at = person.At(seconds);
    nearest = std::min(nearest, std::hypot(point.x - at.x, point.y - at.y) - person.radius_m);
  }
  return nearest;
}

const std::vector<Vec2>& AisleRoute() {
  static const std::vector<Vec2> route = {{3, 4.4}, {14.8, 4.4}, {14.8, 6.8}, {3, 6.8}};
  return route;
}

const std::vector<Vec2>& HallRoute() {
  static const std::vector<Vec2> route = {{2.5, 1.5}, {15, 1.5},   {16, 6},
                                          {15, 10.2}, {2.5, 10.2}, {2.5, 6}};
  return route;
}

}  // namespace gatekeeper::sim
