#include "gatekeeper/sim/robot.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace gatekeeper::sim {
namespace {

constexpr size_t kLatencyPeriods = 2;
constexpr double kMaxAcceleration = 1.5;         // m/s^2
constexpr double kMaxDeceleration = 3.0;         // m/s^2
constexpr double kMaxAngularAcceleration = 8.0;  // rad/s^2
constexpr double kMaxSpeed = 1.2;                // m/s
constexpr double kMaxTurn = 2.5;                 // rad/s

constexpr int kBeams = 181;
constexpr double kFieldOfView = 1.5 * std::numbers::pi;
constexpr double kRange = 8.0;
constexpr double kRangeSigma = 0.01;

double Approach(double from, double to, double up, double down) {
  const bool braking = std::abs(to) < std::abs(from);
  const double step = (braking ? down : up) * kPeriodS;
  return from + std::clamp(to - from, -step, step);
}

int64_t ToNs(double seconds) { return static_cast<int64_t>(std::llround(seconds * 1e9)); }

}  // namespace

void Robot::Step(Twist command) {
  on_the_way_.push_back(command);
  Twist wanted{0, 0};
  if (on_the_way_.size() > kLatencyPeriods) {
    wanted = on_the_way_.front();
    on_the_way_.pop_front();
  }
  wanted.vx_mps = std::clamp(wanted.vx_mps, -kMaxSpeed, kMaxSpeed);
  wanted.wz_radps = std::clamp(wanted.wz_radps, -kMaxTurn, kMaxTurn);
  velocity_.vx_mps = Approach(velocity_.vx_mps, wanted.vx_mps, kMaxAcceleration, kMaxDeceleration);
  velocity_.wz_radps = Approach(velocity_.wz_radps, wanted.wz_radps, kMaxAngularAcceleration,
                                kMaxAngularAcceleration);
  const double middle = pose_.yaw + velocity_.wz_radps * kPeriodS / 2;
  pose_.x += velocity_.vx_mps * std::cos(middle) * kPeriodS;
  pose_.y += velocity_.vx_mps * std::sin(middle) * kPeriodS;
  pose_.yaw = std::remainder(pose_.yaw + velocity_.wz_radps * kPeriodS, 2 * std::numbers::pi);
}

void FillScan(const World& world, const Pose2& pose, double seconds, const Dust& dust,
              Random& random, v1::LaserScan& scan) {
  scan.set_angle_min_rad(-kFieldOfView / 2);
  scan.set_angle_increment_rad(kFieldOfView / (kBeams - 1));
  scan.set_stamp_ns(ToNs(seconds));
  scan.clear_ranges_m();
  for (int i = 0; i < kBeams; ++i) {
    const double angle = pose.yaw + scan.angle_min_rad() + i * scan.angle_increment_rad();
    double range = world.Cast({pose.x, pose.y}, angle, INFINITY, seconds);
    range += random.Normal(kRangeSigma);
    const double luck = random.Uniform();
    if (luck < dust.false_return) {
      range = std::min(range, random.Uniform(0.3, 2.0));
    } else if (luck < dust.false_return + dust.dropout) {
      range = INFINITY;
    }
    scan.add_ranges_m(range < kRange ? static_cast<float>(std::max(range, 0.01)) : INFINITY);
  }
}

void FillObservation(const Robot& robot, Vec2 goal, double seconds, v1::Observation& observation) {
  const int64_t stamp = ToNs(seconds);
  observation.set_stamp_ns(stamp);
  observation.set_want_command(true);
  observation.set_network_up(true);
  v1::Odometry& odom = *observation.mutable_odom();
  odom.set_stamp_ns(stamp);
  odom.set_x_m(robot.pose().x);
  odom.set_y_m(robot.pose().y);
  odom.set_yaw_rad(robot.pose().yaw);
  odom.set_vx_mps(robot.velocity().vx_mps);
  odom.set_wz_radps(robot.velocity().wz_radps);
  auto& signals = *observation.mutable_signals();
  signals["goal_bearing_rad"].set_stamp_ns(stamp);
  signals["goal_bearing_rad"].set_value(Bearing(robot.pose(), goal));
  signals["goal_range_m"].set_stamp_ns(stamp);
  signals["goal_range_m"].set_value(Distance(robot.pose(), goal));
}

double Bearing(const Pose2& pose, Vec2 point) {
  return std::remainder(std::atan2(point.y - pose.y, point.x - pose.x) - pose.yaw,
                        2 * std::numbers::pi);
}

double Distance(const Pose2& pose, Vec2 point) {
  return std::hypot(point.x - pose.x, point.y - pose.y);
}

}  // namespace gatekeeper::sim
