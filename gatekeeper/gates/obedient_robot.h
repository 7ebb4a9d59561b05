#pragma once

#include <vector>

#include "agent/runtime/policy.h"
#include "proto/robot.pb.h"

namespace gatekeeper::gates {

// The simplest robot there is: it does at once what it is told. From a fault's onset on its
// odometry and joints take the place of the recorded ones, because the recorded robot knew nothing
// of the fault.
class ObedientRobot {
 public:
  explicit ObedientRobot(const agent::runtime::Policy& policy) : policy_(policy) {}

  // For one control period.
  void Drive(const std::vector<double>& enforced);
  // Writes what this robot would have measured over the observation's odometry and joints. The
  // first odometry answered gives the pose it starts from.
  void Answer(v1::Observation& observation);

 private:
  const agent::runtime::Policy& policy_;
  std::vector<double> command_;  // empty before the first Drive
  std::vector<double> rate_;     // joints: change in the last period, rad/s
  bool placed_ = false;
  agent::runtime::Pose2 pose_;
};

}  // namespace gatekeeper::gates
