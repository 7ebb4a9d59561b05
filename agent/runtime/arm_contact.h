#pragma once

#include <string_view>
#include <vector>

#include "agent/runtime/policy.h"
#include "proto/robot.pb.h"

namespace agent::runtime {

// Judges measured torques: beyond a joint's limit the arm touches something, and a measurement
// that lacks the torques the policy limits is a fault of the input `joints`.
TriggerMask Contacts(const Policy& policy, const gatekeeper::v1::JointState& joints,
                     std::vector<std::string_view>& reasons);

}  // namespace agent::runtime
