#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/lifecycle/machine.h"
#include "agent/lifecycle/sqlite.h"
#include "agent/lifecycle/state.h"
#include "proto/control.pb.h"
#include "proto/fleet.pb.h"

namespace agent::lifecycle {

// What the agent tries, in SQLite (WAL, synchronous FULL): when a function has returned OK, a power
// cut does not undo it. One thread. It never says what runs: that is control's pointer. Errors:
// kResourceExhausted when the disk is full, kInternal otherwise; nothing was changed then.
class Journal {
 public:
  // Creates the file when it is absent. A file that is not a sound database is set aside as
  // "PATH.broken-<wall_ms>" and a new one begun, with a "journal_lost" event in it: the robot can
  // be told again what to do, and control keeps running the committed unit meanwhile.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(const std::string& path, int64_t wall_ms);

  // Counts the openings; order numbers begin with it, so they rise over restarts.
  uint32_t life() const { return life_; }
  absl::StatusOr<Lifecycle> Load();
  // The new state and what there is to say about it: both or neither.
  absl::Status Save(const Lifecycle& lifecycle, std::span<const Note> notes, int64_t wall_ms);

  // Was the unit ever saved as Committed? Only such a one may be rolled back to.
  absl::StatusOr<bool> WasCommitted(const std::string& digest);

  // An event that changes no state.
  absl::Status Add(const Note& note, const std::string& unit_digest, int64_t wall_ms);
  // Takes over those that are not known yet; each goes into the outbox once, however often it
  // comes.
  absl::Status AddControlEvents(std::span<const gatekeeper::v1::ControlEvent* const> events);

  // Unacknowledged events with an id above `after`, oldest first. Ids are never used twice.
  absl::StatusOr<std::vector<gatekeeper::v1::RobotEvent>> Outbox(uint64_t after, int limit);
  absl::Status Acknowledge(uint64_t id);

  // Remembers what control refuses, so that a robot whose control folder was wiped still refuses
  // it.
  absl::Status AddQuarantined(std::span<const gatekeeper::v1::Quarantined* const> list);
  absl::StatusOr<std::optional<std::string>> QuarantineReason(const std::string& digest);
  absl::Status ReleaseQuarantine(const std::string& digest);

 private:
  Journal(Database database, uint32_t life) : database_(std::move(database)), life_(life) {}

  Database database_;
  uint32_t life_;
};

}  // namespace agent::lifecycle
