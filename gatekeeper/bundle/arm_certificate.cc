#include "gatekeeper/bundle/arm_certificate.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/arm_limits.h"
#include "agent/runtime/policy_compiler.h"
#include "gatekeeper/bundle/capability_checks.h"
#include "gatekeeper/bundle/flat_document.h"

namespace gatekeeper::bundle {
namespace {

using agent::runtime::CheckPositive;
using agent::runtime::Wrong;

constexpr char kWhyArm[] = "a certificate says what the arm can do";

absl::Status CheckJoint(const v1::CertifiedJoint& joint, const std::string& path) {
  const v1::DhLink& link = joint.link();
  for (const double number : {link.a_m(), link.alpha_rad(), link.d_m(), link.theta_offset_rad()}) {
    if (!std::isfinite(number)) return Wrong(path + ".link", "must have finite numbers");
  }
  if (!joint.has_link()) return Wrong(path + ".link", "must be given: %s", kWhyArm);
  if (!joint.has_limits()) return Wrong(path + ".limits", "must be given: %s", kWhyArm);
  const v1::JointLimit& limits = joint.limits();
  const std::string of = path + ".limits.";
  const bool has_room = std::isfinite(limits.q_min_rad()) && std::isfinite(limits.q_max_rad()) &&
                        limits.q_min_rad() < limits.q_max_rad();
  if (!has_room) {
    return Wrong(of + "q_max_rad", "must be above q_min_rad (%g), is %g", limits.q_min_rad(),
                 limits.q_max_rad());
  }
  RETURN_IF_ERROR(CheckPositive(of + "qd_abs_max_radps", limits.qd_abs_max_radps(), kWhyArm));
  RETURN_IF_ERROR(CheckPositive(of + "qdd_abs_max_radps2", limits.qdd_abs_max_radps2(), kWhyArm));
  if (limits.has_qddd_abs_max_radps3()) {
    RETURN_IF_ERROR(
        CheckPositive(of + "qddd_abs_max_radps3", limits.qddd_abs_max_radps3(), kWhyArm));
  }
  if (!limits.has_tau_abs_max_nm()) return absl::OkStatus();
  return CheckPositive(of + "tau_abs_max_nm", limits.tau_abs_max_nm(), kWhyArm);
}

std::vector<std::string> IdsOf(const v1::Capability& arm) {
  std::vector<std::string> ids;
  for (const v1::CertifiedJoint& joint : arm.joints()) ids.push_back(joint.id());
  return ids;
}

class ArmChecks {
 public:
  ArmChecks(const v1::ControlPolicy& policy, const std::string& name, const v1::Capability& arm)
      : policy_(policy), name_(name), arm_(arm) {}

  std::vector<Finding> Run() {
    if (arm_.joints().empty()) {
      Add("command.type", absl::StrFormat("must be twist2d: '%s' is certified for wheels, and for "
                                          "no joints",
                                          name_));
      return std::move(found_);
    }
    const auto& fields = policy_.command().fields();
    const std::vector<std::string> ids = IdsOf(arm_);
    if (!std::equal(fields.begin(), fields.end(), ids.begin(), ids.end())) {
      Add("command.fields", absl::StrFormat("must be the joints of '%s' from its foot on: %s",
                                            name_, absl::StrJoin(ids, ", ")));
      return std::move(found_);
    }
    for (int i = 0; i < arm_.joints_size(); ++i) CheckLink(i);
    for (const v1::CertifiedJoint& joint : arm_.joints()) CheckLimits(joint);
    AtMost("arm.tcp_v_max_mps", policy_.arm().tcp_v_max_mps(), arm_.tcp_v_max_mps());
    return std::move(found_);
  }

 private:
  // To the last bit: the tool stands where its chain says.
  void CheckLink(int i) {
    const v1::DhLink& certified = arm_.joints(i).link();
    const v1::DhLink& link = policy_.arm().chain(i);
    const std::tuple<const char*, double, double> numbers[] = {
        {"a_m", link.a_m(), certified.a_m()},
        {"alpha_rad", link.alpha_rad(), certified.alpha_rad()},
        {"d_m", link.d_m(), certified.d_m()},
        {"theta_offset_rad", link.theta_offset_rad(), certified.theta_offset_rad()}};
    for (const auto& [key, is, must] : numbers) {
      if (is == must) continue;
      Add(absl::StrFormat("arm.chain[%d].%s", i, key),
          absl::StrFormat("must be %s, as the link of joint '%s' of '%s' has it, is %s",
                          Number(must), arm_.joints(i).id(), name_, Number(is)));
    }
  }

  void CheckLimits(const v1::CertifiedJoint& joint) {
    const v1::JointLimit& certified = joint.limits();
    const v1::JointLimit& limits = policy_.joints().at(joint.id());
    const std::string of = absl::StrCat("joints.", joint.id(), ".");
    if (limits.q_min_rad() < certified.q_min_rad()) {
      found_.push_back(
          BeyondCertificate(of + "q_min_rad", limits.q_min_rad(), name_, certified.q_min_rad()));
    }
    AtMost(of + "q_max_rad", limits.q_max_rad(), certified.q_max_rad());
    AtMost(of + "qd_abs_max_radps", limits.qd_abs_max_radps(), certified.qd_abs_max_radps());
    AtMost(of + "qdd_abs_max_radps2", limits.qdd_abs_max_radps2(), certified.qdd_abs_max_radps2());
    if (certified.has_qddd_abs_max_radps3()) {
      Given(of + "qddd_abs_max_radps3", limits.has_qddd_abs_max_radps3(),
            limits.qddd_abs_max_radps3(), certified.qddd_abs_max_radps3());
    }
    if (certified.has_tau_abs_max_nm()) {
      Given(of + "tau_abs_max_nm", limits.has_tau_abs_max_nm(), limits.tau_abs_max_nm(),
            certified.tau_abs_max_nm());
    }
  }

  void Given(const std::string& path, bool given, double asked, double certified) {
    if (given) return AtMost(path, asked, certified);
    Add(path, absl::StrFormat("must be given: '%s' is certified for %s", name_, Number(certified)));
  }
  void AtMost(const std::string& path, double asked, double certified) {
    if (asked > certified) found_.push_back(BeyondCertificate(path, asked, name_, certified));
  }
  void Add(const std::string& path, const std::string& message) {
    found_.push_back({"S9", path, message});
  }

  const v1::ControlPolicy& policy_;
  const std::string& name_;
  const v1::Capability& arm_;
  std::vector<Finding> found_;
};

}  // namespace

absl::Status CheckArmCertificate(const v1::Capability& arm, const std::string& path) {
  v1::Capability rest = arm;
  rest.clear_robot_class();
  rest.clear_joints();
  rest.clear_tcp_v_max_mps();
  if (rest.ByteSizeLong() != 0) {
    return Wrong(path, "must give an arm's joints and tcp_v_max_mps: other numbers are of wheels");
  }
  if (arm.joints().empty() || static_cast<size_t>(arm.joints_size()) > agent::runtime::kMaxJoints) {
    return Wrong(path + ".joints", "must be 1 to %d joints, from the foot on; are %d",
                 agent::runtime::kMaxJoints, arm.joints_size());
  }
  std::set<std::string> ids;
  for (int i = 0; i < arm.joints_size(); ++i) {
    const std::string of = absl::StrFormat("%s.joints[%d]", path, i);
    const std::string& id = arm.joints(i).id();
    if (id.empty() || !ids.insert(id).second) {
      return Wrong(of + ".id", "must be given, and be another one for each joint; is '%s'", id);
    }
    RETURN_IF_ERROR(CheckJoint(arm.joints(i), of));
  }
  return CheckPositive(path + ".tcp_v_max_mps", arm.tcp_v_max_mps(), kWhyArm);
}

std::vector<Finding> CheckArm(const v1::ControlPolicy& policy, const std::string& name,
                              const v1::Capability& arm) {
  return ArmChecks(policy, name, arm).Run();
}

}  // namespace gatekeeper::bundle
