#pragma once

#include <deque>

#include "gatekeeper/sim/world.h"
#include "proto/robot.pb.h"

namespace gatekeeper::sim {

inline constexpr double kPeriodS = 0.05;  // 20 Hz
inline constexpr double kRadiusM = 0.25;  // of the robot's round footprint

struct Twist {
  double vx_mps = 0;
  double wz_radps = 0;
};

// A differential drive that follows commands late (two periods) and within what its motors can do.
class Robot {
 public:
  explicit Robot(Pose2 start) : pose_(start) {}

  void Step(Twist command);
  const Pose2& pose() const { return pose_; }
  const Twist& velocity() const { return velocity_; }

 private:
  Pose2 pose_;
  Twist velocity_;
  std::deque<Twist> on_the_way_;
};

// What the laser suffers from.
struct Dust {
  double false_return = 0;  // chance per beam of a speck at 0.3 m to 2 m
  double dropout = 0;       // chance per beam of no return at all
};

// 181 beams over 270 degrees, 8 m, 1 cm noise.
void FillScan(const World& world, const Pose2& pose, double seconds, const Dust& dust,
              Random& random, v1::LaserScan& scan);

// Everything the robot's own program would send in one packet, its goal included.
void FillObservation(const Robot& robot, Vec2 goal, double seconds, v1::Observation& observation);

// Bearing (-pi..pi, body frame) and distance of a point.
double Bearing(const Pose2& pose, Vec2 point);
double Distance(const Pose2& pose, Vec2 point);

}  // namespace gatekeeper::sim
