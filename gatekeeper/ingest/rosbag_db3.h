#pragma once

#include <sqlite3.h>

#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "agent/base/handle.h"
#include "gatekeeper/ingest/container.h"

namespace gatekeeper::ingest {

// A rosbag2 bag in SQLite, schema 1 to 4 (rosbag2_storage_sqlite3). Opened as immutable: SQLite
// then neither locks nor makes files beside it, also when the bag was left in WAL mode. What the
// -wal or -journal file of a killed writer still holds is merged in a private copy, and noted.
// Views and triggers of the file never run. kDataLoss: cut off, or pages that contradict each
// other.
class RosbagDb3 final : public Container {
 public:
  static absl::StatusOr<std::unique_ptr<Container>> Open(const Source& source);
  absl::Status ForEachMessage(const Selection& selection, const Callback& callback) const override;

 private:
  using Database = agent::base::Handle<sqlite3, sqlite3_close>;
  using Statement = agent::base::Handle<sqlite3_stmt, sqlite3_finalize>;

  explicit RosbagDb3(Source source) : Container(std::move(source)) {}
  absl::Status Connect();
  absl::Status Check();
  absl::Status ReadSchemaVersion();
  absl::Status ListTopics();
  absl::Status ReadDefinitions();
  absl::Status CountRows();
  absl::StatusOr<Statement> Prepare(const std::string& sql) const;
  absl::StatusOr<bool> Step(sqlite3_stmt* statement) const;  // whether there is a row
  absl::StatusOr<bool> HasTable(const std::string& name) const;
  absl::StatusOr<bool> HasColumn(const std::string& table, const std::string& name) const;
  absl::Status Failure() const;

  Database database_;
  int64_t schema_version_ = 0;
  std::map<int64_t, uint32_t> topic_of_;  // by topics.id
};

}  // namespace gatekeeper::ingest
