#include "agent/runtime/arm_contact.h"
#include "agent/runtime/controller.h"
#include "agent/runtime/tool_point.h"

// The part of the Controller that only arms need.

namespace agent::runtime {

TriggerMask Controller::ArmConditions() {
  const Policy& policy = rules_->policy;
  const gatekeeper::v1::JointState& measured = board_.joints();
  const std::span<const double> q(measured.q_rad().data(),
                                  static_cast<size_t>(measured.q_rad_size()));
  if (q.size() != policy.joints().size()) return 0;  // never measured: a fault of the input
  if (last_.empty()) {
    last_.assign(q.begin(), q.end());
    arm_motion_.Start(q.size(),
                      {measured.qd_radps().data(), static_cast<size_t>(measured.qd_radps_size())});
  }
  tick_.clearance_m = ToolClearanceM(policy, q);
  return ToolBreaches(policy, q, enforcement_.reasons) |
         Contacts(policy, measured, enforcement_.reasons);
}

}  // namespace agent::runtime
