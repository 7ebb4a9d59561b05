#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"
#include "agent/runtime/tool_path.h"

// The `joints` and `arm` parts of a control policy.

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

bool IsEmpty(const v1::LimitSet& set) { return set.ByteSizeLong() == 0; }

absl::StatusOr<JointLimits> CompileJoint(const std::string& path, const std::string& name,
                                         const v1::JointLimit& written) {
  JointLimits joint{.q_min_rad = written.q_min_rad(),
                    .q_max_rad = written.q_max_rad(),
                    .qd_abs_max_radps = written.qd_abs_max_radps(),
                    .qdd_abs_max_radps2 = written.qdd_abs_max_radps2()};
  if (!(std::isfinite(joint.q_min_rad) && std::isfinite(joint.q_max_rad) &&
        joint.q_min_rad < joint.q_max_rad)) {
    return Wrong(path + ".q_max_rad", "must be above q_min_rad (%g), is %g", joint.q_min_rad,
                 joint.q_max_rad);
  }
  for (const auto& [key, end_rad] :
       {std::pair{".q_min_rad", joint.q_min_rad}, {".q_max_rad", joint.q_max_rad}}) {
    if (std::abs(end_rad) <= kMostJointRad) continue;
    return Under("S14", Wrong(path + key,
                              "must be within %g of 0, is %g: no cable is wound up "
                              "further than ten turns",
                              kMostJointRad, end_rad));
  }
  RETURN_IF_ERROR(CheckWithin(path + ".qd_abs_max_radps", joint.qd_abs_max_radps, kMostJointRadps,
                              "the joint could never move"));
  RETURN_IF_ERROR(CheckWithin(path + ".qdd_abs_max_radps2", joint.qdd_abs_max_radps2,
                              kMostJointAccRadps2,
                              "the joint must start, and stop before the end of its range"));
  if (written.has_qddd_abs_max_radps3()) {
    joint.qddd_abs_max_radps3 = written.qddd_abs_max_radps3();
    RETURN_IF_ERROR(CheckWithin(path + ".qddd_abs_max_radps3", joint.qddd_abs_max_radps3,
                                kMostJointJerkRadps3, "the joint could never start"));
  }
  if (written.has_tau_abs_max_nm()) {
    joint.tau_abs_max_nm = written.tau_abs_max_nm();
    joint.contact_reason = absl::StrCat("contact:", name);
    RETURN_IF_ERROR(CheckWithin(path + ".tau_abs_max_nm", written.tau_abs_max_nm(), kMostTorqueNm,
                                "an arm at rest has torques too"));
  }
  return joint;
}

absl::StatusOr<DhLink> CompileLink(const std::string& path, const v1::DhLink& written) {
  if (!std::isfinite(written.a_m()) || !std::isfinite(written.alpha_rad()) ||
      !std::isfinite(written.d_m()) || !std::isfinite(written.theta_offset_rad())) {
    return Wrong(path, "must be finite");
  }
  return DhLink{.a_m = written.a_m(),
                .d_m = written.d_m(),
                .theta_offset_rad = written.theta_offset_rad(),
                .alpha = ExactSinCos(written.alpha_rad())};
}

}  // namespace

absl::Status PolicyCompiler::Joints() {
  const v1::Limits& limits = document_.limits();
  if (!IsEmpty(limits.nominal()) || limits.has_transition() || limits.has_degraded()) {
    return Wrong("limits",
                 "may hold clamp_budget only for command type joints; the limits stand in "
                 "joints");
  }
  for (const std::string& name : policy_.command_.fields) {
    const auto found = document_.joints().find(name);
    if (found == document_.joints().end()) {
      return Wrong("joints", "must have an entry for '%s', which command.fields names", name);
    }
    ASSIGN_OR_RETURN(JointLimits joint,
                     CompileJoint(absl::StrCat("joints.", name), name, found->second));
    policy_.joints_.push_back(std::move(joint));
  }
  if (static_cast<size_t>(document_.joints_size()) != policy_.joints_.size()) {
    return Wrong("joints", "must not limit joints that command.fields does not name");
  }
  return Arm();
}

absl::Status PolicyCompiler::Arm() {
  const v1::ArmRule& written = document_.arm();
  ArmLimits& arm = policy_.arm_;
  RETURN_IF_ERROR(ArmChain());
  arm.tcp_v_max_mps = written.tcp_v_max_mps();
  RETURN_IF_ERROR(CheckWithin("arm.tcp_v_max_mps", arm.tcp_v_max_mps, kMostToolMps,
                              "the tool is what hits first"));
  arm.degraded_scale = written.degraded_scale();
  if (!(arm.degraded_scale > 0 && arm.degraded_scale <= 1)) {
    return Wrong("arm.degraded_scale", "must be above 0 and at most 1, is %g",
                 written.degraded_scale());
  }
  ASSIGN_OR_RETURN(policy_.transition_for_,
                   LongMs("arm.transition_for_ms", written.transition_for_ms(), kLeastTransitionMs,
                          "a swapped model starts gently"));
  arm.joints_trigger = policy_.FindInput("joints")->trigger;
  const bool feels = std::any_of(policy_.joints_.begin(), policy_.joints_.end(),
                                 [](const JointLimits& j) { return j.tau_abs_max_nm.has_value(); });
  if (feels) {
    ASSIGN_OR_RETURN(arm.contact_trigger,
                     Trigger("arm.contact_trigger", written.contact_trigger()));
  } else if (!written.contact_trigger().empty()) {
    return Wrong("arm.contact_trigger", "needs a joint with tau_abs_max_nm: nothing raises it");
  }
  return absl::OkStatus();
}

absl::Status PolicyCompiler::ArmChain() {
  const auto& chain = document_.arm().chain();
  if (static_cast<size_t>(chain.size()) != policy_.joints_.size()) {
    return Wrong("arm.chain", "must have a link for each of the %d joints, has %d",
                 policy_.joints_.size(), chain.size());
  }
  double reach_m = 0;
  for (int i = 0; i < chain.size(); ++i) {
    ASSIGN_OR_RETURN(DhLink link, CompileLink(absl::StrFormat("arm.chain[%d]", i), chain[i]));
    reach_m += std::abs(link.a_m) + std::abs(link.d_m);
    policy_.arm_.chain.push_back(link);
  }
  return CheckFrom("arm.chain", reach_m, kLeastReachM,
                   "so far does it reach, in m; its tool would never move");
}

}  // namespace agent::runtime
