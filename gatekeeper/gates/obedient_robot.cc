#include "gatekeeper/gates/obedient_robot.h"

#include <chrono>

namespace gatekeeper::gates {

using agent::runtime::CommandType;

void ObedientRobot::Drive(const std::vector<double>& enforced) {
  const double period_s = std::chrono::duration<double>(policy_.command().period).count();
  rate_.assign(enforced.size(), 0);
  if (policy_.command().type == CommandType::kJoints) {
    for (size_t i = 0; i < enforced.size() && i < command_.size(); ++i) {
      rate_[i] = (enforced[i] - command_[i]) / period_s;
    }
  } else if (enforced.size() == 2) {
    const agent::runtime::SinCos heading = agent::runtime::ExactSinCos(pose_.yaw_rad);
    pose_.x_m += enforced[0] * heading.cos * period_s;
    pose_.y_m += enforced[0] * heading.sin * period_s;
    pose_.yaw_rad += enforced[1] * period_s;
  }
  command_ = enforced;
}

void ObedientRobot::Answer(v1::Observation& observation) {
  if (policy_.command().type == CommandType::kTwist2d && observation.has_odom()) {
    v1::Odometry& odom = *observation.mutable_odom();
    if (!placed_) pose_ = {odom.x_m(), odom.y_m(), odom.yaw_rad()};
    placed_ = true;
    odom.set_x_m(pose_.x_m);
    odom.set_y_m(pose_.y_m);
    odom.set_yaw_rad(pose_.yaw_rad);
    if (command_.size() == 2) {
      odom.set_vx_mps(command_[0]);
      odom.set_wz_radps(command_[1]);
    }
  }
  if (policy_.command().type == CommandType::kJoints && observation.has_joints() &&
      !command_.empty()) {
    v1::JointState& joints = *observation.mutable_joints();
    joints.mutable_q_rad()->Assign(command_.begin(), command_.end());
    joints.mutable_qd_radps()->Assign(rate_.begin(), rate_.end());
  }
}

}  // namespace gatekeeper::gates
