#include "gatekeeper/store/store.h"

#include <soci/sqlite3/soci-sqlite3.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/store/connection.h"

namespace gatekeeper::store {
namespace {

constexpr int kSchema = 1;

// Came later. A gatekeeper that does not know them can use the file all the same: no other schema.
constexpr const char* kLaterTables[] = {
    "CREATE TABLE IF NOT EXISTS served (robot TEXT NOT NULL, digest TEXT NOT NULL, "
    "PRIMARY KEY (robot, digest))",
    "CREATE TABLE IF NOT EXISTS allowed_steps (digest TEXT NOT NULL, came_from TEXT NOT NULL, "
    "people TEXT NOT NULL, last_day TEXT NOT NULL, "
    "PRIMARY KEY (digest, came_from, people, last_day))",
};

// Text and BIGINT only. What is looked up stands in columns; the rest stays in one message a row.
constexpr const char* kTables[] = {
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE fleets (fleet TEXT PRIMARY KEY, created_ms BIGINT NOT NULL)",
    "CREATE TABLE robots (robot TEXT PRIMARY KEY, fleet TEXT NOT NULL, hardware TEXT NOT NULL, "
    "created_ms BIGINT NOT NULL)",
    "CREATE TABLE tokens (sha256 TEXT PRIMARY KEY, robot TEXT NOT NULL, expires_ms BIGINT NOT "
    "NULL, "
    "used_ms BIGINT NOT NULL)",
    "CREATE TABLE units (digest TEXT PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, "
    "pushed_ms BIGINT NOT NULL, held_reason TEXT NOT NULL, released BIGINT NOT NULL, "
    "papers TEXT NOT NULL, UNIQUE (name, version))",
    "CREATE TABLE desired (robot TEXT PRIMARY KEY, state TEXT NOT NULL)",
    "CREATE TABLE observed (robot TEXT PRIMARY KEY, state TEXT NOT NULL)",
    "CREATE TABLE rollouts (id TEXT PRIMARY KEY, fleet TEXT NOT NULL, place BIGINT NOT NULL, "
    "state TEXT NOT NULL)",
    "CREATE INDEX rollouts_of_fleet ON rollouts (fleet, place)",
    "CREATE TABLE events (robot TEXT NOT NULL, id TEXT NOT NULL, received_ms BIGINT NOT NULL, "
    "event TEXT NOT NULL, PRIMARY KEY (robot, id))",
    "CREATE INDEX events_by_time ON events (received_ms)",
    "CREATE TABLE incidents (id TEXT PRIMARY KEY, fleet TEXT NOT NULL, opened_ms BIGINT NOT NULL, "
    "kind TEXT NOT NULL, title TEXT NOT NULL, facts TEXT NOT NULL, still_open BIGINT NOT NULL)",
    "CREATE TABLE audit (seq BIGINT PRIMARY KEY, wall_ms BIGINT NOT NULL, actor TEXT NOT NULL, "
    "action TEXT NOT NULL, object TEXT NOT NULL, detail TEXT NOT NULL, "
    "previous_sha256 TEXT NOT NULL, sha256 TEXT NOT NULL)",
};

absl::Status FromException(const char* what, const soci::soci_error& error) {
  const std::string text = absl::StrFormat("store: %s: %s", what, error.what());
  const auto* sqlite = dynamic_cast<const soci::sqlite3_soci_error*>(&error);
  const int code = sqlite == nullptr ? 0 : sqlite->result() & 0xff;
  if (code == SQLITE_FULL) {
    return absl::ResourceExhaustedError(text + "; make room on the gatekeeper's disk");
  }
  if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) return absl::DataLossError(text);
  return absl::UnavailableError(text);
}

absl::Status MakeSchema(soci::session& sql) {
  for (const char* statement : kTables) sql << statement;
  for (const char* statement : kLaterTables) sql << statement;
  const std::string version = std::to_string(kSchema);
  sql << "INSERT INTO meta (name, value) VALUES ('schema', :version)", soci::use(version);
  return absl::OkStatus();
}

absl::Status CheckSchema(soci::session& sql, const std::string& path) {
  int tables = 0, meta = 0;
  sql << "SELECT count(*), coalesce(sum(name = 'meta'), 0) FROM sqlite_master WHERE type = 'table'",
      soci::into(tables), soci::into(meta);
  if (tables == 0) return MakeSchema(sql);
  std::string version;
  if (meta > 0) {
    sql << "SELECT value FROM meta WHERE name = 'schema'", soci::into(version);
  }
  if (version == std::to_string(kSchema)) {
    for (const char* statement : kLaterTables) sql << statement;
    return absl::OkStatus();
  }
  if (version.empty()) {
    return absl::DataLossError(absl::StrFormat("%s is not a gatekeeper's database", path));
  }
  return absl::FailedPreconditionError(
      absl::StrFormat("%s has schema %s, this gatekeeper knows %d; use the newer gatekeeper", path,
                      version, kSchema));
}

}  // namespace

std::string ToColumn(const google::protobuf::Message& message) {
  return absl::Base64Escape(message.SerializeAsString());
}

absl::Status FromColumn(const std::string& column, const std::string& what,
                        google::protobuf::Message& message) {
  std::string bytes;
  if (absl::Base64Unescape(column, &bytes) && message.ParseFromString(bytes)) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrFormat("store: the row of %s cannot be read", what));
}

Store::Store(std::unique_ptr<Connection> connection) : connection_(std::move(connection)) {}
Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& path) {
  auto connection = std::make_unique<Connection>();
  try {
    // Five seconds: somebody may be copying the file with the sqlite3 program.
    connection->sql.open(*soci::factory_sqlite3(), "db=" + path + " timeout=5");
    std::string mode;
    connection->sql << "PRAGMA journal_mode = WAL", soci::into(mode);
    connection->sql << "PRAGMA synchronous = FULL";
  } catch (const soci::soci_error& error) {
    return FromException(("open " + path).c_str(), error);
  }
  std::unique_ptr<Store> store(new Store(std::move(connection)));
  RETURN_IF_ERROR(store->Atomically([&] { return CheckSchema(store->connection_->sql, path); }));
  return store;
}

absl::Status Store::Guarded(const char* what, const std::function<absl::Status()>& work) {
  try {
    return work();
  } catch (const soci::soci_error& error) {
    return FromException(what, error);
  }
}

absl::Status Store::Atomically(const std::function<absl::Status()>& work) {
  if (connection_->depth > 0) return Guarded("write", work);
  soci::session& sql = connection_->sql;
  RETURN_IF_ERROR(Guarded("begin", [&] {
    sql << "BEGIN IMMEDIATE";
    return absl::OkStatus();
  }));
  ++connection_->depth;
  absl::Status result = Guarded("write", work);
  --connection_->depth;
  if (result.ok()) {
    result = Guarded("commit", [&] {
      sql << "COMMIT";
      return absl::OkStatus();
    });
  }
  if (!result.ok()) {
    // Fails only when SQLite has undone the transaction by itself.
    (void)Guarded("undo", [&] {
      sql << "ROLLBACK";
      return absl::OkStatus();
    });
  }
  return result;
}

absl::StatusOr<std::string> Store::NextId(const std::string& kind) {
  const std::string name = "last " + kind;
  long long last = 0;
  RETURN_IF_ERROR(Atomically([&] {
    soci::session& sql = connection_->sql;
    std::string value;
    sql << "SELECT value FROM meta WHERE name = :name", soci::use(name), soci::into(value);
    const bool known = sql.got_data();
    last = (known ? std::stoll(value) : 0) + 1;
    value = std::to_string(last);
    if (known) {
      sql << "UPDATE meta SET value = :value WHERE name = :name", soci::use(value), soci::use(name);
    } else {
      sql << "INSERT INTO meta (name, value) VALUES (:name, :value)", soci::use(name),
          soci::use(value);
    }
    return absl::OkStatus();
  }));
  return absl::StrFormat("%s-%d", kind, last);
}

}  // namespace gatekeeper::store
