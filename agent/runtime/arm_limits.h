#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "agent/runtime/kinematics.h"

namespace agent::runtime {

// Of one arm.
inline constexpr size_t kMaxJoints = 32;

struct JointLimits {
  double q_min_rad = 0;
  double q_max_rad = 0;
  double qd_abs_max_radps = 0;
  double qdd_abs_max_radps2 = 0;  // braking too
  // How fast the acceleration may grow; braking is free.
  double qddd_abs_max_radps3 = std::numeric_limits<double>::infinity();
  std::optional<double> tau_abs_max_nm{};
  std::string contact_reason{};  // "contact:elbow"
};

// What holds for a manipulator as a whole.
struct ArmLimits {
  std::vector<DhLink> chain;  // one a joint
  double tcp_v_max_mps = 0;
  double degraded_scale = 1;              // of joint and tool speeds
  std::optional<size_t> contact_trigger;  // given when a joint has a torque limit
  size_t joints_trigger = 0;              // of the input `joints`: raised when it lacks torques
};

}  // namespace agent::runtime
