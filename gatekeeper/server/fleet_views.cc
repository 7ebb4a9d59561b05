#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/server/fleet_core.h"

namespace gatekeeper::server {

v1::RobotView FleetCore::ViewRobot(const std::string& robot, Moment now) const {
  v1::RobotView view;
  view.set_robot(robot);
  view.set_hardware(robots_.at(robot).hardware);
  const rollout::RobotFacts& facts = facts_.at(robot);
  view.set_connected(facts.connected);
  const auto contact = contact_ms_.find(robot);
  view.set_seen_s_ago(
      contact == contact_ms_.end() ? -1 : static_cast<double>(now.ms - contact->second) / 1000);
  *view.mutable_desired() = facts.desired;
  *view.mutable_observed() = facts.observed;
  view.set_running_name(TitleOf(facts.observed.control().running_digest()));
  return view;
}

std::string FleetCore::WhereIs(const std::string& robot) const {
  const auto found = facts_.find(robot);
  if (found == facts_.end() || !found->second.connected) {
    return "not connected; the order stands and is given when it returns";
  }
  const v1::ObservedState& seen = found->second.observed;
  if (!seen.has_control()) return "connected, but gatekeeper-control does not answer";
  const std::string& digest = seen.control().running_digest();
  const std::string unit = TitleOf(digest);
  return absl::StrFormat("connected, reports %s running in %s",
                         digest.empty() ? "no unit"
                         : unit.empty() ? digest.substr(0, 12)
                                        : unit,
                         seen.control().fallback_state());
}

absl::StatusOr<v1::FleetView> FleetCore::ViewFleet(const std::string& fleet, Moment now) const {
  if (!fleets_.contains(fleet)) {
    return absl::NotFoundError(absl::StrFormat("there is no fleet %s", fleet));
  }
  v1::FleetView view;
  view.set_fleet(fleet);
  for (const std::string& robot : RobotsOf(fleet)) *view.add_robots() = ViewRobot(robot, now);
  const auto active = active_.find(fleet);
  if (active != active_.end()) *view.mutable_active_rollout() = active->second;
  return view;
}

v1::FleetList FleetCore::ListFleets() const {
  v1::FleetList list;
  for (const std::string& fleet : fleets_) list.add_names(fleet);
  return list;
}

absl::StatusOr<v1::UnitList> FleetCore::ListUnits() {
  ASSIGN_OR_RETURN(const std::vector<store::Unit> units, store_.Units());
  v1::UnitList list;
  for (const store::Unit& unit : units) {
    v1::UnitView& view = *list.add_units();
    view.set_digest(unit.digest);
    view.set_name(unit.name);
    view.set_version(unit.version);
    view.set_pushed_ms(unit.pushed_ms);
    view.set_held_reason(unit.held_reason);
  }
  return list;
}

absl::StatusOr<v1::AuditList> FleetCore::ReadAudit(uint64_t after_seq) {
  constexpr int kPage = 1000;  // entries a call; the caller goes on after the last it got
  RETURN_IF_ERROR(store_.VerifyAudit());
  ASSIGN_OR_RETURN(const std::vector<v1::AuditEntry> entries, store_.ReadAudit(after_seq, kPage));
  v1::AuditList list;
  for (const v1::AuditEntry& entry : entries) *list.add_entries() = entry;
  return list;
}

absl::StatusOr<v1::RolloutView> FleetCore::ViewRollout(const v1::GetRolloutRequest& request,
                                                       Moment now) {
  v1::RolloutView view;
  if (!request.id().empty()) {
    ASSIGN_OR_RETURN(*view.mutable_state(), store_.FindRollout(request.id()));
  } else {
    ASSIGN_OR_RETURN(const std::vector<v1::RolloutState> all, store_.Rollouts(request.fleet()));
    if (all.empty()) {
      return absl::NotFoundError(absl::StrFormat("fleet %s has had no rollout", request.fleet()));
    }
    *view.mutable_state() = all.front();
  }
  const auto active = active_.find(view.state().fleet());
  if (active != active_.end() && active->second.id() == view.state().id()) {
    *view.mutable_state() = active->second;  // with the stretches that are not written down
    view.set_waiting_for(rollout::WaitingFor(active->second, facts_, now.ms));
  }
  for (const v1::RolloutRobot& robot : view.state().robots()) {
    if (robots_.contains(robot.robot())) *view.add_robots() = ViewRobot(robot.robot(), now);
  }
  return view;
}

}  // namespace gatekeeper::server
