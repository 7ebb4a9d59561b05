#include <sqlite3.h>

#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <string>

#include "agent/base/handle.h"
#include "gatekeeper/ingest/recording_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::ingest {
namespace {

namespace fs = std::filesystem;
using testing::_;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::StatusIs;

using Database = agent::base::Handle<sqlite3, sqlite3_close>;

Database Make(const std::string& path, const std::string& sql) {
  sqlite3* raw = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &raw), SQLITE_OK);
  Database database(raw);
  char* error = nullptr;
  EXPECT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
  sqlite3_free(error);
  return database;
}

// rosbag2_storage_sqlite3's tables as each schema had them, two topics, three messages.
std::string Bag(int schema) {
  const std::string qos = schema >= 2 ? ", offered_qos_profiles TEXT NOT NULL DEFAULT ''" : "";
  const std::string hash = schema >= 4 ? ", type_description_hash TEXT NOT NULL DEFAULT ''" : "";
  std::string sql =
      "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,"
      " serialization_format TEXT NOT NULL" +
      qos + hash +
      ");"
      "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,"
      " timestamp INTEGER NOT NULL, data BLOB NOT NULL);"
      "CREATE INDEX timestamp_idx ON messages (timestamp ASC);"
      "INSERT INTO topics(id, name, type, serialization_format) VALUES"
      " (7, '/odom', 'nav_msgs/msg/Odometry', 'cdr'), (9, '/idle', 'std_msgs/msg/Empty', 'cdr');"
      "INSERT INTO messages(topic_id, timestamp, data) VALUES"
      " (7, 300, x'0001000003'), (7, 100, x'0001000001'), (7, 200, x'0001000002');";
  if (schema >= 3)
    sql +=
        "CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);"
        "CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL,"
        " metadata TEXT NOT NULL);"
        "INSERT INTO schema VALUES (" +
        std::to_string(schema) + ", 'humble');";
  if (schema >= 4)
    sql +=
        "CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL,"
        " encoding TEXT NOT NULL, encoded_message_definition TEXT NOT NULL,"
        " type_description_hash TEXT NOT NULL);"
        "INSERT INTO message_definitions VALUES"
        " (1, 'nav_msgs/msg/Odometry', 'ros2msg', 'float64 x', ''),"
        " (2, 'std_msgs/msg/Empty', 'unknown', '', '');";
  return sql;
}

absl::StatusOr<std::string> LastBytes(const RecordingFile& file) {
  std::string last;
  const absl::Status read = file.ForEachMessage({}, [&](const Topic&, const RawMessage& message) {
    last.push_back(message.data.back());
    return absl::OkStatus();
  });
  if (!read.ok()) return read;
  return last;
}

TEST(Db3Test, ReadsEverySchemaInOrderOfTime) {
  const tests::TempFolder folder;
  for (int schema = 1; schema <= 4; ++schema) {
    SCOPED_TRACE(schema);
    const std::string path = folder / ("bag" + std::to_string(schema));
    Make(path, Bag(schema));
    ASSERT_OK_AND_ASSIGN(const auto bag, OpenRecording(path));
    EXPECT_EQ(bag->facts().container, "rosbag2 sqlite3 schema " + std::to_string(schema));
    EXPECT_EQ(bag->facts().writer, schema >= 3 ? "ROS distribution humble" : "");
    EXPECT_THAT(bag->facts().notes, IsEmpty());
    ASSERT_EQ(bag->topics().size(), 2u);
    EXPECT_EQ(bag->topics()[0].messages, 3u);
    EXPECT_EQ(bag->topics()[0].schema, schema >= 4 ? "float64 x" : "");
    EXPECT_EQ(bag->topics()[0].schema_encoding, schema >= 4 ? "ros2msg" : "");
    EXPECT_EQ(bag->topics()[1].messages, 0u);
    EXPECT_EQ(bag->topics()[1].schema_encoding, "");
    ASSERT_OK_AND_ASSIGN(const std::string order, LastBytes(*bag));
    EXPECT_EQ(order, "\1\2\3");
  }
}

TEST(Db3Test, ASchemaNewerThanKnownIsReadAndNoted) {
  const tests::TempFolder folder;
  Make(folder / "bag.db3", Bag(4) + "INSERT INTO schema VALUES (5, 'later');");
  ASSERT_OK_AND_ASSIGN(const auto bag, OpenRecording(folder / "bag.db3"));
  EXPECT_THAT(bag->facts().notes, ElementsAre(HasSubstr("schema 5 is newer than 4")));
}

TEST(Db3Test, WhatAKilledWritersWalHoldsIsMergedInAPrivateCopy) {
  const tests::TempFolder folder;
  const std::string path = folder / "bag.db3";
  const Database writer = Make(path, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;" +
                                         Bag(4) + "PRAGMA wal_checkpoint(TRUNCATE);");
  {
    ASSERT_OK_AND_ASSIGN(const auto bag, OpenRecording(path));
    EXPECT_THAT(bag->facts().notes, IsEmpty());
    EXPECT_EQ(bag->topics()[0].messages, 3u);
  }
  ASSERT_EQ(sqlite3_exec(writer.get(), "INSERT INTO messages VALUES (4, 7, 400, x'0001000004')",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  const tests::TempFolder evidence;  // as the kill left it
  fs::copy_file(path, evidence / "bag.db3");
  fs::copy_file(path + "-wal", evidence / "bag.db3-wal");
  const std::string before = tests::ReadBytes(evidence / "bag.db3");
  const std::string wal = tests::ReadBytes(evidence / "bag.db3-wal");
  const tests::TempFolder temporary;
  setenv("TMPDIR", temporary.path().c_str(), 1);

  ASSERT_OK_AND_ASSIGN(const auto bag, OpenRecording(evidence / "bag.db3"));
  unsetenv("TMPDIR");
  ASSERT_OK_AND_ASSIGN(const std::string order, LastBytes(*bag));

  EXPECT_EQ(order, "\1\2\3\4");
  EXPECT_THAT(bag->facts().files, ElementsAre(evidence / "bag.db3"));
  EXPECT_THAT(bag->facts().notes,
              ElementsAre(AllOf(HasSubstr("bag.db3-wal held"), HasSubstr("a private copy"))));
  EXPECT_EQ(tests::ReadBytes(evidence / "bag.db3"), before);
  EXPECT_EQ(tests::ReadBytes(evidence / "bag.db3-wal"), wal);
  EXPECT_EQ(std::distance(fs::directory_iterator(evidence.path()), fs::directory_iterator()), 2);
  EXPECT_TRUE(fs::is_empty(temporary.path()));
}

TEST(Db3Test, ATransactionThatAKillCutIsRolledBackInAPrivateCopy) {
  const tests::TempFolder folder;
  const std::string path = folder / "bag.db3";
  // A cache of few pages makes SQLite write the half-done transaction into the file.
  const Database writer =
      Make(path, Bag(4) +
                     "PRAGMA cache_size = 2; PRAGMA synchronous = FULL; BEGIN;"
                     "UPDATE messages SET timestamp = timestamp + 1000;"
                     "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i "
                     "< 200) INSERT INTO messages SELECT 100 + i, 7, i, zeroblob(2000) FROM n;");
  const tests::TempFolder evidence;
  fs::copy_file(path, evidence / "bag.db3");
  fs::copy_file(path + "-journal", evidence / "bag.db3-journal");

  ASSERT_OK_AND_ASSIGN(const auto bag, OpenRecording(evidence / "bag.db3"));
  ASSERT_OK_AND_ASSIGN(const std::string order, LastBytes(*bag));

  EXPECT_EQ(order, "\1\2\3");
  EXPECT_THAT(bag->facts().notes, ElementsAre(HasSubstr("bag.db3-journal held")));
}

TEST(Db3Test, OddNamesAreNames) {
  const tests::TempFolder folder;
  const std::string path = folder / "50%25?mode=rwc#x.db3";
  Make(path, Bag(2));
  ASSERT_OK_AND_ASSIGN(const auto bag, OpenRecording(path));
  EXPECT_EQ(bag->topics()[0].messages, 3u);
}

TEST(Db3Test, ACutAnywhereIsRefused) {
  const tests::TempFolder folder;
  Make(folder / "bag.db3", "PRAGMA page_size = 512;" + Bag(4));
  const std::string whole = tests::ReadBytes(folder / "bag.db3");
  const std::string path = folder / "cut.db3";
  tests::WriteBytes(path, whole);
  for (size_t size = whole.size(); size-- > 0;) {
    fs::resize_file(path, size);
    const auto bag = OpenRecording(path);
    ASSERT_FALSE(bag.ok()) << size << " of " << whole.size();
    ASSERT_THAT(bag.status(), StatusIs(size < 16 ? absl::StatusCode::kInvalidArgument
                                                 : absl::StatusCode::kDataLoss,
                                       HasSubstr(path)));
  }
}

TEST(Db3Test, DamagedPagesAreRefused) {
  const tests::TempFolder folder;
  Make(folder / "bag.db3", "PRAGMA page_size = 512;" + Bag(4));
  std::string bytes = tests::ReadBytes(folder / "bag.db3");
  for (size_t at = 512; at < 1024; ++at) bytes[at] = '\x55';  // the root of a table
  tests::WriteBytes(folder / "bag.db3", bytes);
  EXPECT_THAT(OpenRecording(folder / "bag.db3"), StatusIs(absl::StatusCode::kDataLoss, _));
}

TEST(Db3Test, ADatabaseThatIsNoBagIsRefused) {
  const tests::TempFolder folder;
  Make(folder / "other.db3", "CREATE TABLE topics(id INTEGER);");
  EXPECT_THAT(OpenRecording(folder / "other.db3"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has no table messages")));
  Make(folder / "view.db3", "CREATE TABLE topics(id INTEGER); CREATE VIEW messages AS SELECT 1;");
  EXPECT_THAT(OpenRecording(folder / "view.db3"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("has no table messages")));
}

TEST(Db3Test, AMessageWithoutATopicIsDamage) {
  const tests::TempFolder folder;
  Make(folder / "bag.db3", Bag(4) + "INSERT INTO messages VALUES (9, 8, 400, x'00');");
  EXPECT_THAT(OpenRecording(folder / "bag.db3"),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("topic 8")));
}

TEST(Db3Test, AMessageLargerThanTheCapIsRefusedAndTheRestStillCounts) {
  const tests::TempFolder folder;
  Make(folder / "bag.db3", Bag(4) + "INSERT INTO messages VALUES (9, 7, 400, zeroblob(67108865));");
  ASSERT_OK_AND_ASSIGN(const auto bag, OpenRecording(folder / "bag.db3"));
  EXPECT_EQ(bag->topics()[0].messages, 4u);
  EXPECT_THAT(LastBytes(*bag).status(), StatusIs(absl::StatusCode::kResourceExhausted, _));
}

}  // namespace
}  // namespace gatekeeper::ingest
