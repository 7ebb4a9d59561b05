#include <filesystem>
#include <string>
#include <vector>

#include "agent/recording/clip.h"
#include "agent/recording/observation_reader.h"
#include "agent/recording/observation_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace agent::recording {
namespace {

namespace v1 = ::gatekeeper::v1;
using base::Nanos;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::StatusIs;

class RecordingClipTest : public testing::Test {
 protected:
  // Packets with seq = receive time from `from` to `to`.
  std::string Recording(const std::string& name, uint64_t from, uint64_t to) {
    absl::StatusOr<ObservationWriter> writer = ObservationWriter::Create(
        folder_ / name, {.mcap = {.chunk_bytes = 512}, .metadata = {{"robot", "r1"}}});
    EXPECT_OK(writer);
    for (uint64_t t = from; t <= to; ++t) {
      v1::Observation packet;
      packet.set_seq(t);
      packet.mutable_odom()->set_x_m(static_cast<double>(t));
      EXPECT_OK(writer->Write(packet, Nanos(t)));
    }
    EXPECT_OK(writer->Close());
    return folder_ / name;
  }

  std::vector<uint64_t> Seqs(const std::string& path) {
    std::vector<uint64_t> seqs;
    absl::StatusOr<ObservationReader> reader = ObservationReader::Open(path);
    EXPECT_OK(reader);
    EXPECT_OK(reader->ForEach([&seqs](const RecordedItem& item) {
      const auto& packet = std::get<v1::Observation>(item.content);
      EXPECT_EQ(packet.odom().x_m(), static_cast<double>(packet.seq()));
      seqs.push_back(packet.seq());
      return absl::OkStatus();
    }));
    return seqs;
  }

  tests::TempFolder folder_;
};

TEST_F(RecordingClipTest, CopiesOnlyTheTopicsThatAreNamed) {
  const std::string source = Recording("a.mcap", 0, 9);
  const std::string clip = folder_ / "clip.mcap";
  ASSERT_OK_AND_ASSIGN(const uint64_t copied, WriteClip({.sources = {source},
                                                         .from_ns = 0,
                                                         .to_ns = 9,
                                                         .destination = clip,
                                                         .topics = {"/packet", "/odom"}}));
  EXPECT_EQ(copied, 20u);
  ASSERT_OK_AND_ASSIGN(const McapReader reader, McapReader::Open(clip));
  std::vector<std::string> topics;
  for (const auto& [id, channel] : reader.channels()) topics.push_back(channel.topic);
  EXPECT_THAT(topics, testing::UnorderedElementsAre("/packet", "/odom"));
  EXPECT_EQ(Seqs(clip).size(), 10u);
  EXPECT_THAT(WriteClip({.sources = {source},
                         .from_ns = 0,
                         .to_ns = 9,
                         .destination = clip,
                         .topics = {"/nowhere"}}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no message")));
}

TEST_F(RecordingClipTest, CopiesTheWindowAndSaysWhereItCameFrom) {
  const std::string source = Recording("a.mcap", 0, 99);
  const std::string clip = folder_ / "clip.mcap";

  ASSERT_OK_AND_ASSIGN(
      const uint64_t messages,
      WriteClip({.sources = {source},
                 .from_ns = 20,
                 .to_ns = 23,
                 .destination = clip,
                 .metadata = {{.name = "finding", .values = {{"gate", "envelope"}}}}}));

  EXPECT_EQ(messages, 12u);  // packet, odom and pose of each
  EXPECT_THAT(Seqs(clip), ElementsAre(20, 21, 22, 23));
  ASSERT_OK_AND_ASSIGN(const McapReader reader, McapReader::Open(clip));
  ASSERT_OK_AND_ASSIGN(const std::vector<Metadata> metadata, reader.ReadMetadata());
  ASSERT_EQ(metadata.size(), 3u);
  EXPECT_EQ(metadata[0].values.at("robot"), "r1");
  EXPECT_EQ(metadata[1].values.at("from_ns"), "20");
  EXPECT_EQ(metadata[1].values.at("sources"), "a.mcap");
  EXPECT_EQ(metadata[2].values.at("gate"), "envelope");
}

TEST_F(RecordingClipTest, JoinsRecordingsThatFollowEachOther) {
  const std::string clip = folder_ / "clip.mcap";
  ASSERT_OK(WriteClip({.sources = {Recording("a.mcap", 0, 4), Recording("b.mcap", 5, 9)},
                       .from_ns = 3,
                       .to_ns = 6,
                       .destination = clip}));
  EXPECT_THAT(Seqs(clip), ElementsAre(3, 4, 5, 6));
}

TEST_F(RecordingClipTest, EqualRequestsMakeEqualBytes) {
  const std::string source = Recording("a.mcap", 0, 99);
  for (const char* name : {"1", "2"})
    ASSERT_OK(WriteClip(
        {.sources = {source}, .from_ns = 10, .to_ns = 50, .destination = folder_ / name}));
  EXPECT_EQ(tests::ReadBytes(folder_ / "1"), tests::ReadBytes(folder_ / "2"));
}

TEST_F(RecordingClipTest, LeavesNothingBehindWhenItCannotBeMade) {
  const std::string source = Recording("a.mcap", 0, 9);
  const std::string clip = folder_ / "clip.mcap";
  EXPECT_THAT(WriteClip({.sources = {source}, .from_ns = 50, .to_ns = 60, .destination = clip}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("from 50 to 60 ns")));
  EXPECT_THAT(WriteClip({.sources = {source}, .from_ns = 5, .to_ns = 4, .destination = clip}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no length")));

  std::string damaged = tests::ReadBytes(source);
  tests::WriteBytes(source, damaged.substr(0, damaged.size() / 2));
  EXPECT_THAT(WriteClip({.sources = {source}, .from_ns = 0, .to_ns = 9, .destination = clip}),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("a.mcap")));
  EXPECT_FALSE(std::filesystem::exists(clip));
  EXPECT_FALSE(std::filesystem::exists(clip + ".partial"));
}

}  // namespace
}  // namespace agent::recording
