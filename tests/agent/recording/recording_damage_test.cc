#include <atomic>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"
#include "agent/recording/mcap_codec.h"
#include "agent/recording/mcap_reader.h"
#include "agent/recording/mcap_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace {
// The largest single allocation since it was set to 0: hostile sizes must not reach the allocator.
std::atomic<size_t> largest_allocation{0};
}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  if (size > largest_allocation) largest_allocation = size;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(size_t size, const std::nothrow_t&) noexcept {
  if (size > largest_allocation) largest_allocation = size;
  return std::malloc(size);
}
[[gnu::noinline]] void* operator new[](size_t size) { return operator new(size); }
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete[](void* p, size_t) noexcept { std::free(p); }

namespace agent::recording {
namespace {

using testing::HasSubstr;
using testing::Not;
using tests::StatusIs;

constexpr size_t kAllowedBytes = 1 << 20;  // the cap these tests give the reader

McapReaderOptions Capped(Truncation truncation) {
  return {.truncation = truncation,
          .max_record_bytes = kAllowedBytes,
          .max_chunk_bytes = kAllowedBytes,
          .max_open_bytes = 4 * kAllowedBytes};
}

// Opens and reads everything; the number of messages, or the first error.
absl::StatusOr<size_t> CountMessages(const std::string& path, Truncation truncation) {
  absl::StatusOr<McapReader> reader = McapReader::Open(path, Capped(truncation));
  if (!reader.ok()) return reader.status();
  size_t count = 0;
  const absl::Status status = reader->ForEachMessage({}, [&count](const Channel&, const Message&) {
    ++count;
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  const absl::StatusOr<std::vector<Metadata>> metadata = reader->ReadMetadata();
  if (!metadata.ok()) return metadata.status();
  const absl::StatusOr<std::vector<Attachment>> attachments = reader->ReadAttachments();
  if (!attachments.ok()) return attachments.status();
  return count;
}

constexpr size_t kMessages = 12;

class RecordingDamageTest : public testing::TestWithParam<Compression> {
 protected:
  // Some chunks, metadata and an attachment in about 2 kB.
  std::string SmallFile() {
    absl::StatusOr<McapWriter> writer =
        McapWriter::Create(path_, {.compression = GetParam(), .chunk_bytes = 100});
    EXPECT_OK(writer);
    EXPECT_OK(writer->AddSchema("s", "protobuf", "descriptor"));
    EXPECT_OK(writer->Write(Metadata{.name = "m", .values = {{"k", "v"}}}));
    const absl::StatusOr<uint16_t> channel = writer->AddChannel(1, "/a", "protobuf", {{"k", "v"}});
    EXPECT_OK(channel);
    for (uint64_t i = 0; i < kMessages; ++i)
      EXPECT_OK(writer->Write(
          Message{.channel_id = *channel, .log_time_ns = i, .data = "some bytes of data"}));
    EXPECT_OK(writer->Write(Attachment{.name = "a", .media_type = "text/plain", .data = "xyz"}));
    EXPECT_OK(writer->Close());
    return tests::ReadBytes(path_);
  }

  void WriteByte(size_t at, char byte) {
    std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
  }

  tests::TempFolder folder_;
  const std::string path_ = folder_ / "a.mcap";
};

INSTANTIATE_TEST_SUITE_P(Each, RecordingDamageTest,
                         testing::Values(Compression::kNone, Compression::kLz4,
                                         Compression::kZstd));

TEST_P(RecordingDamageTest, RefusesTheFileCutOffAtAnyByte) {
  const std::string whole = SmallFile();
  for (size_t size = 0; size < whole.size(); ++size) {
    tests::WriteBytes(path_, whole.substr(0, size));
    EXPECT_THAT(CountMessages(path_, Truncation::kRefuse),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("byte")))
        << size;
  }
}

TEST_P(RecordingDamageTest, RecoversWholeChunksOfTheFileCutOffAtAnyByteAndSaysSo) {
  const std::string whole = SmallFile();
  size_t last = 0;
  for (size_t size = kMcapMagic.size(); size < whole.size(); ++size) {
    tests::WriteBytes(path_, whole.substr(0, size));
    ASSERT_OK_AND_ASSIGN(const McapReader reader,
                         McapReader::Open(path_, Capped(Truncation::kRecover)));
    ASSERT_TRUE(reader.recovery().has_value());
    EXPECT_EQ(reader.recovery()->kept_bytes + reader.recovery()->lost_bytes, size);
    ASSERT_OK_AND_ASSIGN(const size_t count, CountMessages(path_, Truncation::kRecover));
    EXPECT_GE(count, last) << "a longer file cannot hold less";
    last = count;
  }
  EXPECT_EQ(last, kMessages);
}

TEST_P(RecordingDamageTest, AWholeFileNeedsNoRecovery) {
  SmallFile();
  ASSERT_OK_AND_ASSIGN(const McapReader reader,
                       McapReader::Open(path_, Capped(Truncation::kRecover)));
  EXPECT_FALSE(reader.recovery().has_value());
}

// A file whose last pages never reached the disk: the length is there, the bytes are zero.
TEST_P(RecordingDamageTest, RecoversWhatStandsBeforePagesThatAreEmpty) {
  std::string bytes = SmallFile();
  const size_t from = bytes.size() / 3;
  std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(from), bytes.end(), '\0');
  tests::WriteBytes(path_, bytes);
  ASSERT_OK_AND_ASSIGN(const McapReader reader,
                       McapReader::Open(path_, Capped(Truncation::kRecover)));
  EXPECT_TRUE(reader.recovery().has_value());
  ASSERT_OK_AND_ASSIGN(const size_t count, CountMessages(path_, Truncation::kRecover));
  EXPECT_LT(count, kMessages);
}

// Every byte before the summary is covered by the data section's CRC, every byte of it by the
// summary's.
TEST_P(RecordingDamageTest, NoticesEveryFlippedBitAndAllocatesNoMoreThanItsCaps) {
  const std::string whole = SmallFile();
  largest_allocation = 0;
  for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
    const size_t at = bit / 8;
    WriteByte(at, static_cast<char>(whole[at] ^ (1 << (bit % 8))));
    EXPECT_THAT(CountMessages(path_, Truncation::kRefuse).status(), Not(tests::IsOk())) << bit;
    (void)CountMessages(path_, Truncation::kRecover);  // must not crash; may keep a part
    WriteByte(at, whole[at]);
  }
  EXPECT_LE(largest_allocation, 2 * kAllowedBytes);
}

// The records of a file, one of which claims more than there is.
class RecordingHostileTest : public testing::Test {
 protected:
  absl::Status Read(std::string_view record) {
    std::string bytes(kMcapMagic);
    Encode(Header{}, bytes);
    Encode(Channel{.id = 1, .schema_id = 0, .topic = "/a"}, bytes);
    bytes += record;
    Encode(DataEnd{}, bytes);
    Encode(Footer{}, bytes);
    bytes += kMcapMagic;
    tests::WriteBytes(path_, bytes);
    largest_allocation = 0;
    const absl::Status status = CountMessages(path_, Truncation::kRefuse).status();
    EXPECT_LE(largest_allocation, 2 * kAllowedBytes);
    return status;
  }

  tests::TempFolder folder_;
  const std::string path_ = folder_ / "hostile.mcap";
};

TEST_F(RecordingHostileTest, RefusesARecordLongerThanTheFile) {
  std::string record("\x0C\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 9);
  EXPECT_THAT(Read(record), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("are left")));
  record = std::string("\x06\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 9);
  EXPECT_THAT(Read(record), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("are left")));
}

TEST_F(RecordingHostileTest, RefusesARecordLargerThanTheCap) {
  std::string record;
  Encode(Attachment{.name = "big", .data = std::string(2 * kAllowedBytes, 'x')}, record);
  EXPECT_THAT(Read(record), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("allowed")));
}

TEST_F(RecordingHostileTest, RefusesAChunkThatClaimsToUnpackBeyondTheCap) {
  for (const char* compression : {"", "lz4", "zstd"}) {
    std::string record;
    Encode(Chunk{.uncompressed_size = UINT64_MAX - 7, .compression = compression, .records = "xyz"},
           record);
    EXPECT_THAT(Read(record), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("byte")));
  }
}

TEST_F(RecordingHostileTest, RefusesAChunkThatClaimsMoreThanItsFormatCanPack) {
  std::string record;
  Encode(Chunk{.uncompressed_size = kAllowedBytes - 1, .compression = "lz4", .records = "xyz"},
         record);
  EXPECT_THAT(Read(record), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("cannot do")));
}

TEST_F(RecordingHostileTest, RefusesAChunkWhoseSizesLie) {
  ASSERT_OK_AND_ASSIGN(const std::string packed,
                       Compress(Compression::kZstd, std::string(1000, 'x')));
  for (const uint64_t size : {999u, 1001u}) {
    std::string record;
    Encode(Chunk{.uncompressed_size = size, .compression = "zstd", .records = packed}, record);
    EXPECT_THAT(Read(record), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("zstd")));
  }
  ASSERT_OK_AND_ASSIGN(const std::string lz4, Compress(Compression::kLz4, std::string(1000, 'x')));
  for (const uint64_t size : {999u, 1001u}) {
    std::string record;
    Encode(Chunk{.uncompressed_size = size, .compression = "lz4", .records = lz4}, record);
    EXPECT_THAT(Read(record), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("lz4")));
  }
}

TEST_F(RecordingHostileTest, RefusesAnUnknownCompression) {
  std::string record;
  Encode(Chunk{.compression = "brotli"}, record);
  EXPECT_THAT(Read(record), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("brotli")));
}

TEST_F(RecordingHostileTest, RefusesListsThatReachBeyondTheirRecord) {
  std::string record;
  Encode(Metadata{.name = "m", .values = {{"key", "value"}}}, record);
  record[9 + 4 + 1] = '\x7F';  // the map claims 127 bytes
  EXPECT_THAT(Read(record), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("Metadata")));
}

TEST_F(RecordingHostileTest, RefusesAMessageOnAnUndefinedChannel) {
  std::string record;
  Encode(Message{.channel_id = 2}, record);
  EXPECT_THAT(Read(record), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("channel 2")));
}

TEST_F(RecordingHostileTest, RefusesAChunkThatLiesAboutItsTimes) {
  std::string inside;
  Encode(Message{.channel_id = 1, .log_time_ns = 100}, inside);
  std::string record;
  Encode(Chunk{.start_time_ns = 200,
               .end_time_ns = 300,
               .uncompressed_size = inside.size(),
               .records = inside},
         record);
  EXPECT_THAT(Read(record), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("log time 100")));
}

TEST_F(RecordingHostileTest, RefusesAChannelThatIsDefinedTwiceDifferently) {
  std::string record;
  Encode(Channel{.id = 1, .schema_id = 0, .topic = "/b"}, record);
  EXPECT_THAT(Read(record), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("twice")));
}

TEST_F(RecordingHostileTest, PassesOverRecordsOfUnknownKinds) {
  const std::string record("\x90\x02\x00\x00\x00\x00\x00\x00\x00hi", 11);
  EXPECT_OK(Read(record));
}

}  // namespace
}  // namespace agent::recording
