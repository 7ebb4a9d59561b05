#include "gatekeeper/ingest/rosbag_db3.h"

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/ingest/merged_bag.h"

namespace gatekeeper::ingest {
namespace {

namespace fs = std::filesystem;

constexpr int kMostValueBytes = 64 << 20;  // of a message, as of any record of an MCAP file
constexpr int kNewestSchema = 4;
constexpr size_t kHeaderBytes = 100;  // sqlite.org/fileformat2.html, section 1.3

// SQLite's URI form of a path, in which ? and # and % mean something.
std::string ImmutableUri(const std::string& path) {
  std::string uri = "file://";
  for (const char c : fs::absolute(path).string())
    if (c == '?' || c == '#' || c == '%') {
      absl::StrAppend(&uri, absl::StrFormat("%%%02x", static_cast<int>(c)));
    } else {
      uri.push_back(c);
    }
  return uri + "?immutable=1";
}

uint32_t BigEndian(std::string_view bytes) {
  uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<uint8_t>(c);
  return value;
}

// SQLite reads a file that was cut off as far as its pages reach; the header says how far that
// should be (believed when its two change counters agree, as SQLite itself does).
absl::Status CheckSize(const Source& source) {
  std::ifstream file(source.path, std::ios::binary);
  std::string header(kHeaderBytes, '\0');
  file.read(header.data(), kHeaderBytes);
  std::error_code failed;
  const uintmax_t size = fs::file_size(source.path, failed);
  if (!file || failed)
    return absl::DataLossError(source.name + " is shorter than the header of an SQLite file");
  const std::string_view view(header);
  const uint32_t stated = BigEndian(view.substr(16, 2));
  const uint64_t page = stated == 1 ? 65536 : stated;
  const uint64_t wanted = page * BigEndian(view.substr(28, 4));
  if (view.substr(24, 4) == view.substr(92, 4) && wanted > size)
    return absl::DataLossError(
        absl::StrFormat("%s is cut off: it has %d bytes of %d", source.name, size, wanted));
  return absl::OkStatus();
}

std::string TextAt(sqlite3_stmt* statement, int column) {
  const unsigned char* text = sqlite3_column_text(statement, column);
  const int size = sqlite3_column_bytes(statement, column);
  return text == nullptr
             ? ""
             : std::string(reinterpret_cast<const char*>(text), static_cast<size_t>(size));
}

std::string_view BlobAt(sqlite3_stmt* statement, int column) {
  const void* blob = sqlite3_column_blob(statement, column);
  const int size = sqlite3_column_bytes(statement, column);
  if (blob == nullptr) return {};
  return {static_cast<const char*>(blob), static_cast<size_t>(size)};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Container>> RosbagDb3::Open(const Source& source) {
  ASSIGN_OR_RETURN(const std::unique_ptr<MergedBag> merged, MergedBag::Of(source));
  const Source read = merged == nullptr ? source : Source{merged->path(), source.name};
  RETURN_IF_ERROR(CheckSize(read));
  std::unique_ptr<RosbagDb3> bag(new RosbagDb3(read));
  RETURN_IF_ERROR(bag->Connect());
  RETURN_IF_ERROR(bag->Check());
  RETURN_IF_ERROR(bag->ReadSchemaVersion());
  RETURN_IF_ERROR(bag->ListTopics());
  RETURN_IF_ERROR(bag->CountRows());
  if (merged != nullptr) bag->facts_.notes.push_back(merged->note());
  return bag;
}

absl::Status RosbagDb3::Failure() const {
  const int code = sqlite3_errcode(database_.get()) & 0xff;
  const std::string text =
      absl::StrFormat("%s: SQLite: %s", source_.name, sqlite3_errmsg(database_.get()));
  if (code == SQLITE_TOOBIG || code == SQLITE_NOMEM || code == SQLITE_FULL)
    return absl::ResourceExhaustedError(text);
  return absl::DataLossError(text);
}

absl::Status RosbagDb3::Connect() {
  sqlite3* raw = nullptr;
  const int opened =
      sqlite3_open_v2(ImmutableUri(source_.path).c_str(), &raw,
                      SQLITE_OPEN_READONLY | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX, nullptr);
  database_.reset(raw);
  if (opened != SQLITE_OK) return Failure();
  for (const auto& [option, value] :
       {std::pair(SQLITE_DBCONFIG_DEFENSIVE, 1), std::pair(SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0),
        std::pair(SQLITE_DBCONFIG_ENABLE_VIEW, 0), std::pair(SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)})
    if (sqlite3_db_config(raw, option, value, nullptr) != SQLITE_OK) return Failure();
  sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, kMostValueBytes);
  return absl::OkStatus();
}

absl::StatusOr<RosbagDb3::Statement> RosbagDb3::Prepare(const std::string& sql) const {
  sqlite3_stmt* raw = nullptr;
  if (sqlite3_prepare_v2(database_.get(), sql.c_str(), -1, &raw, nullptr) != SQLITE_OK)
    return Failure();
  return Statement(raw);
}

absl::StatusOr<bool> RosbagDb3::Step(sqlite3_stmt* statement) const {
  const int code = sqlite3_step(statement);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return Failure();
}

absl::StatusOr<bool> RosbagDb3::HasTable(const std::string& name) const {
  ASSIGN_OR_RETURN(
      const Statement statement,
      Prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '" + name + "'"));
  return Step(statement.get());
}

absl::StatusOr<bool> RosbagDb3::HasColumn(const std::string& table, const std::string& name) const {
  ASSIGN_OR_RETURN(const Statement statement, Prepare("SELECT 1 FROM pragma_table_info('" + table +
                                                      "') WHERE name = '" + name + "'"));
  return Step(statement.get());
}

absl::Status RosbagDb3::Check() {
  ASSIGN_OR_RETURN(const Statement statement, Prepare("PRAGMA integrity_check(1)"));
  ASSIGN_OR_RETURN(const bool row, Step(statement.get()));
  const std::string found = row ? TextAt(statement.get(), 0) : "no answer";
  if (found != "ok")
    return absl::DataLossError(absl::StrFormat("%s is damaged: %s", source_.name, found));
  for (const char* table : {"topics", "messages"}) {
    ASSIGN_OR_RETURN(const bool there, HasTable(table));
    if (!there)
      return absl::InvalidArgumentError(absl::StrFormat(
          "%s is an SQLite file but no rosbag2 bag: it has no table %s", source_.name, table));
  }
  return absl::OkStatus();
}

// Schemas 1 and 2 have no number; 2 added the column offered_qos_profiles.
absl::Status RosbagDb3::ReadSchemaVersion() {
  ASSIGN_OR_RETURN(const bool numbered, HasTable("schema"));
  if (numbered) {
    ASSIGN_OR_RETURN(const Statement statement,
                     Prepare("SELECT schema_version, ros_distro FROM schema "
                             "ORDER BY schema_version DESC LIMIT 1"));
    ASSIGN_OR_RETURN(const bool row, Step(statement.get()));
    if (row) {
      schema_version_ = sqlite3_column_int64(statement.get(), 0);
      facts_.writer = "ROS distribution " + TextAt(statement.get(), 1);
    }
  }
  if (schema_version_ == 0) {
    ASSIGN_OR_RETURN(const bool qos, HasColumn("topics", "offered_qos_profiles"));
    schema_version_ = qos ? 2 : 1;
  }
  facts_.container = absl::StrCat("rosbag2 sqlite3 schema ", schema_version_);
  facts_.compression = "none";
  facts_.checksums = "none";
  if (schema_version_ > kNewestSchema)
    facts_.notes.push_back(absl::StrFormat("%s: schema %d is newer than %d, the newest known here",
                                           source_.name, schema_version_, kNewestSchema));
  return absl::OkStatus();
}

absl::Status RosbagDb3::ListTopics() {
  ASSIGN_OR_RETURN(const Statement statement,
                   Prepare("SELECT id, name, type, serialization_format FROM topics ORDER BY id"));
  while (true) {
    ASSIGN_OR_RETURN(const bool row, Step(statement.get()));
    if (!row) break;
    Topic topic;
    topic.id = static_cast<uint32_t>(topics_.size());
    topic.name = TextAt(statement.get(), 1);
    topic.type = TextAt(statement.get(), 2);
    topic.message_encoding = TextAt(statement.get(), 3);
    topic_of_[sqlite3_column_int64(statement.get(), 0)] = topic.id;
    topics_.push_back(std::move(topic));
  }
  ASSIGN_OR_RETURN(const bool defined, HasTable("message_definitions"));
  return defined ? ReadDefinitions() : absl::OkStatus();
}

absl::Status RosbagDb3::ReadDefinitions() {
  ASSIGN_OR_RETURN(const Statement statement,
                   Prepare("SELECT topic_type, encoding, encoded_message_definition "
                           "FROM message_definitions"));
  while (true) {
    ASSIGN_OR_RETURN(const bool row, Step(statement.get()));
    if (!row) return absl::OkStatus();
    const std::string type = TextAt(statement.get(), 0);
    const std::string encoding = TextAt(statement.get(), 1);
    const std::string definition = TextAt(statement.get(), 2);
    if (encoding == "unknown" || definition.empty()) continue;  // rosbag2's word for "not found"
    for (Topic& topic : topics_)
      if (topic.type == type) {
        topic.schema_encoding = encoding;
        topic.schema = definition;
      }
  }
}

// One pass over the rows' first columns; payloads are not touched.
absl::Status RosbagDb3::CountRows() {
  ASSIGN_OR_RETURN(const Statement statement, Prepare("SELECT topic_id, timestamp FROM messages"));
  while (true) {
    ASSIGN_OR_RETURN(const bool row, Step(statement.get()));
    if (!row) return absl::OkStatus();
    const int64_t id = sqlite3_column_int64(statement.get(), 0);
    const auto topic = topic_of_.find(id);
    if (topic == topic_of_.end() || sqlite3_column_type(statement.get(), 1) != SQLITE_INTEGER)
      return absl::DataLossError(
          absl::StrFormat("%s: a message of topic %d has no topic or no time; the bag is damaged",
                          source_.name, id));
    ++topics_[topic->second].messages;
    span_.Add(sqlite3_column_int64(statement.get(), 1));
  }
}

absl::Status RosbagDb3::ForEachMessage(const Selection& selection, const Callback& callback) const {
  std::vector<int64_t> wanted;
  for (const auto& [id, index] : topic_of_)
    if (selection.topics.empty() || selection.topics.contains(topics_[index].name))
      wanted.push_back(id);
  ASSIGN_OR_RETURN(
      const Statement statement,
      Prepare(absl::StrFormat("SELECT topic_id, timestamp, data FROM messages WHERE timestamp >= "
                              "?1 AND timestamp <= ?2 AND topic_id IN (%s) ORDER BY timestamp, id",
                              absl::StrJoin(wanted, ","))));
  sqlite3_bind_int64(statement.get(), 1, selection.from_ns);
  sqlite3_bind_int64(statement.get(), 2, selection.to_ns);
  agent::recording::Buffer room;
  int64_t last_ns = INT64_MIN;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, Step(statement.get()));
    if (!row) return absl::OkStatus();
    const int64_t time_ns = sqlite3_column_int64(statement.get(), 1);
    if (time_ns < last_ns)
      return absl::DataLossError(source_.name + ": its index of times contradicts its messages");
    last_ns = time_ns;
    const Topic& topic = topics_[topic_of_.at(sqlite3_column_int64(statement.get(), 0))];
    ASSIGN_OR_RETURN(const std::string_view data,
                     PlainMessage(topic, BlobAt(statement.get(), 2), room));
    RETURN_IF_ERROR(
        callback(topic, {.log_time_ns = time_ns, .publish_time_ns = time_ns, .data = data}));
  }
}

}  // namespace gatekeeper::ingest
