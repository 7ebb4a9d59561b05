#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/recording/mcap_codec.h"
#include "agent/recording/mcap_reader.h"
#include "agent/recording/mcap_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::recording {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using tests::StatusIs;

struct Seen {
  std::string topic;
  uint64_t log_time_ns;
  uint32_t sequence;
  std::string data;
  bool operator==(const Seen&) const = default;
};

absl::StatusOr<std::vector<Seen>> ReadAll(const McapReader& reader, MessageFilter filter = {}) {
  std::vector<Seen> seen;
  const absl::Status status =
      reader.ForEachMessage(filter, [&seen](const Channel& channel, const Message& message) {
        seen.push_back(
            {channel.topic, message.log_time_ns, message.sequence, std::string(message.data)});
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return seen;
}

std::vector<uint64_t> Times(const std::vector<Seen>& seen) {
  std::vector<uint64_t> times;
  for (const Seen& one : seen) times.push_back(one.log_time_ns);
  return times;
}

class McapTest : public testing::Test {
 protected:
  McapWriter Writer(McapWriterOptions options) {
    absl::StatusOr<McapWriter> writer = McapWriter::Create(path_, std::move(options));
    EXPECT_OK(writer.status());
    return *std::move(writer);
  }

  tests::TempFolder folder_;
  const std::string path_ = folder_ / "a.mcap";
};

class McapCompressionTest : public McapTest, public testing::WithParamInterface<Compression> {};

TEST_P(McapCompressionTest, GivesBackEveryMessageInSeveralChunks) {
  McapWriter writer = Writer({.compression = GetParam(), .chunk_bytes = 4096});
  ASSERT_OK_AND_ASSIGN(const uint16_t schema, writer.AddSchema("s", "protobuf", "descriptor"));
  ASSERT_OK_AND_ASSIGN(const uint16_t scan, writer.AddChannel(schema, "/scan", "protobuf", {}));
  ASSERT_OK_AND_ASSIGN(const uint16_t odom, writer.AddChannel(0, "/odom", "json", {{"unit", "m"}}));
  std::vector<Seen> written;
  for (uint32_t i = 0; i < 500; ++i) {
    const bool even = i % 2 == 0;
    const std::string data = absl::StrCat("message ", i, std::string(i % 50, 'x'));
    ASSERT_OK(writer.Write(Message{.channel_id = even ? scan : odom,
                                   .sequence = i,
                                   .log_time_ns = i * 1000,
                                   .publish_time_ns = i,
                                   .data = data}));
    written.push_back({even ? "/scan" : "/odom", i * 1000, i, data});
  }
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const McapReader reader, McapReader::Open(path_));
  EXPECT_EQ(reader.statistics()->message_count, 500u);
  EXPECT_GT(reader.statistics()->chunk_count, 3u);
  EXPECT_EQ(reader.start_ns(), 0u);
  EXPECT_EQ(reader.end_ns(), 499'000u);
  EXPECT_TRUE(reader.checksummed());
  EXPECT_EQ(reader.header().library, "gatekeeper");
  EXPECT_EQ(reader.channels().at(odom).metadata.at("unit"), "m");
  EXPECT_EQ(reader.schemas().at(schema).data, "descriptor");
  ASSERT_OK_AND_ASSIGN(const std::vector<Seen> seen, ReadAll(reader));
  EXPECT_EQ(seen, written);
}

INSTANTIATE_TEST_SUITE_P(Each, McapCompressionTest,
                         testing::Values(Compression::kNone, Compression::kLz4,
                                         Compression::kZstd));

TEST_F(McapTest, DeliversInLogTimeOrderThoughChunksOverlap) {
  McapWriter writer = Writer({.chunk_bytes = 64});
  ASSERT_OK_AND_ASSIGN(const uint16_t channel, writer.AddChannel(0, "/a", "", {}));
  const std::vector<uint64_t> times = {50, 10, 70, 20, 60, 20, 5, 90, 1, 80};
  for (uint32_t i = 0; i < times.size(); ++i)
    ASSERT_OK(writer.Write(Message{.channel_id = channel,
                                   .sequence = i,
                                   .log_time_ns = times[i],
                                   .publish_time_ns = 0,
                                   .data = "0123456789"}));
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const McapReader reader, McapReader::Open(path_));
  ASSERT_OK_AND_ASSIGN(const std::vector<Seen> seen, ReadAll(reader));
  EXPECT_GT(reader.statistics()->chunk_count, 3u);
  EXPECT_THAT(Times(seen), ElementsAre(1, 5, 10, 20, 20, 50, 60, 70, 80, 90));
  EXPECT_LT(seen[3].sequence, seen[4].sequence) << "equal times keep the order of the file";
}

TEST_F(McapTest, DeliversOnlyWhatIsAskedFor) {
  McapWriter writer = Writer({.chunk_bytes = 64});
  ASSERT_OK_AND_ASSIGN(const uint16_t a, writer.AddChannel(0, "/a", "", {}));
  ASSERT_OK_AND_ASSIGN(const uint16_t b, writer.AddChannel(0, "/b", "", {}));
  for (uint64_t t = 0; t < 10; ++t)
    ASSERT_OK(writer.Write(
        Message{.channel_id = t % 2 == 0 ? a : b, .log_time_ns = t, .data = "0123456789"}));
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const McapReader reader, McapReader::Open(path_));
  ASSERT_OK_AND_ASSIGN(std::vector<Seen> seen,
                       ReadAll(reader, {.topics = {"/b"}, .from_ns = 3, .to_ns = 7}));
  EXPECT_THAT(Times(seen), ElementsAre(3, 5, 7));
  ASSERT_OK_AND_ASSIGN(seen, ReadAll(reader, {.topics = {"/absent"}}));
  EXPECT_THAT(seen, IsEmpty());
}

TEST_F(McapTest, KeepsAttachmentsAndMetadata) {
  McapWriter writer = Writer({});
  ASSERT_OK(writer.Write(Metadata{.name = "clip", .values = {{"gate", "envelope"}}}));
  ASSERT_OK(writer.Write(Attachment{.log_time_ns = 1,
                                    .create_time_ns = 2,
                                    .name = "card.yaml",
                                    .media_type = "text/yaml",
                                    .data = "schema: model_card/1"}));
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const McapReader reader, McapReader::Open(path_));
  ASSERT_OK_AND_ASSIGN(const std::vector<Metadata> metadata, reader.ReadMetadata());
  ASSERT_THAT(metadata, SizeIs(1));
  EXPECT_EQ(metadata[0].values.at("gate"), "envelope");
  ASSERT_OK_AND_ASSIGN(const std::vector<Attachment> attachments, reader.ReadAttachments());
  ASSERT_THAT(attachments, SizeIs(1));
  EXPECT_EQ(attachments[0].data, "schema: model_card/1");
  EXPECT_EQ(reader.statistics()->attachment_count, 1u);
}

TEST_F(McapTest, WritesEqualSchemasAndChannelsOnce) {
  McapWriter writer = Writer({});
  ASSERT_OK_AND_ASSIGN(const uint16_t schema, writer.AddSchema("s", "protobuf", "d"));
  EXPECT_EQ(*writer.AddSchema("s", "protobuf", "d"), schema);
  ASSERT_OK_AND_ASSIGN(const uint16_t channel, writer.AddChannel(schema, "/a", "protobuf", {}));
  EXPECT_EQ(*writer.AddChannel(schema, "/a", "protobuf", {}), channel);
  EXPECT_NE(*writer.AddChannel(schema, "/b", "protobuf", {}), channel);
  EXPECT_THAT(writer.AddChannel(9, "/c", "protobuf", {}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("schema 9")));
  EXPECT_THAT(writer.Write(Message{.channel_id = 7}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("channel 7")));
}

TEST_F(McapTest, RefusesToWriteAfterClose) {
  McapWriter writer = Writer({});
  ASSERT_OK_AND_ASSIGN(const uint16_t channel, writer.AddChannel(0, "/a", "", {}));
  ASSERT_OK(writer.Close());
  EXPECT_THAT(writer.Write(Message{.channel_id = channel}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("closed")));
}

TEST_F(McapTest, SaysThatADiskIsFull) {
  absl::StatusOr<McapWriter> full = McapWriter::Create("/dev/full", {});
  EXPECT_THAT(full, StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("/dev/full")));
}

TEST_F(McapTest, ErrorOfTheCallbackEndsTheReading) {
  McapWriter writer = Writer({});
  ASSERT_OK_AND_ASSIGN(const uint16_t channel, writer.AddChannel(0, "/a", "", {}));
  for (uint64_t t = 0; t < 3; ++t)
    ASSERT_OK(writer.Write(Message{.channel_id = channel, .log_time_ns = t}));
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const McapReader reader, McapReader::Open(path_));
  int calls = 0;
  EXPECT_THAT(reader.ForEachMessage({},
                                    [&calls](const Channel&, const Message&) {
                                      ++calls;
                                      return absl::CancelledError("enough");
                                    }),
              StatusIs(absl::StatusCode::kCancelled, "enough"));
  EXPECT_EQ(calls, 1);
}

// Written record by record, as other writers do: no chunks, no summary, no CRC.
TEST_F(McapTest, ReadsAFileWithoutChunksOrSummaryAndSaysThatItHasNoChecksums) {
  std::string bytes(kMcapMagic);
  Encode(Header{}, bytes);
  Encode(Channel{.id = 3, .schema_id = 0, .topic = "/a"}, bytes);
  for (const uint64_t t : {7u, 2u, 9u}) Encode(Message{.channel_id = 3, .log_time_ns = t}, bytes);
  Encode(DataEnd{}, bytes);
  Encode(Footer{}, bytes);
  bytes += kMcapMagic;
  tests::WriteBytes(path_, bytes);

  ASSERT_OK_AND_ASSIGN(const McapReader reader, McapReader::Open(path_));
  EXPECT_FALSE(reader.checksummed());
  EXPECT_EQ(reader.start_ns(), 2u);
  EXPECT_EQ(reader.end_ns(), 9u);
  ASSERT_OK_AND_ASSIGN(const std::vector<Seen> seen, ReadAll(reader));
  EXPECT_THAT(Times(seen), ElementsAre(2, 7, 9));
}

TEST_F(McapTest, RefusesAFileThatIsNotMcap) {
  tests::WriteBytes(path_, "not a recording at all");
  EXPECT_THAT(McapReader::Open(path_),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("not an MCAP file")));
  EXPECT_THAT(McapReader::Open(folder_ / "absent.mcap"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("absent.mcap")));
  EXPECT_THAT(McapReader::Open(folder_.path()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("regular file")));
}

TEST_F(McapTest, MemoryIsBoundedWhenChunksOverlap) {
  McapWriter writer = Writer({.compression = Compression::kNone, .chunk_bytes = 1000});
  ASSERT_OK_AND_ASSIGN(const uint16_t channel, writer.AddChannel(0, "/a", "", {}));
  const std::string data(500, 'x');
  for (uint64_t i = 0; i < 100; ++i)  // each chunk spans nearly the whole file
    ASSERT_OK(writer.Write(
        Message{.channel_id = channel, .log_time_ns = i % 2 == 0 ? i : 1000 + i, .data = data}));
  ASSERT_OK(writer.Close());

  ASSERT_OK_AND_ASSIGN(const McapReader reader,
                       McapReader::Open(path_, {.max_open_bytes = 10'000}));
  EXPECT_THAT(ReadAll(reader),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("overlap in time")));
}

}  // namespace
}  // namespace agent::recording
