#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/rollout/plan.h"
#include "gatekeeper/server/audit_entry.h"
#include "gatekeeper/server/fleet_core.h"

namespace gatekeeper::server {
namespace {

constexpr char kSelf[] = "gatekeeper";  // the actor of what nobody ordered

}  // namespace

absl::Status FleetCore::CheckTarget(const store::Unit& unit, const std::string& fleet) const {
  ASSIGN_OR_RETURN(const v1::Manifest manifest,
                   agent::trust::ParseManifest(unit.papers.manifest()));
  for (const std::string& robot : RobotsOf(fleet)) {
    const std::string& hardware = robots_.at(robot).hardware;
    if (std::ranges::find(manifest.hardware(), hardware) != manifest.hardware().end()) continue;
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s is not made for hardware %s of robot %s", unit.title(), hardware, robot));
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::RolloutState> FleetCore::StartRollout(const v1::StartRolloutRequest& request,
                                                         const std::string& actor, Moment now) {
  const std::string& fleet = request.fleet();
  if (!fleets_.contains(fleet)) {
    return absl::NotFoundError(absl::StrFormat("there is no fleet %s", fleet));
  }
  RETURN_IF_ERROR(rollout::CheckPlan(request.plan()));
  ASSIGN_OR_RETURN(const store::Unit unit, store_.ResolveUnit(request.unit()));
  if (!unit.held_reason.empty()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s is held (%s); it must be released by name first", unit.title(), unit.held_reason));
  }
  if (const auto active = active_.find(fleet); active != active_.end()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s of %s@%s is under way on fleet %s (%s); wait, abort it, or roll the fleet back",
        active->second.id(), active->second.unit_name(), active->second.unit_version(), fleet,
        v1::RolloutPhase_Name(active->second.phase())));
  }
  RETURN_IF_ERROR(CheckTarget(unit, fleet));
  sound_steps_.clear();  // what two people allowed may have run out since
  RETURN_IF_ERROR(CheckSteps(unit, RobotsOf(fleet), now.wall_ms));
  rollout::NewRollout wanted{.id = "",
                             .fleet = fleet,
                             .unit_digest = unit.digest,
                             .unit_name = unit.name,
                             .unit_version = unit.version,
                             .actor = actor,
                             .plan = request.plan(),
                             .robots = RobotsOf(fleet)};
  RETURN_IF_ERROR(rollout::Begin(wanted, now.ms, now.wall_ms).status());
  ASSIGN_OR_RETURN(wanted.id, store_.NextId("rollout"));
  Changes changes;
  ASSIGN_OR_RETURN(changes.rollout, rollout::Begin(wanted, now.ms, now.wall_ms));
  changes.audit.push_back(AuditEntryOf(
      actor, "rollout.start", wanted.id,
      absl::StrFormat("%s to fleet %s by plan %s", unit.title(), fleet, request.plan().id()), now));
  RETURN_IF_ERROR(Commit(changes));
  RETURN_IF_ERROR(MoveRollout(fleet, now));
  return active_.at(fleet);
}

absl::StatusOr<v1::RolloutState> FleetCore::AbortRollout(const v1::AbortRolloutRequest& request,
                                                         const std::string& actor, Moment now) {
  if (request.reason().empty()) return absl::InvalidArgumentError("a reason must be given");
  ASSIGN_OR_RETURN(const v1::RolloutState stored, store_.FindRollout(request.id()));
  const auto active = active_.find(stored.fleet());
  if (active == active_.end() || active->second.id() != request.id()) {
    return absl::FailedPreconditionError(absl::StrFormat("%s has ended already (%s)", request.id(),
                                                         v1::RolloutPhase_Name(stored.phase())));
  }
  if (active->second.phase() == v1::ABORTING) return active->second;
  const std::string reason = absl::StrFormat("aborted by %s: %s", actor, request.reason());
  RETURN_IF_ERROR(Apply(rollout::Abort(active->second, reason, now.ms), actor, now));
  RETURN_IF_ERROR(MoveRollout(stored.fleet(), now));
  return store_.FindRollout(request.id());
}

absl::Status FleetCore::MoveRollout(const std::string& fleet, Moment now) {
  // Each step may open the way for the next one at once: arrivals, then their reports.
  constexpr int kMostSteps = 4;
  for (int i = 0; i < kMostSteps; ++i) {
    const auto active = active_.find(fleet);
    if (active == active_.end()) return absl::OkStatus();
    if (const absl::Status steps = CheckArrivals(active->second); !steps.ok()) {
      if (!absl::IsFailedPrecondition(steps)) return steps;
      const std::string reason(steps.message());
      RETURN_IF_ERROR(Apply(rollout::Abort(active->second, reason, now.ms), kSelf, now));
      continue;
    }
    rollout::Next next = rollout::Step(active->second, facts_, now.ms);
    if (next.actions.empty()) {
      active->second = std::move(next.state);
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(Apply(next, kSelf, now));
  }
  return absl::OkStatus();
}

absl::Status FleetCore::Apply(const rollout::Next& next, const std::string& actor, Moment now) {
  Changes changes;
  changes.rollout = next.state;
  v1::RolloutState& state = *changes.rollout;
  if (rollout::IsFinal(state.phase())) state.set_ended_ms(now.wall_ms);
  std::string incident_title;
  for (const rollout::Action& action : next.actions) {
    if (const auto* order = std::get_if<rollout::SetDesired>(&action)) {
      changes.desired[order->robot] = NextDesired(*order, state.id());
    } else if (const auto* opened = std::get_if<rollout::OpenIncident>(&action)) {
      incident_title = opened->title;
    } else if (const auto* hold = std::get_if<rollout::HoldUnit>(&action)) {
      changes.hold_digest = state.unit_digest();
      changes.hold_reason = absl::StrFormat("%s: %s", state.id(), hold->reason);
      changes.audit.push_back(AuditEntryOf(kSelf, "unit.hold",
                                           state.unit_name() + "@" + state.unit_version(),
                                           changes.hold_reason, now));
    } else if (const auto* note = std::get_if<rollout::Note>(&action)) {
      changes.audit.push_back(AuditEntryOf(actor, "rollout." + v1::RolloutPhase_Name(state.phase()),
                                           state.id(), note->text, now));
    }
  }
  if (!incident_title.empty()) {
    incident::Facts facts = CanaryFacts(state, incident_title, changes, now);
    ASSIGN_OR_RETURN(facts.id, store_.NextId("incident"));
    facts.actor = actor;
    state.set_incident(facts.id);
    changes.audit.push_back(AuditEntryOf(kSelf, "incident.open", facts.id, facts.title, now));
    changes.incident = std::move(facts);
  }
  return Commit(changes);
}

incident::Facts FleetCore::CanaryFacts(const v1::RolloutState& state, const std::string& title,
                                       const Changes& changes, Moment now) const {
  incident::Facts facts{.id = "",
                        .fleet = state.fleet(),
                        .kind = "canary_abort",
                        .title = title,
                        .actor = kSelf,
                        .reason = state.reason(),
                        .rollout = state.id(),
                        .unit = state.unit_name() + "@" + state.unit_version(),
                        .unit_digest = state.unit_digest(),
                        .began_ms = state.started_ms(),
                        .opened_ms = now.wall_ms};
  std::vector<std::string> robots;
  for (const auto& [robot, desired] : changes.desired) {
    facts.robots.push_back({.robot = robot,
                            .before_digest = state.unit_digest(),
                            .wanted_digest = desired.unit_digest(),
                            .wanted_unit = TitleOf(desired.unit_digest()),
                            .generation = desired.generation()});
    robots.push_back(robot);
  }
  if (facts.robots.empty()) facts.ended_ms = now.wall_ms;
  facts.metrics = MetricsOf(robots);
  return facts;
}

}  // namespace gatekeeper::server
