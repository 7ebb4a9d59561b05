#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/server/audit_entry.h"
#include "gatekeeper/server/fleet_core.h"

namespace gatekeeper::server {
namespace {

bool SuitsHardware(const store::Unit& unit, const std::string& hardware) {
  const auto manifest = agent::trust::ParseManifest(unit.papers.manifest());
  return manifest.ok() &&
         std::ranges::find(manifest->hardware(), hardware) != manifest->hardware().end();
}

// Where this rollout found the robot; empty when it never got to it.
std::string PreviousOf(const v1::RolloutState& rollout, const std::string& robot) {
  for (const v1::RolloutRobot& one : rollout.robots()) {
    if (one.robot() == robot && one.touched()) return one.previous_digest();
  }
  return "";
}

}  // namespace

bool FleetCore::Involved(const std::string& robot, const std::string& digest) const {
  const rollout::RobotFacts& facts = facts_.at(robot);
  const v1::ControlReport& control = facts.observed.control();
  const v1::Pointer& pointer = control.pointer();
  return facts.desired.unit_digest() == digest || control.running_digest() == digest ||
         pointer.committed_digest() == digest ||
         (pointer.phase() == v1::ON_TRIAL && pointer.trial_digest() == digest);
}

// The unit of the rollout under way; else of the newest one that some robot still has to do with.
absl::StatusOr<FleetCore::Suspect> FleetCore::FindSuspect(const std::string& fleet,
                                                          const std::string& to_digest) {
  ASSIGN_OR_RETURN(const std::vector<v1::RolloutState> rollouts, store_.Rollouts(fleet));
  const std::vector<std::string> robots = RobotsOf(fleet);
  for (const v1::RolloutState& past : rollouts) {
    const auto active = active_.find(fleet);
    const bool under_way = active != active_.end() && active->second.id() == past.id();
    const bool in_use = std::ranges::any_of(
        robots, [&](const std::string& robot) { return Involved(robot, past.unit_digest()); });
    if (!under_way && (!in_use || past.unit_digest() == to_digest)) continue;
    return Suspect{past.unit_digest(), past.unit_name() + "@" + past.unit_version(), past};
  }
  if (!to_digest.empty()) return Suspect{};  // the person said where to; nobody is suspected
  return absl::FailedPreconditionError(absl::StrFormat(
      "nothing to roll back: no robot of fleet %s has a unit that was rolled out from here; "
      "name the unit to go to",
      fleet));
}

incident::RobotReturn FleetCore::PlanReturn(const std::string& robot, const Suspect& suspect,
                                            const std::optional<store::Unit>& to,
                                            Changes& changes) const {
  const rollout::RobotFacts& facts = facts_.at(robot);
  const v1::ControlReport& control = facts.observed.control();
  const v1::Pointer& pointer = control.pointer();
  incident::RobotReturn plan{.robot = robot,
                             .before_digest = pointer.committed_digest(),
                             .generation = facts.desired.generation()};
  const bool involved = !suspect.digest.empty() && Involved(robot, suspect.digest);
  if (involved) plan.before_digest = suspect.digest;
  plan.wanted_digest = to ? to->digest : pointer.committed_digest();
  if (!to && involved) {
    plan.wanted_digest = PreviousOf(suspect.rollout, robot);
    const bool unknown = plan.wanted_digest.empty() || plan.wanted_digest == suspect.digest;
    if (unknown && pointer.committed_digest() == suspect.digest) {
      plan.wanted_digest = pointer.last_good_digest();
    }
    if (plan.wanted_digest == suspect.digest) plan.wanted_digest = "";
  }
  plan.wanted_unit = TitleOf(plan.wanted_digest);
  const auto refuse = [&plan](const std::string& why) {
    plan.outcome = "refused";
    plan.detail = why;
    return plan;
  };
  const bool nowhere = plan.wanted_digest.empty() && pointer.committed_digest() == suspect.digest;
  if (!to && involved && nowhere) return refuse("it had no unit before this one");
  const store::Unit* wanted = KnownUnit(plan.wanted_digest);
  if (involved && wanted != nullptr && !wanted->held_reason.empty()) {
    return refuse(absl::StrFormat("%s is held: %s", wanted->title(), wanted->held_reason));
  }
  if (to && !SuitsHardware(*to, robots_.at(robot).hardware)) {
    return refuse(absl::StrFormat("%s is not made for its hardware %s", to->title(),
                                  robots_.at(robot).hardware));
  }
  const bool runs_it = control.running_digest() == plan.wanted_digest &&
                       pointer.committed_digest() == plan.wanted_digest &&
                       pointer.phase() != v1::ON_TRIAL;
  const bool wants_other =
      facts.desired.generation() > 0 && facts.desired.unit_digest() != plan.wanted_digest;
  if (!involved && runs_it && !wants_other) {
    const bool took_in = facts.observed.generation() >= facts.desired.generation();
    if (!facts.connected || !took_in) return plan;  // its word is old: its next one is awaited
    plan.outcome = "already";
    plan.running_digest = control.running_digest();
    return plan;
  }
  if (!involved && !to) return plan;  // not touched: it is only asked what it runs
  const bool told = facts.desired.rollback() && facts.desired.unit_digest() == plan.wanted_digest;
  if (told) return plan;
  const v1::Stage stage = plan.wanted_digest.empty() ? v1::STAGE_IDLE : v1::STAGE_COMMIT;
  changes.desired[robot] = NextDesired({.robot = robot,
                                        .digest = plan.wanted_digest,
                                        .stage = stage,
                                        .lease_ms = 0,
                                        .rollback = true,
                                        .reason = changes.hold_reason},
                                       "");
  plan.generation = changes.desired[robot].generation();
  return plan;
}

std::string FleetCore::OpenRollbackOf(const std::string& fleet) const {
  for (const auto& [id, facts] : open_incidents_) {
    if (facts.fleet == fleet && facts.kind == "rollback") return id;
  }
  return "";
}

absl::StatusOr<std::string> FleetCore::Rollback(const v1::RollbackRequest& request,
                                                const std::string& actor, Moment now) {
  const std::string& fleet = request.fleet();
  if (!fleets_.contains(fleet)) {
    return absl::NotFoundError(absl::StrFormat("there is no fleet %s", fleet));
  }
  if (request.reason().empty()) return absl::InvalidArgumentError("a reason must be given");
  std::optional<store::Unit> to;
  if (!request.to_unit().empty()) {
    ASSIGN_OR_RETURN(to, store_.ResolveUnit(request.to_unit()));
    if (!to->held_reason.empty()) {
      return absl::FailedPreconditionError(absl::StrFormat(
          "%s is held (%s); it must be released by name first", to->title(), to->held_reason));
    }
  }
  ASSIGN_OR_RETURN(const Suspect suspect, FindSuspect(fleet, to ? to->digest : ""));
  if (to && to->digest == suspect.digest) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s is what is being rolled out; name the unit to go back to", to->title()));
  }
  Changes changes;
  changes.hold_reason = absl::StrFormat("rolled back by %s: %s", actor, request.reason());
  incident::Facts facts{
      .fleet = fleet,
      .kind = "rollback",
      .actor = actor,
      .reason = request.reason(),
      .rollout = suspect.rollout.id(),
      .unit = suspect.title,
      .unit_digest = suspect.digest,
      .began_ms =
          std::min(suspect.rollout.started_ms() > 0 ? suspect.rollout.started_ms() : now.wall_ms,
                   now.wall_ms),
      .opened_ms = now.wall_ms};
  for (const std::string& robot : RobotsOf(fleet)) {
    facts.robots.push_back(PlanReturn(robot, suspect, to, changes));
  }
  const auto active = active_.find(fleet);
  const bool takes_over = active != active_.end();
  if (changes.desired.empty() && !takes_over) {
    if (const std::string open = OpenRollbackOf(fleet); !open.empty()) return open;
    const bool refused = std::ranges::any_of(
        facts.robots, [](const incident::RobotReturn& r) { return r.outcome == "refused"; });
    return absl::FailedPreconditionError(absl::StrFormat(
        "nothing to roll back to for fleet %s: %s", fleet,
        refused
            ? std::ranges::find(facts.robots, "refused", &incident::RobotReturn::outcome)->detail
            : "every robot has its order already"));
  }
  facts.title = absl::StrFormat("Fleet %s rolled back %s%s", fleet,
                                suspect.title.empty() ? "" : "from " + suspect.title,
                                to ? " to " + to->title() : "");
  ASSIGN_OR_RETURN(facts.id, store_.NextId("incident"));
  facts.metrics = MetricsOf(RobotsOf(fleet));
  if (takes_over) {
    changes.rollout = rollout::Supersede(
        active->second, absl::StrFormat("%s (%s)", changes.hold_reason, facts.id), now.ms);
    changes.rollout->set_ended_ms(now.wall_ms);
    if (changes.rollout->incident().empty()) changes.rollout->set_incident(facts.id);
  }
  changes.audit.push_back(AuditEntryOf(actor, "fleet.rollback", fleet,
                                       absl::StrFormat("%s: %s; %d robots told", facts.title,
                                                       request.reason(), changes.desired.size()),
                                       now));
  if (!suspect.digest.empty()) {
    changes.hold_digest = suspect.digest;
    changes.audit.push_back(
        AuditEntryOf(actor, "unit.hold", suspect.title, changes.hold_reason, now));
  }
  changes.audit.push_back(AuditEntryOf(actor, "incident.open", facts.id, facts.title, now));
  const std::string id = facts.id;
  changes.incident = std::move(facts);
  RETURN_IF_ERROR(Commit(changes));
  return id;
}

}  // namespace gatekeeper::server
