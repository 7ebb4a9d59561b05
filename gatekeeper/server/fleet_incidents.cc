#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/server/audit_entry.h"
#include "gatekeeper/server/fleet_core.h"

namespace gatekeeper::server {
namespace {

constexpr int64_t kTailMs = 60'000;  // the timeline goes on this long after the last robot answered

// What the robot's report says of the order it was given; empty while it says nothing yet.
std::string OutcomeOf(const incident::RobotReturn& robot, const rollout::RobotFacts& facts,
                      std::string& detail) {
  const v1::ObservedState& seen = facts.observed;
  if (facts.desired.generation() > robot.generation &&
      facts.desired.unit_digest() != robot.wanted_digest) {
    detail = "a newer order took over";
    return "refused";
  }
  if (!seen.has_control() || seen.generation() < robot.generation) return "";
  const v1::Pointer& pointer = seen.control().pointer();
  const std::string& running = seen.control().running_digest();
  // Nothing in particular is wanted of a robot that had no unit: it is only to let go of this one.
  const bool let_go =
      robot.before_digest.empty() ||
      (pointer.committed_digest() != robot.before_digest && running != robot.before_digest);
  const bool arrived =
      robot.wanted_digest.empty()
          ? let_go
          : pointer.committed_digest() == robot.wanted_digest && running == robot.wanted_digest;
  if (arrived && pointer.phase() != v1::ON_TRIAL) return "running";
  const bool refused =
      seen.lifecycle() == v1::REFUSED && seen.candidate_digest() == robot.wanted_digest;
  if (!refused) return "";
  detail = seen.reason();
  return "refused";
}

bool Concerns(const v1::AuditEntry& entry, const incident::Facts& facts) {
  const auto is = [&](const std::string& name) { return !name.empty() && entry.object() == name; };
  return is(facts.fleet) || is(facts.rollout) || is(facts.unit) || is(facts.id) ||
         std::ranges::any_of(facts.robots, [&](const auto& robot) { return is(robot.robot); });
}

}  // namespace

std::vector<incident::RobotMetrics> FleetCore::MetricsOf(
    const std::vector<std::string>& robots) const {
  std::vector<incident::RobotMetrics> all;
  for (const std::string& robot : robots) {
    const v1::ObservedState& seen = facts_.at(robot).observed;
    if (!seen.has_control()) continue;
    const v1::ControlReport& control = seen.control();
    const bool candidate = control.candidate_state() == v1::CANDIDATE_SHADOWING ||
                           control.candidate_state() == v1::CANDIDATE_ON_TRIAL ||
                           control.candidate_state() == v1::CANDIDATE_FAILED;
    const v1::UnitHealth& health = candidate ? control.candidate() : control.active();
    all.push_back({.robot = robot,
                   .state = absl::StrFormat("%s, %s", v1::LifecycleState_Name(seen.lifecycle()),
                                            control.fallback_state()),
                   .ticks = health.ticks(),
                   .deadline_misses = health.deadline_misses(),
                   .clamped = health.clamped(),
                   .nonfinite = health.nonfinite(),
                   .fallback_episodes = health.fallback_episodes(),
                   .disagreements = health.disagreements(),
                   .shed = health.shed(),
                   .infer_p99_us = health.infer_p99_us()});
  }
  return all;
}

void FleetCore::NoteReturns(const std::string& robot, Moment now) {
  const rollout::RobotFacts& facts = facts_.at(robot);
  for (auto& [id, open] : open_incidents_) {
    for (incident::RobotReturn& awaited : open.robots) {
      if (awaited.robot != robot || !awaited.outcome.empty()) continue;
      awaited.outcome = OutcomeOf(awaited, facts, awaited.detail);
      if (awaited.outcome.empty()) continue;
      awaited.seconds =
          static_cast<double>(std::max<int64_t>(now.wall_ms - open.opened_ms, 0)) / 1000;
      awaited.running_digest = facts.observed.control().running_digest();
      unsaved_incidents_.insert(id);
    }
    const bool all = std::ranges::none_of(
        open.robots, [](const incident::RobotReturn& one) { return one.outcome.empty(); });
    if (all && open.ended_ms == 0) {
      open.ended_ms = now.wall_ms;
      unsaved_incidents_.insert(id);
    }
  }
}

store::StoredIncident FleetCore::Stored(const incident::Facts& facts) {
  return {.id = facts.id,
          .fleet = facts.fleet,
          .opened_ms = facts.opened_ms,
          .kind = facts.kind,
          .title = facts.title,
          .facts_json = incident::ToJson(facts),
          .open = facts.ended_ms == 0};
}

absl::Status FleetCore::FlushIncidents() {
  if (unsaved_incidents_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(store_.Atomically([&]() -> absl::Status {
    for (const std::string& id : unsaved_incidents_) {
      RETURN_IF_ERROR(store_.PutIncident(Stored(open_incidents_.at(id))));
    }
    return absl::OkStatus();
  }));
  for (const std::string& id : unsaved_incidents_) {
    if (open_incidents_.at(id).ended_ms > 0) open_incidents_.erase(id);
  }
  unsaved_incidents_.clear();
  return absl::OkStatus();
}

const incident::Facts* FleetCore::OpenIncident(const std::string& id) const {
  const auto open = open_incidents_.find(id);
  return open == open_incidents_.end() ? nullptr : &open->second;
}

absl::StatusOr<incident::Facts> FleetCore::IncidentFacts(const std::string& id) const {
  if (const incident::Facts* open = OpenIncident(id)) return *open;
  ASSIGN_OR_RETURN(const store::StoredIncident stored, store_.FindIncident(id));
  return incident::FromJson(stored.facts_json);
}

absl::StatusOr<std::vector<incident::TimelineLine>> FleetCore::Timeline(
    const incident::Facts& facts) {
  constexpr int kMostEvents = 1000;
  const int64_t end =
      facts.ended_ms > 0 ? facts.ended_ms + kTailMs : std::numeric_limits<int64_t>::max();
  std::vector<incident::TimelineLine> lines;
  uint64_t seq = 0;
  while (true) {
    ASSIGN_OR_RETURN(const std::vector<v1::AuditEntry> page, store_.ReadAudit(seq, 1000));
    if (page.empty()) break;
    seq = page.back().seq();
    for (const v1::AuditEntry& entry : page) {
      if (entry.wall_ms() < facts.began_ms || entry.wall_ms() > end) continue;
      if (!Concerns(entry, facts)) continue;
      lines.push_back({entry.wall_ms(), entry.actor(),
                       absl::StrFormat("%s %s %s (audit %d)", entry.action(), entry.object(),
                                       entry.detail(), entry.seq())});
    }
  }
  std::vector<std::string> robots;
  for (const incident::RobotReturn& robot : facts.robots) robots.push_back(robot.robot);
  ASSIGN_OR_RETURN(const std::vector<store::StoredEvent> events,
                   store_.Events(robots, facts.began_ms, end, kMostEvents));
  for (const store::StoredEvent& stored : events) {
    const std::string unit = TitleOf(stored.event.unit_digest());
    lines.push_back(
        {stored.received_ms, "robot/" + stored.robot,
         absl::StrFormat("%s%s%s", stored.event.kind(), unit.empty() ? "" : " " + unit,
                         stored.event.detail().empty() ? "" : ": " + stored.event.detail())});
  }
  return lines;
}

absl::StatusOr<v1::Incident> FleetCore::ShowIncident(const std::string& id, Moment now) {
  RETURN_IF_ERROR(FlushEvents(now));  // the newest lines belong into it
  ASSIGN_OR_RETURN(const incident::Facts facts, IncidentFacts(id));
  ASSIGN_OR_RETURN(const std::vector<incident::TimelineLine> timeline, Timeline(facts));
  v1::Incident shown;
  shown.set_id(facts.id);
  shown.set_fleet(facts.fleet);
  shown.set_opened_ms(facts.opened_ms);
  shown.set_kind(facts.kind);
  shown.set_title(facts.title);
  shown.set_report_markdown(incident::Draft(facts, timeline));
  return shown;
}

absl::StatusOr<v1::IncidentList> FleetCore::ListIncidents() {
  ASSIGN_OR_RETURN(const std::vector<store::StoredIncident> all, store_.Incidents());
  v1::IncidentList list;
  for (const store::StoredIncident& stored : all) {
    v1::Incident& one = *list.add_incidents();
    one.set_id(stored.id);
    one.set_fleet(stored.fleet);
    one.set_opened_ms(stored.opened_ms);
    one.set_kind(stored.kind);
    one.set_title(stored.title);
  }
  return list;
}

}  // namespace gatekeeper::server
