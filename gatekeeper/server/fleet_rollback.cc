#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
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

using Groups = std::map<std::string, std::vector<std::string>>;  // what is said -> of which robots

// The first few by name: an error is one line, fleets are long.
std::string Listed(const std::vector<std::string>& robots) {
  constexpr size_t kNamed = 5;
  const auto end = robots.begin() + static_cast<std::ptrdiff_t>(std::min(kNamed, robots.size()));
  std::string text = absl::StrJoin(robots.begin(), end, ", ");
  if (robots.size() > kNamed) absl::StrAppendFormat(&text, " and %d more", robots.size() - kNamed);
  return text;
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

const v1::Pointer& FleetCore::PointerOf(const std::string& robot) const {
  return facts_.at(robot).observed.control().pointer();
}

bool FleetCore::WasInService(const std::string& robot, const std::string& digest) const {
  const auto served = served_.find(robot);
  return PointerOf(robot).committed_digest() == digest ||
         (served != served_.end() && served->second.contains(digest));
}

absl::Status FleetCore::CheckReturnTo(const store::Unit& to, const std::string& fleet) const {
  const std::vector<std::string> robots = RobotsOf(fleet);
  const bool is_home = std::ranges::any_of(robots, [&](const std::string& robot) {
    return PointerOf(robot).committed_digest() == to.digest;
  });
  if (!to.held_reason.empty() && !is_home) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s is held (%s); it must be released by name first", to.title(), to.held_reason));
  }
  const bool known = std::ranges::any_of(
      robots, [&](const std::string& robot) { return WasInService(robot, to.digest); });
  if (known) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrFormat(
      "%s was never in service on fleet %s; roll it out instead", to.title(), fleet));
}

// Empty: nowhere in particular, the robot is only to let go.
std::string FleetCore::GoalOf(const std::string& robot, const WayBack& way) const {
  if (way.to) return way.to->digest;
  const std::string& suspect = way.suspect.digest;
  const v1::Pointer& pointer = PointerOf(robot);
  if (!Involved(robot, suspect)) return pointer.committed_digest();
  const std::string previous = PreviousOf(way.suspect.rollout, robot);
  if (!previous.empty() && previous != suspect) return previous;
  if (pointer.committed_digest() != suspect) return pointer.committed_digest();
  return pointer.last_good_digest() == suspect ? "" : pointer.last_good_digest();
}

// Why the robot cannot go there; empty: it can.
std::string FleetCore::ObstacleOf(const std::string& robot, const WayBack& way,
                                  const std::string& goal) const {
  const std::string& committed = PointerOf(robot).committed_digest();
  if (goal == committed) return "";  // to stay is no installation
  if (goal.empty()) {
    const bool let_go = committed != way.suspect.digest;
    return let_go ? "" : absl::StrFormat("there was no unit before %s", way.suspect.title);
  }
  const store::Unit* unit = KnownUnit(goal);
  if (unit == nullptr) return "";  // the robot had it before this gatekeeper knew any
  if (!unit->held_reason.empty()) {
    return absl::StrFormat("%s is held (%s)", unit->title(), unit->held_reason);
  }
  if (!way.to) return "";
  const std::string& hardware = robots_.at(robot).hardware;
  if (!SuitsHardware(*way.to, hardware)) {
    return absl::StrFormat("%s is not made for its hardware %s", unit->title(), hardware);
  }
  if (WasInService(robot, goal)) return "";
  return absl::StrFormat("%s was never in service on it; roll it out instead", unit->title());
}

void FleetCore::TellToReturn(const std::string& robot, const std::string& digest,
                             Changes& changes) const {
  const v1::DesiredState& desired = facts_.at(robot).desired;
  if (desired.rollback() && desired.unit_digest() == digest) return;  // told already
  changes.desired[robot] = NextDesired({.robot = robot,
                                        .digest = digest,
                                        .stage = digest.empty() ? v1::STAGE_IDLE : v1::STAGE_COMMIT,
                                        .lease_ms = 0,
                                        .rollback = true,
                                        .reason = changes.hold_reason},
                                       "");
}

incident::RobotReturn FleetCore::PlanReturn(const std::string& robot, const WayBack& way,
                                            Changes& changes) const {
  const rollout::RobotFacts& facts = facts_.at(robot);
  const v1::ControlReport& control = facts.observed.control();
  const std::string& committed = control.pointer().committed_digest();
  const std::string& suspect = way.suspect.digest;
  const bool involved = !suspect.empty() && Involved(robot, suspect);
  const std::string goal = GoalOf(robot, way);
  incident::RobotReturn plan{.robot = robot,
                             .before_digest = involved ? suspect : committed,
                             .wanted_digest = goal,
                             .wanted_unit = TitleOf(goal),
                             .generation = facts.desired.generation()};
  if (const std::string obstacle = ObstacleOf(robot, way, goal); !obstacle.empty()) {
    plan.outcome = "refused";
    plan.detail = obstacle;
    if (involved && committed != suspect) TellToReturn(robot, committed, changes);
    return plan;
  }
  const bool runs_it = control.running_digest() == goal && committed == goal &&
                       control.pointer().phase() != v1::ON_TRIAL;
  const bool wants_other = facts.desired.generation() > 0 && facts.desired.unit_digest() != goal;
  if (!involved && runs_it && !wants_other) {
    const bool took_in = facts.observed.generation() >= facts.desired.generation();
    if (!facts.connected || !took_in) return plan;  // its word is old: its next one is awaited
    plan.outcome = "already";
    plan.running_digest = control.running_digest();
    return plan;
  }
  if (!involved && !way.to) return plan;  // not touched: it is only asked what it runs
  TellToReturn(robot, goal, changes);
  const auto told = changes.desired.find(robot);
  if (told != changes.desired.end()) plan.generation = told->second.generation();
  return plan;
}

std::string FleetCore::OpenRollbackOf(const std::string& fleet) const {
  for (const auto& [id, facts] : open_incidents_) {
    if (facts.fleet == fleet && facts.kind == "rollback") return id;
  }
  return "";
}

incident::Facts FleetCore::RollbackFacts(const v1::RollbackRequest& request, const WayBack& way,
                                         const std::string& actor, Moment now) const {
  const std::string& fleet = request.fleet();
  const Suspect& suspect = way.suspect;
  const int64_t started_ms = suspect.rollout.started_ms();
  return {.fleet = fleet,
          .kind = "rollback",
          .title = absl::StrFormat("Fleet %s rolled back %s%s", fleet,
                                   suspect.title.empty() ? "" : "from " + suspect.title,
                                   way.to ? " to " + way.to->title() : ""),
          .actor = actor,
          .reason = request.reason(),
          .rollout = suspect.rollout.id(),
          .unit = suspect.title,
          .unit_digest = suspect.digest,
          .began_ms = std::min(started_ms > 0 ? started_ms : now.wall_ms, now.wall_ms),
          .opened_ms = now.wall_ms,
          .metrics = MetricsOf(RobotsOf(fleet))};
}

// What runs, why no robot goes anywhere, and what to type.
absl::Status FleetCore::NothingToUndo(const incident::Facts& facts) const {
  Groups running, refusals;
  std::set<std::string> held;
  for (const incident::RobotReturn& plan : facts.robots) {
    const std::string& digest = facts_.at(plan.robot).observed.control().running_digest();
    const std::string title = TitleOf(digest);
    running[digest.empty()  ? "no unit"
            : title.empty() ? digest.substr(0, 12)
                            : title]
        .push_back(plan.robot);
    if (plan.outcome == "refused") refusals[plan.detail].push_back(plan.robot);
    const store::Unit* wanted = KnownUnit(plan.wanted_digest);
    if (plan.outcome == "refused" && wanted != nullptr && !wanted->held_reason.empty()) {
      held.insert(wanted->title());
    }
  }
  std::string text = absl::StrFormat("nothing to undo on fleet %s", facts.fleet);
  for (const auto& [title, robots] : running) {
    absl::StrAppendFormat(&text, "; %s runs on %s", title, Listed(robots));
  }
  for (const auto& [why, robots] : refusals) {
    absl::StrAppendFormat(&text, "; no way back for %s: %s", Listed(robots), why);
  }
  if (!held.empty()) {
    const std::string unit = held.size() == 1 ? *held.begin() : "NAME@VERSION";
    absl::StrAppendFormat(&text,
                          "; to run it all the same: gatekeeper unit release %s --reason ..., "
                          "then gatekeeper rollout start %s --fleet %s --plan ...",
                          unit, unit, facts.fleet);
  }
  return absl::FailedPreconditionError(text);
}

absl::StatusOr<std::string> FleetCore::Rollback(const v1::RollbackRequest& request,
                                                const std::string& actor, Moment now) {
  const std::string& fleet = request.fleet();
  if (!fleets_.contains(fleet)) {
    return absl::NotFoundError(absl::StrFormat("there is no fleet %s", fleet));
  }
  if (request.reason().empty()) return absl::InvalidArgumentError("a reason must be given");
  WayBack way;
  const std::optional<store::Unit>& to = way.to;
  const Suspect& suspect = way.suspect;
  if (!request.to_unit().empty()) {
    ASSIGN_OR_RETURN(way.to, store_.ResolveUnit(request.to_unit()));
    RETURN_IF_ERROR(CheckReturnTo(*to, fleet));
  }
  ASSIGN_OR_RETURN(way.suspect, FindSuspect(fleet, to ? to->digest : ""));
  if (to && to->digest == suspect.digest) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s is what is being rolled out; name the unit to go back to", to->title()));
  }
  Changes changes;
  changes.hold_reason = absl::StrFormat("rolled back by %s: %s", actor, request.reason());
  incident::Facts facts = RollbackFacts(request, way, actor, now);
  for (const std::string& robot : RobotsOf(fleet)) {
    facts.robots.push_back(PlanReturn(robot, way, changes));
  }
  const auto active = active_.find(fleet);
  const bool takes_over = active != active_.end();
  if (changes.desired.empty() && !takes_over) {
    if (const std::string open = OpenRollbackOf(fleet); !open.empty()) return open;
    return NothingToUndo(facts);
  }
  ASSIGN_OR_RETURN(facts.id, store_.NextId("incident"));
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
