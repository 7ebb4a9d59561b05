#include "gatekeeper/sim/expert.h"

#include <algorithm>
#include <cmath>

namespace gatekeeper::sim {
namespace {

constexpr double kTopSpeed = 0.8;       // m/s
constexpr double kTopTurn = 1.0;        // rad/s
constexpr double kGoalGain = 1.2;       // rad/s per sine of the bearing
constexpr double kPushGain = 0.9;       // rad/s of a wall that touches the robot's side
constexpr double kPushRange = 1.3;      // m: farther surfaces do not push
constexpr double kStopRange = 0.55;     // m: nothing nearer than this ahead
constexpr double kFreeRange = 1.6;      // m: full speed with this much ahead
constexpr double kCorridorHalf = 0.35;  // m: half the width of what counts as ahead ...
constexpr double kCorridorEdge = 2.5;   // ... beyond which a metre aside counts as 2.5 m ahead
constexpr double kSlowNearGoal = 0.6;   // m

struct Surroundings {
  double ahead_m = 8;
  double push = 0;  // to the left positive
};

Surroundings Look(const v1::LaserScan& scan) {
  Surroundings seen;
  double left = 0;
  double right = 0;
  for (int i = 0; i < scan.ranges_m_size(); ++i) {
    const double range = scan.ranges_m(i);
    if (!std::isfinite(range)) continue;
    const double angle = scan.angle_min_rad() + i * scan.angle_increment_rad();
    const double x = range * std::cos(angle);
    const double y = range * std::sin(angle);
    const double aside = std::max(0.0, std::abs(y) - kCorridorHalf);
    if (x > 0) seen.ahead_m = std::min(seen.ahead_m, x + kCorridorEdge * aside);
    if (x < -0.2 || range > kPushRange) continue;
    // The more to the side, the more it pushes: what is straight ahead has no side to push to.
    const double push = (kPushRange - range) / kPushRange * std::abs(std::sin(angle));
    (y > 0 ? left : right) = std::max(y > 0 ? left : right, push);
  }
  seen.push = right - left;
  return seen;
}

}  // namespace

Twist Expert(const v1::LaserScan& scan, double goal_bearing_rad, double goal_range_m) {
  const Surroundings seen = Look(scan);
  Twist twist;
  // Behind: turn on the spot at full rate, to the side the goal is on.
  const double pull = std::abs(goal_bearing_rad) > 1.5708 ? std::copysign(1.0, goal_bearing_rad)
                                                          : std::sin(goal_bearing_rad);
  twist.wz_radps = std::clamp(kGoalGain * pull + kPushGain * seen.push, -kTopTurn, kTopTurn);
  const double room = std::clamp((seen.ahead_m - kStopRange) / (kFreeRange - kStopRange), 0.0, 1.0);
  const double facing = std::max(0.0, std::cos(goal_bearing_rad));
  const double near = std::clamp(goal_range_m / kSlowNearGoal, 0.3, 1.0);
  twist.vx_mps = kTopSpeed * room * facing * near;
  return twist;
}

}  // namespace gatekeeper::sim
