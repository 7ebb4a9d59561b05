#include "agent/lifecycle/sqlite.h"

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace agent::lifecycle {
namespace {

constexpr int kBusyTimeoutMs = 2000;  // somebody looks into the file with the sqlite3 tool

absl::Status Broken(sqlite3* database, int result) {
  const std::string text = absl::StrFormat(
      "journal: %s", database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(result));
  switch (result & 0xff) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(text + "; free some space on the state folder's disk");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(text);
    default:
      return absl::InternalError(text);
  }
}

}  // namespace

Statement& Statement::Bind(std::string_view text) {
  if (bind_result_ == SQLITE_OK) {
    bind_result_ = sqlite3_bind_text(statement_.get(), ++bound_, text.data(),
                                     static_cast<int>(text.size()), SQLITE_TRANSIENT);
  }
  return *this;
}

Statement& Statement::BindBlob(std::string_view bytes) {
  if (bind_result_ == SQLITE_OK) {
    bind_result_ = sqlite3_bind_blob(statement_.get(), ++bound_, bytes.data(),
                                     static_cast<int>(bytes.size()), SQLITE_TRANSIENT);
  }
  return *this;
}

Statement& Statement::Bind(int64_t number) {
  if (bind_result_ == SQLITE_OK) {
    bind_result_ = sqlite3_bind_int64(statement_.get(), ++bound_, number);
  }
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  if (bind_result_ != SQLITE_OK) return Broken(database_, bind_result_);
  const int result = sqlite3_step(statement_.get());
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  return Broken(database_, result);
}

absl::Status Statement::Run() {
  while (true) {
    ASSIGN_OR_RETURN(const bool row, Step());
    if (!row) return absl::OkStatus();  // pragmas answer with a row that nobody needs
  }
}

std::string Statement::Text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr) return "";
  return std::string(static_cast<const char*>(bytes), static_cast<size_t>(size));
}

int64_t Statement::Number(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

absl::StatusOr<Database> Database::Open(const std::string& path) {
  sqlite3* opened = nullptr;
  const int result =
      sqlite3_open_v2(path.c_str(), &opened,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  Database database(opened);
  if (result != SQLITE_OK) return Broken(opened, result);
  sqlite3_busy_timeout(opened, kBusyTimeoutMs);
  RETURN_IF_ERROR(database.Run("PRAGMA journal_mode=WAL"));
  RETURN_IF_ERROR(database.Run("PRAGMA synchronous=FULL"));
  Statement check = database.Prepare("PRAGMA quick_check(1)");
  ASSIGN_OR_RETURN(const bool row, check.Step());
  if (!row || check.Text(0) != "ok") {
    return absl::DataLossError(absl::StrFormat("journal %s is damaged: %s", path, check.Text(0)));
  }
  return database;
}

Statement Database::Prepare(std::string_view sql) {
  sqlite3_stmt* prepared = nullptr;
  const int result = sqlite3_prepare_v2(database_.get(), sql.data(), static_cast<int>(sql.size()),
                                        &prepared, nullptr);
  Statement statement(database_.get(), prepared);
  statement.bind_result_ = result;
  return statement;
}

absl::Status Database::InTransaction(const std::function<absl::Status()>& work) {
  RETURN_IF_ERROR(Run("BEGIN IMMEDIATE"));
  absl::Status status = work();
  if (status.ok()) status = Run("COMMIT");
  // A failed COMMIT may or may not have rolled back already.
  if (!status.ok() && sqlite3_get_autocommit(database_.get()) == 0) {
    if (const absl::Status undone = Run("ROLLBACK"); !undone.ok()) return undone;
  }
  return status;
}

}  // namespace agent::lifecycle
