#include "agent/runtime/arm_contact.h"

#include <cmath>

namespace agent::runtime {

TriggerMask Contacts(const Policy& policy, const gatekeeper::v1::JointState& joints,
                     std::vector<std::string_view>& reasons) {
  const ArmLimits& arm = policy.arm();
  if (!arm.contact_trigger) return 0;
  if (static_cast<size_t>(joints.tau_nm_size()) != policy.joints().size()) {
    reasons.push_back("input:joints:no_torque");
    return MaskOf(arm.joints_trigger);
  }
  TriggerMask raised = 0;
  for (size_t i = 0; i < policy.joints().size(); ++i) {
    const JointLimits& joint = policy.joints()[i];
    if (!joint.tau_abs_max_nm) continue;
    // Written so that a torque that is not a number is a contact.
    if (std::abs(joints.tau_nm(static_cast<int>(i))) <= *joint.tau_abs_max_nm) continue;
    raised |= MaskOf(*arm.contact_trigger);
    reasons.push_back(joint.contact_reason);
  }
  return raised;
}

}  // namespace agent::runtime
