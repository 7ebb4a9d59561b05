// Which stops of robots open an incident, and which belong to one that is there.

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/server/audit_entry.h"
#include "gatekeeper/server/fleet_core.h"
#include "gatekeeper/server/stop_id.h"

namespace gatekeeper::server {
namespace {

constexpr char kEstop[] = "estop";
constexpr char kStop[] = "stop";  // the incident of an event `stopped`
constexpr int64_t kSameStopMs = 3'600'000;
constexpr int64_t kBeforeMs = 60'000;  // the timeline begins this long before the news of the stop

// What makes two stops of a robot the same: for an emergency stop its own id, for any other the
// unit and the cause. Empty: a stop of its own, whatever comes.
std::string SameStop(const std::string& robot, const std::string& kind, const std::string& unit,
                     const std::string& detail) {
  const std::string same = kind == kEstop ? StopIdOf(detail) : unit + "\n" + detail;
  return same.empty() ? "" : robot + "\n" + kind + "\n" + same;
}

}  // namespace

absl::Status FleetCore::LoadStops() {
  stops_.clear();
  ASSIGN_OR_RETURN(const std::vector<store::StoredIncident> newest_first, store_.Incidents());
  for (const store::StoredIncident& stored : newest_first) {
    if (stored.kind != kEstop && stored.kind != kStop) continue;
    const absl::StatusOr<incident::Facts> facts = incident::FromJson(stored.facts_json);
    if (!facts.ok() || facts->robots.empty()) continue;  // it is still shown; nothing is counted
    const incident::RobotReturn& robot = facts->robots.front();
    const std::string same = SameStop(robot.robot, facts->kind, facts->unit_digest, robot.detail);
    if (!same.empty()) stops_.try_emplace(same, KnownStop{facts->id, facts->stops});
  }
  return absl::OkStatus();
}

// The same cause under the same unit again within an hour, by the robot's clock, belongs to the
// incident that is there: a sensor that flaps must not bury it under its own repeats, and a robot
// that was away tells of each of its stops, however late. A clock that begins anew with each start
// of the robot must not make one of its stops on Monday and on Tuesday, so it must fit what is
// known of the newest one: told within an hour as well, or not before that was told.
bool FleetCore::Continues(const incident::Stops& known, const store::StoredEvent& event) {
  const int64_t happened = event.event.wall_ms();
  if (happened < known.first_ms - kSameStopMs || happened > known.last_ms + kSameStopMs) {
    return false;
  }
  return event.received_ms <= known.told_ms + kSameStopMs ||
         happened >= known.told_ms - kSameStopMs;
}

const FleetCore::KnownStop* FleetCore::FindStop(const std::string& same) const {
  for (const auto* stops : {&unsaved_stops_, &stops_}) {
    if (const auto known = stops->find(same); known != stops->end()) return &known->second;
  }
  return nullptr;
}

absl::Status FleetCore::CountStop(const std::string& same, const KnownStop& known,
                                  const store::StoredEvent& event) {
  ASSIGN_OR_RETURN(incident::Facts facts, IncidentFacts(known.incident));
  facts.stops.times = known.stops.times + 1;
  facts.stops.first_ms = std::min(known.stops.first_ms, event.event.wall_ms());
  facts.stops.last_ms = std::max(known.stops.last_ms, event.event.wall_ms());
  facts.stops.told_ms = event.received_ms;
  RETURN_IF_ERROR(store_.PutIncident(Stored(facts)));
  unsaved_stops_.insert_or_assign(same, KnownStop{facts.id, facts.stops});
  return absl::OkStatus();
}

absl::Status FleetCore::TakeStop(const store::StoredEvent& event, Moment now) {
  const bool estop = event.event.kind() == kEstop;
  if (!estop && event.event.kind() != "stopped") return absl::OkStatus();
  const std::string same = SameStop(event.robot, estop ? kEstop : kStop, event.event.unit_digest(),
                                    event.event.detail());
  const KnownStop* known = FindStop(same);
  // An emergency stop is told until the robot knows that it was heard.
  if (known != nullptr && estop) return absl::OkStatus();
  if (known != nullptr && Continues(known->stops, event)) return CountStop(same, *known, event);
  incident::Facts facts = StopFacts(event, now);
  ASSIGN_OR_RETURN(facts.id, store_.NextId("incident"));
  if (!same.empty()) unsaved_stops_.insert_or_assign(same, KnownStop{facts.id, facts.stops});
  Changes changes;
  changes.audit.push_back(
      AuditEntryOf("robot/" + event.robot, "incident.open", facts.id, facts.reason, now));
  changes.incident = std::move(facts);
  return Commit(changes);
}

incident::Facts FleetCore::StopFacts(const store::StoredEvent& event, Moment now) const {
  const bool estop = event.event.kind() == kEstop;
  const std::string& robot = event.robot;
  const std::string& unit = event.event.unit_digest();
  const std::string& detail = event.event.detail();
  incident::Facts facts{
      .fleet = robots_.at(robot).fleet,
      .kind = estop ? kEstop : kStop,
      .title = estop ? absl::StrFormat("Emergency stop of %s", robot)
                     : absl::StrFormat("Stop of %s by %s", robot, detail),
      .actor = "robot/" + robot,
      .reason = estop ? absl::StrFormat("%s latched an emergency stop: %s", robot, detail)
                      : absl::StrFormat("%s was stopped by %s", robot, detail),
      .unit = TitleOf(unit),
      .unit_digest = unit,
      .began_ms = event.received_ms - kBeforeMs,
      .opened_ms = event.received_ms,
      .ended_ms = now.wall_ms,
      .metrics = MetricsOf({robot}),
      .stops = {.times = 1,
                .first_ms = event.event.wall_ms(),
                .last_ms = event.event.wall_ms(),
                .told_ms = event.received_ms}};
  // Wanted and reported are the same here: nobody was told anything, the robot only stands.
  facts.robots = {{.robot = robot,
                   .before_digest = unit,
                   .wanted_digest = unit,
                   .wanted_unit = TitleOf(unit),
                   .outcome = "stopped",
                   .running_digest = facts_.at(robot).observed.control().running_digest(),
                   .detail = detail}};
  return facts;
}

}  // namespace gatekeeper::server
