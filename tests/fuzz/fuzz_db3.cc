#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>

#include "gatekeeper/ingest/recording_file.h"
#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/target.h"

// A rosbag2 bag of SQLite pages: what is counted is what is delivered, in order of time.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 2'000'000, .per_input_byte = 16};

namespace {

constexpr sqlite3_int64 kMostOfSqlite = 16'000'000;  // a cache of 2 MB, a schema, sorting

using gatekeeper::ingest::OpenRecording;
using gatekeeper::ingest::RawMessage;
using gatekeeper::ingest::Topic;

std::string SmallBag() {
  sqlite3* database = nullptr;
  fuzz::Check(sqlite3_open(":memory:", &database) == SQLITE_OK, "the seed cannot be made");
  const char* sql =
      "PRAGMA page_size = 512;"
      "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,"
      " serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);"
      "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,"
      " timestamp INTEGER NOT NULL, data BLOB NOT NULL);"
      "CREATE INDEX timestamp_idx ON messages (timestamp ASC);"
      "INSERT INTO topics VALUES (1, '/odom', 'nav_msgs/msg/Odometry', 'cdr', '');"
      "INSERT INTO messages(topic_id, timestamp, data) VALUES"
      " (1, 300, x'0001000003'), (1, 100, zeroblob(700)), (1, 200, x'0001000002');";
  fuzz::Check(sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK, "seed");
  sqlite3_int64 size = 0;
  unsigned char* bytes = sqlite3_serialize(database, "main", &size, 0);
  std::string seed(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  sqlite3_free(bytes);
  sqlite3_close(database);
  return seed;
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  std::vector<std::string> seeds = {SmallBag()};
  for (const char* name : {"rosbag2/talker.db3", "rosbag2/test_bag_for_seek_0.db3"}) {
    std::string bytes = RecordingBytes(name, 64 << 10);
    if (!bytes.empty()) seeds.push_back(std::move(bytes));
  }
  return seeds;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (!fuzz::Text(data, size).starts_with("SQLite format 3")) return 0;
  // SQLite resolves links in paths, and a memory file's leads nowhere.
  std::string path = std::filesystem::temp_directory_path() / "fuzz-db3-XXXXXX";
  const agent::base::UniqueFd fd(mkstemp(path.data()));
  fuzz::Check(fd.valid() && write(fd.get(), data, size) == static_cast<ssize_t>(size), "no file");
  const auto file = OpenRecording(path);
  unlink(path.c_str());
  if (!file.ok()) return 0;
  uint64_t counted = 0;
  for (const Topic& topic : (*file)->topics()) counted += topic.messages;
  int64_t last = INT64_MIN;
  const absl::Status read =
      (*file)->ForEachMessage({}, [&](const Topic&, const RawMessage& message) {
        fuzz::Check(message.log_time_ns >= last, "messages out of order");
        last = message.log_time_ns;
        --counted;
        return absl::OkStatus();
      });
  if (read.ok()) fuzz::Check(counted == 0, "other messages were counted than are delivered");
  fuzz::Check(sqlite3_memory_highwater(1) < kMostOfSqlite, "SQLite took too much memory");
  return 0;
}
