#include "gatekeeper/server/fleet_core.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "agent/trust/identity.h"
#include "gatekeeper/server/audit_entry.h"

namespace gatekeeper::server {
namespace {

// Reports come several times a second from each robot; a lost one is replaced by the next.
constexpr int64_t kObservedEveryMs = 1000;
// More waits on the robot: its outbox holds what is not acknowledged.
constexpr size_t kMostUnsavedEvents = 20'000;
constexpr int64_t kLatestMs = 253'402'300'799'999;  // the last moment of the year 9999

// What a robot holds and may come to drive.
std::set<std::string> UnitsOf(const v1::ObservedState& observed) {
  const v1::Pointer& pointer = observed.control().pointer();
  return {pointer.committed_digest(), pointer.last_good_digest(), pointer.trial_digest()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<FleetCore>> FleetCore::Open(store::Store& store,
                                                           const store::BlobFolder& blobs,
                                                           Moment now) {
  std::unique_ptr<FleetCore> core(new FleetCore(store, blobs));
  RETURN_IF_ERROR(core->Load(now));
  return core;
}

absl::Status FleetCore::Load(Moment now) {
  ASSIGN_OR_RETURN(const std::vector<std::string> fleets, store_.Fleets());
  fleets_.insert(fleets.begin(), fleets.end());
  ASSIGN_OR_RETURN(const std::vector<store::Robot> robots, store_.Robots());
  for (const store::Robot& robot : robots) {
    robots_[robot.robot] = robot;
    facts_[robot.robot];
  }
  ASSIGN_OR_RETURN(const auto desired, store_.Desired());
  for (const auto& [robot, state] : desired) facts_[robot].desired = state;
  ASSIGN_OR_RETURN(const auto observed, store_.Observed());
  ASSIGN_OR_RETURN(served_, store_.Served());
  for (const auto& [robot, state] : observed) {
    facts_[robot].observed = state;
    NoteService(robot);
  }
  for (const std::string& fleet : fleets_) {
    ASSIGN_OR_RETURN(const std::vector<v1::RolloutState> rollouts, store_.Rollouts(fleet));
    for (const v1::RolloutState& state : rollouts) {
      if (rollout::IsFinal(state.phase())) continue;
      active_[fleet] = rollout::Resume(state, now.ms);
      break;  // one at a time; StartRollout sees to it
    }
  }
  ASSIGN_OR_RETURN(const std::vector<store::StoredIncident> incidents, store_.Incidents());
  for (const store::StoredIncident& stored : incidents) {
    if (!stored.open) continue;
    ASSIGN_OR_RETURN(open_incidents_[stored.id], incident::FromJson(stored.facts_json));
  }
  return LoadStops();
}

absl::StatusOr<uint64_t> FleetCore::OnConnected(const std::string& robot, Moment now) {
  if (!robots_.contains(robot)) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "no robot %s was created here; its certificate alone is not enough", robot));
  }
  connections_[robot] = ++last_connection_;
  contact_ms_[robot] = now.ms;
  facts_[robot].connected = true;
  recalls_.erase(robot);
  TellRecall(robot);
  const v1::DesiredState desired = DesiredFor(robot);
  if (desired.generation() > 0) {
    *outgoing_.emplace_back(Outgoing{robot, {}}).message.mutable_desired() = desired;
  }
  return last_connection_;
}

void FleetCore::OnDisconnected(const std::string& robot, uint64_t connection, Moment) {
  const auto live = connections_.find(robot);
  if (live == connections_.end() || live->second != connection) return;  // a newer one took over
  connections_.erase(live);
  facts_[robot].connected = false;
}

void FleetCore::OnObserved(const std::string& robot, const v1::ObservedState& observed,
                           Moment now) {
  if (!robots_.contains(robot)) return;
  rollout::RobotFacts& facts = facts_[robot];
  contact_ms_[robot] = now.ms;
  if (observed.has_control()) {
    const bool ticked = facts.report_ms < 0 || !facts.observed.has_control() ||
                        observed.control().ticks() != facts.observed.control().ticks();
    facts.report_ms = now.ms;
    if (ticked) facts.tick_ms = now.ms;
  }
  if (observed.generation() != facts.observed.generation()) facts.failed_digest.clear();
  if (observed.control().candidate_state() == v1::CANDIDATE_FAILED) {
    facts.failed_digest = observed.control().candidate_digest();
  }
  const bool other_units = UnitsOf(observed) != UnitsOf(facts.observed);
  facts.observed = observed;
  if (other_units) TellRecall(robot);
  unsaved_observed_.insert(robot);
  outgoing_.emplace_back(Outgoing{robot, {}}).message.mutable_heartbeat();
  NoteService(robot);
  NoteReturns(robot, now);
}

void FleetCore::NoteService(const std::string& robot) {
  const v1::ControlReport& control = facts_[robot].observed.control();
  const v1::Pointer& pointer = control.pointer();
  const auto note = [&](const std::string& digest) {
    if (digest.empty() || !served_[robot].insert(digest).second) return;
    unsaved_served_.emplace(robot, digest);
  };
  if (control.running_digest() == pointer.committed_digest()) note(pointer.committed_digest());
  note(pointer.last_good_digest());
}

void FleetCore::OnEvent(const std::string& robot, const v1::RobotEvent& event, Moment now) {
  if (!robots_.contains(robot)) return;
  contact_ms_[robot] = now.ms;
  if (unsaved_events_.size() >= kMostUnsavedEvents) return;  // unacknowledged: it is sent again
  store::StoredEvent& kept = unsaved_events_.emplace_back(
      store::StoredEvent{.robot = robot, .event = event, .received_ms = now.wall_ms});
  // A robot's clock may say anything; what is counted with must not overflow.
  kept.event.set_wall_ms(std::clamp<int64_t>(event.wall_ms(), 0, kLatestMs));
}

v1::DesiredState FleetCore::DesiredFor(const std::string& robot) const {
  const auto found = facts_.find(robot);
  return found == facts_.end() ? v1::DesiredState() : found->second.desired;
}

v1::Recall FleetCore::RecallFor(const std::string& robot) const {
  constexpr size_t kMostReason = 300;  // bytes; what a robot keeps of it
  v1::Recall recall;
  const auto facts = facts_.find(robot);
  if (facts == facts_.end()) return recall;
  std::set<std::string> digests = UnitsOf(facts->second.observed);
  digests.insert(facts->second.desired.unit_digest());
  for (const std::string& digest : digests) {
    const store::Unit* unit = KnownUnit(digest);
    if (unit == nullptr || unit->held_reason.empty()) continue;
    v1::Quarantined& held = *recall.add_units();
    held.set_digest(digest);
    held.set_reason(unit->held_reason.substr(0, kMostReason));
  }
  return recall;
}

// What a connection was told already is not said again; the first time an empty list is news too.
void FleetCore::TellRecall(const std::string& robot) {
  if (!facts_[robot].connected) return;
  const v1::Recall recall = RecallFor(robot);
  const std::string bytes = recall.SerializeAsString();
  const auto told = recalls_.find(robot);
  if (told != recalls_.end() && told->second == bytes) return;
  recalls_[robot] = bytes;
  *outgoing_.emplace_back(Outgoing{robot, {}}).message.mutable_recall() = recall;
}

std::vector<Outgoing> FleetCore::TakeOutgoing() { return std::exchange(outgoing_, {}); }

absl::Status FleetCore::Poll(Moment now) {
  absl::Status first = FlushEvents(now);
  std::vector<std::string> fleets;
  for (const auto& [fleet, state] : active_) fleets.push_back(fleet);
  for (const std::string& fleet : fleets) first.Update(MoveRollout(fleet, now));
  if (now.ms - observed_saved_ms_ >= kObservedEveryMs) {
    first.Update(FlushObserved(now));
    first.Update(FlushIncidents());
  }
  return first;
}

absl::Status FleetCore::FlushEvents(Moment now) {
  if (unsaved_events_.empty()) return absl::OkStatus();
  const absl::Status written = store_.Atomically([&]() -> absl::Status {
    for (const store::StoredEvent& event : unsaved_events_) {
      ASSIGN_OR_RETURN(const bool is_new, store_.AddEvent(event));
      if (is_new) RETURN_IF_ERROR(TakeStop(event, now));
    }
    return absl::OkStatus();
  });
  const std::map<std::string, KnownStop> stops = std::exchange(unsaved_stops_, {});
  RETURN_IF_ERROR(written);
  for (const auto& [same, known] : stops) stops_.insert_or_assign(same, known);
  const std::vector<store::StoredEvent> saved = std::exchange(unsaved_events_, {});
  for (const store::StoredEvent& stored : saved) {
    outgoing_.emplace_back(Outgoing{stored.robot, {}})
        .message.mutable_event_ack()
        ->set_id(stored.event.id());
  }
  return absl::OkStatus();
}

absl::Status FleetCore::FlushObserved(Moment now) {
  observed_saved_ms_ = now.ms;
  if (unsaved_observed_.empty() && unsaved_served_.empty()) return absl::OkStatus();
  RETURN_IF_ERROR(store_.Atomically([&]() -> absl::Status {
    for (const std::string& robot : unsaved_observed_) {
      RETURN_IF_ERROR(store_.PutObserved(robot, facts_[robot].observed));
    }
    for (const auto& [robot, digest] : unsaved_served_) {
      RETURN_IF_ERROR(store_.AddServed(robot, digest));
    }
    return absl::OkStatus();
  }));
  unsaved_observed_.clear();
  unsaved_served_.clear();
  return absl::OkStatus();
}

absl::Status FleetCore::Commit(const Changes& changes) {
  RETURN_IF_ERROR(store_.Atomically([&]() -> absl::Status {
    if (changes.rollout) RETURN_IF_ERROR(store_.PutRollout(*changes.rollout));
    for (const auto& [robot, desired] : changes.desired) {
      RETURN_IF_ERROR(store_.PutDesired(robot, desired));
    }
    if (!changes.hold_digest.empty()) {
      const absl::Status held = store_.HoldUnit(changes.hold_digest, changes.hold_reason);
      // A unit that robots had before this gatekeeper knew any cannot be offered by it either.
      if (!held.ok() && !absl::IsNotFound(held)) return held;
    }
    if (changes.incident) RETURN_IF_ERROR(store_.PutIncident(Stored(*changes.incident)));
    for (const v1::AuditEntry& entry : changes.audit) RETURN_IF_ERROR(store_.Audit(entry));
    return absl::OkStatus();
  }));
  // On disk: from here on nothing can fail.
  if (changes.rollout) {
    const std::string& fleet = changes.rollout->fleet();
    if (rollout::IsFinal(changes.rollout->phase())) {
      active_.erase(fleet);
    } else {
      active_[fleet] = *changes.rollout;
    }
  }
  if (!changes.hold_digest.empty()) units_.erase(changes.hold_digest);
  if (changes.incident && changes.incident->ended_ms == 0) {
    open_incidents_[changes.incident->id] = *changes.incident;
  }
  for (const auto& [robot, desired] : changes.desired) facts_[robot].desired = desired;
  // Before the orders: what a robot is told to leave must not become what it falls back to.
  if (!changes.hold_digest.empty()) {
    for (const auto& [robot, facts] : facts_) TellRecall(robot);
  }
  for (const auto& [robot, desired] : changes.desired) {
    if (!facts_[robot].connected) continue;
    *outgoing_.emplace_back(Outgoing{robot, {}}).message.mutable_desired() = desired;
  }
  return absl::OkStatus();
}

absl::Status FleetCore::Record(const std::string& actor, const std::string& action,
                               const std::string& object, const std::string& detail, Moment now) {
  return store_.Audit(AuditEntryOf(actor, action, object, detail, now));
}

absl::Status FleetCore::CreateFleet(const std::string& name, const std::string& actor, Moment now) {
  RETURN_IF_ERROR(agent::trust::SpiffeUri({agent::trust::Party::kRobot, name}).status());
  RETURN_IF_ERROR(store_.Atomically([&]() -> absl::Status {
    RETURN_IF_ERROR(store_.AddFleet(name, now.wall_ms));
    return Record(actor, "fleet.create", name, "", now);
  }));
  fleets_.insert(name);
  return absl::OkStatus();
}

absl::StatusOr<std::string> FleetCore::CreateRobot(const v1::CreateRobotRequest& request,
                                                   const std::string& actor, Moment now) {
  constexpr uint32_t kMostHours = 24;
  RETURN_IF_ERROR(agent::trust::SpiffeUri({agent::trust::Party::kRobot, request.robot()}).status());
  if (request.hardware().empty() || request.hardware().size() > 64) {
    return absl::InvalidArgumentError("a robot needs a hardware class of at most 64 characters");
  }
  if (request.token_hours() > kMostHours) {
    return absl::InvalidArgumentError(absl::StrFormat("a token lasts at most %d hours, not %d",
                                                      kMostHours, request.token_hours()));
  }
  const store::Robot wanted{request.robot(), request.fleet(), request.hardware()};
  const auto known = robots_.find(request.robot());
  if (known != robots_.end() &&
      (known->second.fleet != wanted.fleet || known->second.hardware != wanted.hardware)) {
    return absl::AlreadyExistsError(
        absl::StrFormat("robot %s exists already, in fleet %s with hardware %s", wanted.robot,
                        known->second.fleet, known->second.hardware));
  }
  const std::string token = agent::trust::RandomToken();
  const uint32_t hours = request.token_hours() == 0 ? kMostHours : request.token_hours();
  RETURN_IF_ERROR(store_.Atomically([&]() -> absl::Status {
    if (known == robots_.end()) RETURN_IF_ERROR(store_.AddRobot(wanted, now.wall_ms));
    RETURN_IF_ERROR(store_.AddToken(agent::trust::Sha256(token).hex(), wanted.robot,
                                    now.wall_ms + int64_t{hours} * 3'600'000));
    return Record(actor, known == robots_.end() ? "robot.create" : "robot.token", wanted.robot,
                  absl::StrFormat("fleet %s, hardware %s, token for %d h", wanted.fleet,
                                  wanted.hardware, hours),
                  now);
  }));
  robots_[wanted.robot] = wanted;
  facts_[wanted.robot];
  return token;
}

absl::Status FleetCore::ReleaseUnit(const v1::ReleaseUnitRequest& request, const std::string& actor,
                                    Moment now) {
  if (request.reason().empty()) {
    return absl::InvalidArgumentError("a reason must be given: releasing undoes a safety hold");
  }
  ASSIGN_OR_RETURN(const store::Unit unit, store_.ResolveUnit(request.unit()));
  if (unit.held_reason.empty()) {
    return absl::FailedPreconditionError(absl::StrFormat("%s is not held", unit.title()));
  }
  RETURN_IF_ERROR(store_.Atomically([&]() -> absl::Status {
    RETURN_IF_ERROR(store_.ReleaseUnit(unit.digest));
    return Record(actor, "unit.release", unit.title(),
                  absl::StrFormat("%s; was held: %s", request.reason(), unit.held_reason), now);
  }));
  units_.erase(unit.digest);
  for (const auto& [robot, facts] : facts_) TellRecall(robot);
  return absl::OkStatus();
}

const store::Unit* FleetCore::KnownUnit(const std::string& digest) const {
  if (digest.empty()) return nullptr;
  const auto cached = units_.find(digest);
  if (cached != units_.end()) return &cached->second;
  const absl::StatusOr<store::Unit> unit = store_.FindUnit(digest);
  return unit.ok() ? &(units_[digest] = *unit) : nullptr;
}

std::string FleetCore::TitleOf(const std::string& digest) const {
  const store::Unit* unit = KnownUnit(digest);
  return unit == nullptr ? "" : unit->title();
}

v1::DesiredState FleetCore::NextDesired(const rollout::SetDesired& order,
                                        const std::string& rollout) const {
  v1::DesiredState desired;
  const auto found = facts_.find(order.robot);
  const uint64_t newest = found == facts_.end() ? 0
                                                : std::max(found->second.desired.generation(),
                                                           found->second.observed.generation());
  desired.set_generation(newest + 1);
  desired.set_unit_digest(order.digest);
  desired.set_stage(order.stage);
  desired.set_lease_ms(order.lease_ms);
  desired.set_rollout(rollout);
  desired.set_reason(order.reason);
  desired.set_rollback(order.rollback);
  if (const store::Unit* unit = KnownUnit(order.digest)) {
    desired.set_unit_name(unit->name);
    desired.set_unit_version(unit->version);
    desired.set_release_quarantine(unit->released);
  }
  return desired;
}

std::vector<std::string> FleetCore::RobotsOf(const std::string& fleet) const {
  std::vector<std::string> names;
  for (const auto& [name, robot] : robots_) {
    if (robot.fleet == fleet) names.push_back(name);
  }
  return names;
}

}  // namespace gatekeeper::server
