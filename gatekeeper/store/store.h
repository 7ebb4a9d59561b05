#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/fleet.pb.h"

namespace gatekeeper::store {

struct Robot {
  std::string robot;
  std::string fleet;
  std::string hardware;
};

struct Unit {
  std::string digest;
  std::string name;
  std::string version;
  int64_t pushed_ms = 0;
  std::string held_reason = {};  // not empty: nobody may install it until it is released by name
  bool released = false;  // was held once: robots that quarantined it are told to forget that
  v1::UnitPapers papers = {};

  std::string title() const { return name + "@" + version; }
};

// A step from one unit to a looser one, and the two people who had looked at it.
struct AllowedStep {
  std::string digest;    // of the looser unit
  std::string from;      // of the unit it was compared with
  std::string people;    // "ann+bob"
  std::string last_day;  // YYYY-MM-DD, UTC
};

struct StoredEvent {
  std::string robot;
  v1::RobotEvent event;
  int64_t received_ms = 0;  // gatekeeper's wall clock: robots' clocks may be off
};

// An incident as facts; the text is drafted from them when somebody reads it.
struct StoredIncident {
  std::string id;
  std::string fleet;
  int64_t opened_ms = 0;
  std::string kind;
  std::string title;
  std::string facts_json;
  bool open = true;  // some robot's answer is still awaited
};

// Everything the gatekeeper must still know after a power cut: SOCI over one SQLite file (WAL,
// synchronous FULL), columns of plain text and 64-bit numbers only, so that another database can
// take its place. One writer: use it from one thread at a time, one Store a file. Database trouble
// is kUnavailable, a full disk kResourceExhausted; what is said to be written is on disk.
class Store {
 public:
  // Makes the file (its folder must exist) or continues it. kFailedPrecondition: written by a newer
  // gatekeeper. kDataLoss: not a database of ours.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& path);
  ~Store();

  // All of `work` or nothing of it. Calls inside join the outer one. An error of `work` undoes it
  // and is returned.
  absl::Status Atomically(const std::function<absl::Status()>& work);

  // --- fleets and robots. kAlreadyExists, kNotFound.
  absl::Status AddFleet(const std::string& name, int64_t wall_ms);
  absl::StatusOr<std::vector<std::string>> Fleets();
  absl::Status AddRobot(const Robot& robot, int64_t wall_ms);
  absl::StatusOr<Robot> FindRobot(const std::string& robot);
  absl::StatusOr<std::vector<Robot>> Robots();  // all, by name

  // --- enrolment tokens: only their SHA-256 is kept.
  absl::Status AddToken(const std::string& token_sha256, const std::string& robot,
                        int64_t expires_ms);
  // Uses it up in one step, so that of two callers one wins. kPermissionDenied in every other case,
  // without saying which: unknown, another robot's, used, expired.
  absl::Status UseToken(const std::string& token_sha256, const std::string& robot, int64_t wall_ms);

  // --- units
  absl::Status AddUnit(const Unit& unit);  // kAlreadyExists: digest, or name@version, is taken
  absl::StatusOr<Unit> FindUnit(const std::string& digest);
  // `text`: name@version, or >= 12 hex digits that begin one digest only. kNotFound,
  // kInvalidArgument.
  absl::StatusOr<Unit> ResolveUnit(const std::string& text);
  absl::StatusOr<std::vector<Unit>> Units();  // without papers, newest first
  absl::Status HoldUnit(const std::string& digest, const std::string& reason);
  absl::Status ReleaseUnit(const std::string& digest);
  absl::StatusOr<bool> AllowStep(const AllowedStep& step);  // false: a repeat, known already
  // From `from` to `digest`, the one that holds longest last.
  absl::StatusOr<std::vector<AllowedStep>> AllowedSteps(const std::string& from,
                                                        const std::string& digest);

  // --- desired and last observed state of each robot
  absl::Status PutDesired(const std::string& robot, const v1::DesiredState& desired);
  absl::StatusOr<std::map<std::string, v1::DesiredState>> Desired();
  absl::Status PutObserved(const std::string& robot, const v1::ObservedState& observed);
  absl::StatusOr<std::map<std::string, v1::ObservedState>> Observed();
  // Digests that each robot has had in service, ever. A repeat is fine.
  absl::Status AddServed(const std::string& robot, const std::string& digest);
  absl::StatusOr<std::map<std::string, std::set<std::string>>> Served();

  // --- rollouts
  absl::Status PutRollout(const v1::RolloutState& state);
  absl::StatusOr<v1::RolloutState> FindRollout(const std::string& id);
  absl::StatusOr<std::vector<v1::RolloutState>> Rollouts(const std::string& fleet);  // newest first

  // --- events and incidents
  absl::StatusOr<bool> AddEvent(const StoredEvent& event);  // false: a repeat, known already
  // Events of these robots received in [from_ms, to_ms], oldest first, at most `cap`.
  absl::StatusOr<std::vector<StoredEvent>> Events(const std::vector<std::string>& robots,
                                                  int64_t from_ms, int64_t to_ms, int cap);
  absl::Status PutIncident(const StoredIncident& incident);
  absl::StatusOr<StoredIncident> FindIncident(const std::string& id);
  absl::StatusOr<std::vector<StoredIncident>> Incidents();  // newest first

  // --- audit: each entry carries the SHA-256 of the one before.
  absl::Status Audit(v1::AuditEntry entry);  // seq and the two digests are filled in here
  absl::StatusOr<std::vector<v1::AuditEntry>> ReadAudit(uint64_t after_seq, int cap);
  // Hashes the whole chain again and compares its end with the head kept beside it. kDataLoss names
  // the first entry that does not fit. Whoever can rewrite every row and the head is not detected:
  // copy the head elsewhere (ReadAudit shows it) if that matters.
  absl::Status VerifyAudit();

  // "rollout-7": numbers rise and are never given twice.
  absl::StatusOr<std::string> NextId(const std::string& kind);

 private:
  struct Connection;
  explicit Store(std::unique_ptr<Connection> connection);
  absl::Status Guarded(const char* what, const std::function<absl::Status()>& work);

  std::unique_ptr<Connection> connection_;
};

// The digest an audit entry must carry.
std::string AuditDigest(const v1::AuditEntry& entry);

}  // namespace gatekeeper::store
