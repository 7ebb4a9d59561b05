#include <malloc.h>
#include <sqlite3.h>

#include <algorithm>
#include <string>

#include "agent/recording/mcap_writer.h"
#include "gatekeeper/ingest/recording_file.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/gatekeeper/ingest/ulog_bytes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// What a reader holds while it reads does not grow with the file. (Sanitizers keep books of their
// own, so that these figures are 0 there.)

namespace gatekeeper::ingest {
namespace {

constexpr size_t kFileBytes = 48 << 20;
constexpr size_t kMessageBytes = 60'000;
constexpr size_t kMessages = kFileBytes / kMessageBytes;
constexpr size_t kMostHeld = 12 << 20;

size_t HeldBytes() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

void ExpectBoundedReading(const std::string& path) {
  const size_t before = HeldBytes();
  size_t most = 0;
  size_t messages = 0;
  ASSERT_OK_AND_ASSIGN(const auto file, OpenRecording(path));
  ASSERT_OK(file->ForEachMessage({}, [&](const Topic&, const RawMessage&) {
    if (++messages % 16 == 0) most = std::max(most, HeldBytes());
    return absl::OkStatus();
  }));
  EXPECT_EQ(messages, kMessages);
  EXPECT_LT(most, before + kMostHeld);
}

TEST(MemoryTest, OfAnMcapFileIsThatOfItsChunks) {
  const tests::TempFolder folder;
  auto writer = agent::recording::McapWriter::Create(
      folder / "x.mcap", {.compression = agent::recording::Compression::kNone});
  ASSERT_OK(writer);
  ASSERT_OK_AND_ASSIGN(const uint16_t channel, writer->AddChannel(0, "/data", "raw", {}));
  const std::string data(kMessageBytes, 'x');
  for (size_t i = 0; i < kMessages; ++i)
    ASSERT_OK(writer->Write({.channel_id = channel, .log_time_ns = i * 1'000'000, .data = data}));
  ASSERT_OK(writer->Close());
  ExpectBoundedReading(folder / "x.mcap");
}

TEST(MemoryTest, OfABagIsThatOfSomePages) {
  const tests::TempFolder folder;
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "x.db3").c_str(), &database), SQLITE_OK);
  const std::string sql =
      "PRAGMA synchronous = OFF;"
      "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT, serialization_format "
      "TEXT);"
      "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER, data "
      "BLOB);"
      "CREATE INDEX timestamp_idx ON messages (timestamp ASC);"
      "INSERT INTO topics VALUES (1, '/data', 't', 'raw');"
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
      std::to_string(kMessages) + ") INSERT INTO messages SELECT i, 1, i, zeroblob(" +
      std::to_string(kMessageBytes) + ") FROM n;";
  ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK);
  ASSERT_EQ(sqlite3_close(database), SQLITE_OK);
  ExpectBoundedReading(folder / "x.db3");
}

TEST(MemoryTest, OfAnAutopilotsLogIsThatOfAStretch) {
  const tests::TempFolder folder;
  tests::UlogBytes log;
  log.Format("wide:uint64_t timestamp;uint8_t[59992] x;").Subscribe(0, "wide");
  const std::string rest(kMessageBytes - 8, 'x');
  for (size_t i = 0; i < kMessages; ++i) log.Data(0, 1000 * i, rest);
  tests::WriteBytes(folder / "x.ulg", log.bytes());
  ExpectBoundedReading(folder / "x.ulg");
}

}  // namespace
}  // namespace gatekeeper::ingest
