#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/handle.h"

namespace agent::lifecycle {

// One prepared statement: Bind in order, then Step over the rows.
class Statement {
 public:
  Statement& Bind(std::string_view text);
  Statement& Bind(int64_t number);
  Statement& BindBlob(std::string_view bytes);
  // true: a row stands ready; false: done.
  absl::StatusOr<bool> Step();
  // For statements without rows.
  absl::Status Run();

  std::string Text(int column) const;  // text and blobs alike
  int64_t Number(int column) const;

 private:
  friend class Database;
  Statement(sqlite3* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}

  sqlite3* database_;
  base::Handle<sqlite3_stmt, sqlite3_finalize> statement_;
  int bound_ = 0;
  int bind_result_ = SQLITE_OK;
};

// One SQLite file in WAL mode with synchronous FULL: a finished transaction survives a power cut.
// Errors: kResourceExhausted disk full, kDataLoss not a sound database, kInternal anything else.
class Database {
 public:
  static absl::StatusOr<Database> Open(const std::string& path);

  // Errors of the text are found out at Step.
  Statement Prepare(std::string_view sql);
  absl::Status Run(std::string_view sql) { return Prepare(sql).Run(); }
  // Everything `work` does, or, when it answers an error or the commit fails, nothing of it.
  absl::Status InTransaction(const std::function<absl::Status()>& work);

 private:
  explicit Database(sqlite3* database) : database_(database) {}

  base::Handle<sqlite3, sqlite3_close_v2> database_;
};

}  // namespace agent::lifecycle
