#include "agent/lifecycle/journal.h"

#include <cstdio>
#include <filesystem>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace agent::lifecycle {
namespace {

namespace v1 = ::gatekeeper::v1;

// A robot that is away for months must not fill its disk: the oldest events give way.
constexpr int64_t kMaxOutbox = 10'000;
// Numbers of control's events that are remembered; control itself keeps at most 128.
constexpr int64_t kKnownControlEvents = 1'024;

constexpr const char* kSchema[] = {
    "CREATE TABLE IF NOT EXISTS life (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS attempt (one INTEGER PRIMARY KEY CHECK (one = 1),"
    " desired BLOB NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, wall_ms INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS outbox (id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " wall_ms INTEGER NOT NULL, kind TEXT NOT NULL, digest TEXT NOT NULL, detail TEXT NOT NULL)",
    // A number alone would not do: control's count begins again when its folder is wiped.
    "CREATE TABLE IF NOT EXISTS control_event (seq INTEGER, wall_ms INTEGER,"
    " PRIMARY KEY (seq, wall_ms))",
    "CREATE TABLE IF NOT EXISTS served (digest TEXT PRIMARY KEY)",
    "CREATE TABLE IF NOT EXISTS quarantine (digest TEXT PRIMARY KEY, reason TEXT NOT NULL)",
};

absl::Status Emit(Database& database, const v1::RobotEvent& event) {
  RETURN_IF_ERROR(
      database.Prepare("INSERT INTO outbox (wall_ms, kind, digest, detail) VALUES (?, ?, ?, ?)")
          .Bind(event.wall_ms())
          .Bind(event.kind())
          .Bind(event.unit_digest())
          .Bind(event.detail())
          .Run());
  return database.Prepare("DELETE FROM outbox WHERE id <= (SELECT max(id) FROM outbox) - ?")
      .Bind(kMaxOutbox)
      .Run();
}

absl::Status Emit(Database& database, const Note& note, const std::string& digest,
                  int64_t wall_ms) {
  v1::RobotEvent event;
  event.set_wall_ms(wall_ms);
  event.set_kind(note.kind);
  event.set_unit_digest(digest);
  event.set_detail(note.detail);
  return Emit(database, event);
}

// Ids begin at the wall time, so that a robot whose disk was replaced does not count from 1 again
// and have its events taken for repeats.
absl::Status BeginOutbox(Database& database, int64_t wall_ms) {
  Statement known = database.Prepare("SELECT 1 FROM sqlite_sequence WHERE name = 'outbox'");
  ASSIGN_OR_RETURN(const bool begun, known.Step());
  if (begun) return absl::OkStatus();
  return database.Prepare("INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', ?)")
      .Bind(wall_ms)
      .Run();
}

absl::StatusOr<uint32_t> BeginLife(Database& database, int64_t wall_ms) {
  uint32_t life = 0;
  const absl::Status status = database.InTransaction([&]() -> absl::Status {
    for (const char* table : kSchema) RETURN_IF_ERROR(database.Run(table));
    RETURN_IF_ERROR(BeginOutbox(database, wall_ms));
    RETURN_IF_ERROR(database.Run(
        "INSERT INTO life (one, n) VALUES (1, 1) ON CONFLICT (one) DO UPDATE SET n = n + 1"));
    Statement read = database.Prepare("SELECT n FROM life");
    ASSIGN_OR_RETURN(const bool row, read.Step());
    if (row) life = static_cast<uint32_t>(read.Number(0));
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return life;
}

void SetAside(const std::string& path, int64_t wall_ms) {
  std::error_code ignored;
  for (const char* part : {"", "-wal", "-shm"}) {
    std::filesystem::rename(path + part, absl::StrFormat("%s.broken-%d%s", path, wall_ms, part),
                            ignored);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(const std::string& path, int64_t wall_ms) {
  absl::StatusOr<Database> database = Database::Open(path);
  std::optional<Note> lost;
  if (absl::IsDataLoss(database.status())) {
    lost = Note{"journal_lost", std::string(database.status().message())};
    SetAside(path, wall_ms);
    database = Database::Open(path);
  }
  if (!database.ok()) {
    return absl::Status(database.status().code(),
                        absl::StrFormat("%s: %s", path, std::string(database.status().message())));
  }
  ASSIGN_OR_RETURN(const uint32_t life, BeginLife(*database, wall_ms));
  std::unique_ptr<Journal> journal(new Journal(*std::move(database), life));
  if (lost) RETURN_IF_ERROR(journal->Add(*lost, "", wall_ms));
  return journal;
}

absl::StatusOr<Lifecycle> Journal::Load() {
  Lifecycle lifecycle;
  Statement read = database_.Prepare("SELECT desired, state, reason FROM attempt");
  ASSIGN_OR_RETURN(const bool row, read.Step());
  if (!row) return lifecycle;
  if (!lifecycle.desired.ParseFromString(read.Text(0))) {
    return absl::DataLossError("journal: the desired state in it does not parse");
  }
  ASSIGN_OR_RETURN(lifecycle.state, StateNamed(read.Text(1), read.Text(2)));
  return lifecycle;
}

absl::Status Journal::Save(const Lifecycle& lifecycle, std::span<const Note> notes,
                           int64_t wall_ms) {
  return database_.InTransaction([&]() -> absl::Status {
    RETURN_IF_ERROR(database_
                        .Prepare("INSERT OR REPLACE INTO attempt"
                                 " (one, desired, state, reason, wall_ms) VALUES (1, ?, ?, ?, ?)")
                        .BindBlob(lifecycle.desired.SerializeAsString())
                        .Bind(NameOf(lifecycle.state))
                        .Bind(ReasonOf(lifecycle.state))
                        .Bind(wall_ms)
                        .Run());
    if (std::holds_alternative<Committed>(lifecycle.state)) {
      RETURN_IF_ERROR(database_.Prepare("INSERT OR IGNORE INTO served (digest) VALUES (?)")
                          .Bind(lifecycle.desired.unit_digest())
                          .Run());
    }
    for (const Note& note : notes) {
      RETURN_IF_ERROR(Emit(database_, note, lifecycle.desired.unit_digest(), wall_ms));
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<bool> Journal::WasCommitted(const std::string& digest) {
  Statement read = database_.Prepare("SELECT 1 FROM served WHERE digest = ?");
  return read.Bind(digest).Step();
}

absl::Status Journal::Add(const Note& note, const std::string& unit_digest, int64_t wall_ms) {
  return database_.InTransaction([&] { return Emit(database_, note, unit_digest, wall_ms); });
}

absl::Status Journal::AddControlEvents(std::span<const v1::ControlEvent* const> events) {
  if (events.empty()) return absl::OkStatus();
  return database_.InTransaction([&]() -> absl::Status {
    for (const v1::ControlEvent* event : events) {
      Statement insert = database_.Prepare(
          "INSERT OR IGNORE INTO control_event (seq, wall_ms) VALUES (?, ?) RETURNING seq");
      insert.Bind(static_cast<int64_t>(event->seq())).Bind(event->wall_ms());
      ASSIGN_OR_RETURN(const bool is_new, insert.Step());
      if (!is_new) continue;
      RETURN_IF_ERROR(insert.Run());
      v1::RobotEvent forwarded;
      forwarded.set_wall_ms(event->wall_ms());
      forwarded.set_kind(event->kind());
      forwarded.set_unit_digest(event->unit_digest());
      forwarded.set_detail(event->detail());
      RETURN_IF_ERROR(Emit(database_, forwarded));
    }
    return database_
        .Prepare(
            "DELETE FROM control_event WHERE rowid <="
            " (SELECT max(rowid) FROM control_event) - ?")
        .Bind(kKnownControlEvents)
        .Run();
  });
}

absl::StatusOr<std::vector<v1::RobotEvent>> Journal::Outbox(uint64_t after, int limit) {
  Statement read = database_.Prepare(
      "SELECT id, wall_ms, kind, digest, detail FROM outbox WHERE id > ? ORDER BY id LIMIT ?");
  read.Bind(static_cast<int64_t>(after)).Bind(limit);
  std::vector<v1::RobotEvent> events;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, read.Step());
    if (!row) return events;
    v1::RobotEvent& event = events.emplace_back();
    event.set_id(static_cast<uint64_t>(read.Number(0)));
    event.set_wall_ms(read.Number(1));
    event.set_kind(read.Text(2));
    event.set_unit_digest(read.Text(3));
    event.set_detail(read.Text(4));
  }
}

absl::Status Journal::Acknowledge(uint64_t id) {
  return database_.Prepare("DELETE FROM outbox WHERE id = ?").Bind(static_cast<int64_t>(id)).Run();
}

absl::Status Journal::AddQuarantined(std::span<const v1::Quarantined* const> list) {
  return database_.InTransaction([&]() -> absl::Status {
    for (const v1::Quarantined* unit : list) {
      RETURN_IF_ERROR(
          database_.Prepare("INSERT OR IGNORE INTO quarantine (digest, reason) VALUES (?, ?)")
              .Bind(unit->digest())
              .Bind(unit->reason())
              .Run());
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<std::optional<std::string>> Journal::QuarantineReason(const std::string& digest) {
  Statement read = database_.Prepare("SELECT reason FROM quarantine WHERE digest = ?");
  ASSIGN_OR_RETURN(const bool row, read.Bind(digest).Step());
  if (!row) return std::nullopt;
  return read.Text(0);
}

absl::Status Journal::ReleaseQuarantine(const std::string& digest) {
  return database_.Prepare("DELETE FROM quarantine WHERE digest = ?").Bind(digest).Run();
}

}  // namespace agent::lifecycle
