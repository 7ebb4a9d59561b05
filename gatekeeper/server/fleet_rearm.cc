// What people say to a robot that stands: acknowledging, and approving the end of an emergency
// stop.

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/server/fleet_core.h"

namespace gatekeeper::server {
namespace {

namespace trust = ::agent::trust;

absl::Status CheckReason(const std::string& reason) {
  if (!reason.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("a reason must be given: who looked, and what was found");
}

absl::Status NothingToApprove(const std::string& robot, bool latched) {
  return absl::FailedPreconditionError(
      robot + (latched ? " has latched an emergency stop but asks for no approvals yet: it still "
                         "brakes, or its unit is being loaded"
                       : " reports no latched stop: nothing waits for re-arm"));
}

// Whoever approves in one role stands in no other.
absl::Status CheckAlone(const trust::Approver& approver, std::span<const trust::Approver> others) {
  for (const trust::Approver& other : others) {
    if (other.role == approver.role || !trust::SamePerson(other.name, approver.name)) continue;
    return absl::PermissionDeniedError(
        absl::StrFormat("'%s' has approved already, as %s; the role of %s wants another person",
                        approver.name, other.role, approver.role));
  }
  return absl::OkStatus();
}

}  // namespace

// Facts of a robot that hears what is said to it.
absl::StatusOr<const rollout::RobotFacts*> FleetCore::Attending(const std::string& robot) const {
  const auto found = facts_.find(robot);
  if (found == facts_.end()) {
    return absl::NotFoundError(absl::StrFormat("there is no robot %s", robot));
  }
  if (found->second.connected) return &found->second;
  return absl::FailedPreconditionError(absl::StrFormat(
      "%s is not connected; what is said to a stopped robot is never kept for later", robot));
}

absl::Status FleetCore::AcknowledgeRobot(const v1::AcknowledgeRobotRequest& request,
                                         const std::string& actor, Moment now) {
  RETURN_IF_ERROR(CheckReason(request.reason()));
  ASSIGN_OR_RETURN(const rollout::RobotFacts* facts, Attending(request.robot()));
  const v1::ControlReport& control = facts->observed.control();
  if (control.latched()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s has latched an emergency stop: that is not acknowledged but re-armed",
                        request.robot()));
  }
  if (control.triggers().empty()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s reports no trigger: nothing is to be acknowledged", request.robot()));
  }
  RETURN_IF_ERROR(Record(actor, "robot.acknowledge", request.robot(), request.reason(), now));
  v1::Acknowledge& acknowledge =
      *outgoing_.emplace_back(Outgoing{request.robot(), {}}).message.mutable_acknowledge();
  acknowledge.set_actor(actor);
  acknowledge.set_reason(request.reason());
  return absl::OkStatus();
}

// Those given to a challenge that has been replaced count no more.
const FleetCore::Approvals* FleetCore::ApprovalsFor(const std::string& robot) const {
  const auto found = approvals_.find(robot);
  const auto facts = facts_.find(robot);
  if (found == approvals_.end() || facts == facts_.end()) return nullptr;
  const v1::RearmChallenge& present = facts->second.observed.control().rearm();
  const v1::RearmChallenge& answered = found->second.challenge;
  const bool same = answered.nonce() == present.nonce() && answered.unit() == present.unit();
  return same ? &found->second : nullptr;
}

absl::StatusOr<v1::RearmView> FleetCore::ViewRearm(const std::string& robot) const {
  ASSIGN_OR_RETURN(const rollout::RobotFacts* facts, Attending(robot));
  const v1::ControlReport& control = facts->observed.control();
  v1::RearmView view;
  view.set_robot(robot);
  view.set_latched(control.latched());
  view.set_refused(control.rearm_refused());
  if (!control.has_rearm()) return view;
  const v1::RearmChallenge& challenge = control.rearm();
  *view.mutable_challenge() = challenge;
  const int64_t age_ms = control.uptime_ms() - challenge.since_uptime_ms();
  view.set_left_ms(std::max<int64_t>(challenge.ttl_ms() - age_ms, 0));
  std::vector<trust::Approver> approvers;
  if (const Approvals* given = ApprovalsFor(robot)) approvers = given->approvers;
  for (const trust::Approver& approver : approvers) {
    v1::RearmApprover& one = *view.add_approved();
    one.set_role(approver.role);
    one.set_name(approver.name);
  }
  for (const std::string& role : trust::MissingRoles(challenge, approvers)) view.add_missing(role);
  return view;
}

absl::StatusOr<v1::RearmView> FleetCore::ApproveRearm(const v1::ApproveRearmRequest& request,
                                                      const trust::TrustPolicy& trust,
                                                      const std::string& actor, Moment now) {
  const std::string& robot = request.robot();
  RETURN_IF_ERROR(CheckReason(request.reason()));
  ASSIGN_OR_RETURN(const rollout::RobotFacts* facts, Attending(robot));
  const v1::ControlReport& control = facts->observed.control();
  if (!control.has_rearm()) return NothingToApprove(robot, control.latched());
  const v1::RearmChallenge& challenge = control.rearm();
  if (challenge.robot() != robot) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s asks for approvals in the name of '%s': enrol it anew", robot, challenge.robot()));
  }
  ASSIGN_OR_RETURN(const trust::Approver approver,
                   trust::OpenRearmApproval(challenge, request.approval(), trust));
  const Approvals* given = ApprovalsFor(robot);
  Approvals next = given != nullptr ? *given : Approvals{challenge, {}, {}};
  RETURN_IF_ERROR(CheckAlone(approver, next.approvers));
  const auto place = std::ranges::find(next.approvers, approver.role, &trust::Approver::role);
  const auto at = static_cast<size_t>(place - next.approvers.begin());
  next.approvers.resize(std::max(next.approvers.size(), at + 1));
  next.bundles.resize(next.approvers.size());
  next.approvers[at] = approver;
  next.bundles[at] = request.approval();
  RETURN_IF_ERROR(Record(actor, "robot.rearm", robot,
                         absl::StrFormat("%s as %s, incident %s: %s", approver.name, approver.role,
                                         challenge.incident(), request.reason()),
                         now));
  if (trust::MissingRoles(challenge, next.approvers).empty()) {
    v1::Rearm& rearm = *outgoing_.emplace_back(Outgoing{robot, {}}).message.mutable_rearm();
    rearm.set_reason(request.reason());
    for (const std::string& bundle : next.bundles) rearm.add_approvals(bundle);
  }
  approvals_[robot] = std::move(next);
  return ViewRearm(robot);
}

}  // namespace gatekeeper::server
