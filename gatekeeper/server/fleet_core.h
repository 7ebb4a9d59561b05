#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/trust/rearm_approval.h"
#include "gatekeeper/incident/draft.h"
#include "gatekeeper/rollout/step.h"
#include "gatekeeper/store/blob_folder.h"
#include "gatekeeper/store/store.h"
#include "proto/fleet.pb.h"

namespace gatekeeper::server {

// Now, twice: decisions are made on the monotonic `ms`, people and certificates read `wall_ms`.
struct Moment {
  int64_t ms = 0;
  int64_t wall_ms = 0;
};

// To be sent to a connected robot, in this order.
struct Outgoing {
  std::string robot;
  v1::ServerMessage message;
};

// Everything the gatekeeper decides about fleets: no gRPC, no threads, no clock. Hold one lock
// around every call. What is decided is in the store before it can be taken out as Outgoing, so a
// restart at any moment resumes: Open() goes on with the rollouts and open incidents it finds.
// `actor` is the name in the caller's certificate ("operator/mara"); everything a person does is
// audited under it.
class FleetCore {
 public:
  // Both must outlive the core; `blobs` holds the files of the units in `store`.
  static absl::StatusOr<std::unique_ptr<FleetCore>> Open(store::Store& store,
                                                         const store::BlobFolder& blobs,
                                                         Moment now);

  // --- robots. A connection gets a number; a newer connection of the same robot takes its place.
  // kPermissionDenied: the certificate names a robot nobody created.
  absl::StatusOr<uint64_t> OnConnected(const std::string& robot, Moment now);
  void OnObserved(const std::string& robot, const v1::ObservedState& observed, Moment now);
  void OnEvent(const std::string& robot, const v1::RobotEvent& event, Moment now);
  void OnDisconnected(const std::string& robot, uint64_t connection, Moment now);
  v1::DesiredState DesiredFor(const std::string& robot) const;
  // Those of its units that are held: it may not fall back to them (S12).
  v1::Recall RecallFor(const std::string& robot) const;
  std::vector<Outgoing> TakeOutgoing();
  // Moves rollouts on, makes events durable (then they are acknowledged) and saves last reports.
  // Call it some ten times a second. An error means the store could not write; nothing was lost,
  // and the next call tries again.
  absl::Status Poll(Moment now);

  // --- fleets and units
  absl::Status CreateFleet(const std::string& name, const std::string& actor, Moment now);
  // The token to enrol with. For a robot that exists already (same fleet and hardware) a fresh one.
  absl::StatusOr<std::string> CreateRobot(const v1::CreateRobotRequest& request,
                                          const std::string& actor, Moment now);
  absl::StatusOr<v1::FleetView> ViewFleet(const std::string& fleet, Moment now) const;
  v1::FleetList ListFleets() const;
  absl::StatusOr<v1::UnitList> ListUnits();
  absl::Status ReleaseUnit(const v1::ReleaseUnitRequest& request, const std::string& actor,
                           Moment now);
  absl::StatusOr<v1::AuditList> ReadAudit(uint64_t after_seq);

  // --- rollouts. kNotFound: fleet, unit or rollout; kInvalidArgument: the plan;
  // kFailedPrecondition: held unit, wrong hardware, another rollout under way, an empty fleet; a
  // unit that is looser than the one a robot has committed, unless two people allowed that very
  // step (S16), that cannot fall back to it (S12), or that nobody can compare with it. A robot that
  // first reports during the rollout is compared then, before it is told anything.
  absl::StatusOr<v1::RolloutState> StartRollout(const v1::StartRolloutRequest& request,
                                                const std::string& actor, Moment now);
  absl::StatusOr<v1::RolloutState> AbortRollout(const v1::AbortRolloutRequest& request,
                                                const std::string& actor, Moment now);
  absl::StatusOr<v1::RolloutView> ViewRollout(const v1::GetRolloutRequest& request, Moment now);

  // --- the way back. Works in every state: takes over a rollout, tells every robot that runs or
  // tries the suspect unit to return (or all of them to go to `to_unit`), holds the suspect and
  // opens an incident, whose id is returned. Asking again while robots are still returning gives
  // the same incident. A robot goes only where it was in service before; one that cannot go there
  // is refused, but its trial of the suspect ends all the same: staying with the committed unit is
  // no installation, even of a held one. kFailedPrecondition: nothing to go back to.
  absl::StatusOr<std::string> Rollback(const v1::RollbackRequest& request, const std::string& actor,
                                       Moment now);
  // One sentence on a robot that has not answered: not connected, or what it runs instead.
  std::string WhereIs(const std::string& robot) const;
  // Clears what an operator may clear: flapping, a trigger whose rule says `operator`. Which of its
  // triggers those are, the robot knows. kFailedPrecondition: it is not connected, reports no
  // trigger, or a latched stop, which wants approvals.
  absl::Status AcknowledgeRobot(const v1::AcknowledgeRobotRequest& request,
                                const std::string& actor, Moment now);

  // --- re-arm after an emergency stop: approvals are kept in memory until the robot's challenge
  // changes; the one that completes them is sent down with the others, and once more when it is
  // given once more. kNotFound: the robot; kFailedPrecondition: it is not connected or asks
  // for no approvals; else as OpenRearmApproval, and kPermissionDenied for one person in two roles.
  absl::StatusOr<v1::RearmView> ViewRearm(const std::string& robot) const;
  absl::StatusOr<v1::RearmView> ApproveRearm(const v1::ApproveRearmRequest& request,
                                             const agent::trust::TrustPolicy& trust,
                                             const std::string& actor, Moment now);

  // --- incidents
  absl::StatusOr<incident::Facts> IncidentFacts(const std::string& id) const;
  // Without a copy, until the next call that changes anything; null once every robot has answered.
  const incident::Facts* OpenIncident(const std::string& id) const;
  absl::StatusOr<v1::Incident> ShowIncident(const std::string& id, Moment now);
  absl::StatusOr<v1::IncidentList> ListIncidents();

 private:
  // What one decision changes: written in one transaction, then taken over into memory and sent.
  struct Changes {
    std::map<std::string, v1::DesiredState> desired;
    std::optional<v1::RolloutState> rollout;
    std::optional<incident::Facts> incident;
    std::string hold_digest;
    std::string hold_reason;
    std::vector<v1::AuditEntry> audit;
  };
  struct Suspect {
    std::string digest;
    std::string title;
    v1::RolloutState rollout;  // the one that brought it
  };
  // Where a rollback wants robots: each one back from the suspect, or all of them at `to`.
  struct WayBack {
    Suspect suspect;
    std::optional<store::Unit> to;
  };

  // What has been said in answer to a robot's challenge.
  struct Approvals {
    v1::RearmChallenge challenge;
    std::vector<agent::trust::Approver> approvers;
    std::vector<std::string> bundles;  // of the approver at the same place
  };

  // A stop that an incident was opened for.
  struct KnownStop {
    std::string incident;
    incident::Stops stops;
  };

  FleetCore(store::Store& store, const store::BlobFolder& blobs) : store_(store), blobs_(blobs) {}
  absl::Status Load(Moment now);
  absl::Status Commit(const Changes& changes);
  absl::Status Record(const std::string& actor, const std::string& action,
                      const std::string& object, const std::string& detail, Moment now);

  absl::StatusOr<const rollout::RobotFacts*> Attending(const std::string& robot) const;
  const Approvals* ApprovalsFor(const std::string& robot) const;

  v1::RobotView ViewRobot(const std::string& robot, Moment now) const;
  std::vector<std::string> RobotsOf(const std::string& fleet) const;
  const store::Unit* KnownUnit(const std::string& digest) const;
  std::string TitleOf(const std::string& digest) const;
  v1::DesiredState NextDesired(const rollout::SetDesired& order, const std::string& rollout) const;
  absl::Status CheckTarget(const store::Unit& unit, const std::string& fleet) const;
  absl::Status CheckSteps(const store::Unit& target, const std::vector<std::string>& robots,
                          int64_t wall_ms);
  absl::Status CheckStep(const store::Unit& target, const std::string& from,
                         const std::vector<std::string>& robots, int64_t wall_ms);
  absl::Status CheckArrivals(const v1::RolloutState& state);

  absl::Status MoveRollout(const std::string& fleet, Moment now);
  absl::Status Apply(const rollout::Next& next, const std::string& actor, Moment now);
  incident::Facts CanaryFacts(const v1::RolloutState& state, const std::string& title,
                              const Changes& changes, Moment now) const;
  std::vector<incident::RobotMetrics> MetricsOf(const std::vector<std::string>& robots) const;

  absl::StatusOr<Suspect> FindSuspect(const std::string& fleet, const std::string& to_digest);
  absl::Status CheckReturnTo(const store::Unit& to, const std::string& fleet) const;
  const v1::Pointer& PointerOf(const std::string& robot) const;
  bool WasInService(const std::string& robot, const std::string& digest) const;
  bool Involved(const std::string& robot, const std::string& digest) const;
  std::string GoalOf(const std::string& robot, const WayBack& way) const;
  std::string ObstacleOf(const std::string& robot, const WayBack& way,
                         const std::string& goal) const;
  incident::RobotReturn PlanReturn(const std::string& robot, const WayBack& way,
                                   Changes& changes) const;
  void TellToReturn(const std::string& robot, const std::string& digest, Changes& changes) const;
  incident::Facts RollbackFacts(const v1::RollbackRequest& request, const WayBack& way,
                                const std::string& actor, Moment now) const;
  absl::Status NothingToUndo(const incident::Facts& facts) const;
  std::string OpenRollbackOf(const std::string& fleet) const;
  void NoteReturns(const std::string& robot, Moment now);
  void NoteService(const std::string& robot);
  void TellRecall(const std::string& robot);
  absl::Status FlushEvents(Moment now);
  absl::Status FlushObserved(Moment now);
  absl::Status FlushIncidents();
  static store::StoredIncident Stored(const incident::Facts& facts);
  absl::Status LoadStops();
  static bool Continues(const incident::Stops& known, const store::StoredEvent& event);
  const KnownStop* FindStop(const std::string& same) const;
  absl::Status CountStop(const std::string& same, const KnownStop& known,
                         const store::StoredEvent& event);
  absl::Status TakeStop(const store::StoredEvent& event, Moment now);
  incident::Facts StopFacts(const store::StoredEvent& event, Moment now) const;
  absl::StatusOr<std::vector<incident::TimelineLine>> Timeline(const incident::Facts& facts);

  store::Store& store_;
  const store::BlobFolder& blobs_;
  std::set<std::string> fleets_;
  std::map<std::string, store::Robot> robots_;
  rollout::FleetSnapshot facts_;
  // robot -> digests it reported committed and running, or as its last-good
  std::map<std::string, std::set<std::string>> served_;
  std::map<std::string, uint64_t> connections_;  // robot -> number of its live connection
  std::map<std::string, int64_t> contact_ms_;    // robot -> last message of any kind
  std::map<std::string, std::string> recalls_;   // robot -> what its connection was told, as bytes
  std::map<std::string, v1::RolloutState> active_;             // fleet -> rollout under way
  std::set<std::pair<std::string, std::string>> sound_steps_;  // from, to: compared before
  std::map<std::string, incident::Facts> open_incidents_;
  mutable std::map<std::string, store::Unit> units_;  // looked up before; dropped when they change
  std::set<std::string> unsaved_observed_;
  std::set<std::pair<std::string, std::string>> unsaved_served_;
  std::set<std::string> unsaved_incidents_;
  std::map<std::string, KnownStop> stops_;  // by what makes two of them the same, the newest
  std::map<std::string, KnownStop> unsaved_stops_;  // of a write that goes on: newer than stops_
  std::vector<store::StoredEvent> unsaved_events_;
  std::map<std::string, Approvals> approvals_;  // robot -> answers to its newest challenge
  std::vector<Outgoing> outgoing_;
  uint64_t last_connection_ = 0;
  int64_t observed_saved_ms_ = 0;
};

}  // namespace gatekeeper::server
