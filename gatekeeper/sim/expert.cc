#include "gatekeeper/sim/expert.h"

#include <algorithm>
#include <cmath>

namespace gatekeeper::sim {
namespace {

constexpr double kTopSpeed = 0.8;       // m/s
constexpr double kTopTurn = 1.0;        // rad/s
constexpr double kGoalGain = 1.2;       // rad/s per sine of the bearing
constexpr double kPushGain = 0.9;       // rad/s of a wall at the robot's side
constexpr double kPushRange = 1.3;      // m: farther surfaces do not push
constexpr double kStopRange = 0.55;     // m: nothing nearer than this ahead
constexpr double kFreeRange = 1.8;      // m: full speed with this much ahead
constexpr double kCorridorHalf = 0.45;  // m: half the width of what counts as ahead
constexpr double kSlowNearGoal = 0.6;   // m

struct Surroundings {
  double ahead_m = 8;
  double push = 0;  // to the left positive
};

Surroundings Look(const v1::LaserScan& scan) {
  Surroundings seen;
  double left = kPushRange;
  double right = kPushRange;
  for (int i = 0; i < scan.ranges_m_size(); ++i) {
    const double range = scan.ranges_m(i);
    if (!std::isfinite(range)) continue;
    const double angle = scan.angle_min_rad() + i * scan.angle_increment_rad();
    const double x = range * std::cos(angle);
    const double y = range * std::sin(angle);
    if (x > 0 && std::abs(y) < kCorridorHalf) seen.ahead_m = std::min(seen.ahead_m, x);
    if (x < -0.2) continue;
    (y > 0 ? left : right) = std::min(y > 0 ? left : right, range);
  }
  seen.push = (kPushRange - right) / kPushRange - (kPushRange - left) / kPushRange;
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
