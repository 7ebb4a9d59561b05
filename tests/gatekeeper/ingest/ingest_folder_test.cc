#include <zstd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "agent/recording/mcap_writer.h"
#include "gatekeeper/ingest/recording_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::ingest {
namespace {

namespace fs = std::filesystem;
using agent::recording::Compression;
using agent::recording::McapWriter;
using testing::_;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using tests::StatusIs;

struct Written {
  std::string topic;
  uint64_t time_ns;
  std::string data;
};

std::string Zstd(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 1));
  return out;
}

class FolderTest : public testing::Test {
 protected:
  void WriteMcap(const std::string& name, const std::vector<Written>& messages) {
    auto writer = McapWriter::Create(folder_ / name, {.profile = "ros2"});
    ASSERT_OK(writer);
    std::map<std::string, uint16_t> channels;
    for (const Written& message : messages) {
      if (!channels.contains(message.topic)) {
        const auto channel = writer->AddChannel(0, message.topic, "cdr", {});
        ASSERT_OK(channel);
        channels[message.topic] = *channel;
      }
      ASSERT_OK(writer->Write({.channel_id = channels[message.topic],
                               .log_time_ns = message.time_ns,
                               .publish_time_ns = message.time_ns,
                               .data = message.data}));
    }
    ASSERT_OK(writer->Close());
  }
  void WriteMetadata(const std::string& rest) {
    tests::WriteBytes(folder_ / "metadata.yaml", "rosbag2_bagfile_information:\n" + rest);
  }
  std::vector<std::string> Lines(const RecordingFile& file, const Selection& selection = {}) {
    std::vector<std::string> lines;
    EXPECT_OK(file.ForEachMessage(selection, [&](const Topic& topic, const RawMessage& message) {
      EXPECT_EQ(&topic, &file.topics()[topic.id]);
      lines.push_back(std::to_string(message.log_time_ns) + " " + topic.name + " " +
                      std::string(message.data));
      return absl::OkStatus();
    }));
    return lines;
  }

  tests::TempFolder folder_;
};

TEST_F(FolderTest, FilesThatOverlapAreMergedByTimeAndFilesOutOfOrderSorted) {
  WriteMcap("bag_0.mcap", {{"/a", 10, "a1"}, {"/b", 20, "b1"}, {"/a", 40, "a2"}});
  WriteMcap("bag_1.mcap", {{"/b", 30, "b2"}, {"/a", 40, "a3"}, {"/c", 50, "c1"}});
  WriteMetadata("  relative_file_paths: [bag_1.mcap, bag_0.mcap]\n");
  ASSERT_OK_AND_ASSIGN(const auto bag, OpenRecording(folder_.path()));
  EXPECT_THAT(bag->facts().files, ElementsAre(folder_ / "bag_0.mcap", folder_ / "bag_1.mcap"));
  EXPECT_THAT(Lines(*bag),
              ElementsAre("10 /a a1", "20 /b b1", "30 /b b2", "40 /a a2", "40 /a a3", "50 /c c1"));
  EXPECT_THAT(Lines(*bag, {.topics = {"/a"}, .from_ns = 11, .to_ns = 40}),
              ElementsAre("40 /a a2", "40 /a a3"));
  EXPECT_THAT(Lines(*bag, {.from_ns = 51}), IsEmpty());
  ASSERT_EQ(bag->topics().size(), 3u);
  EXPECT_EQ(bag->topics()[0].messages, 3u);
  EXPECT_THAT(bag->facts().notes, IsEmpty());
}

TEST_F(FolderTest, CountsThatContradictMetadataAreNotes) {
  WriteMcap("bag_0.mcap", {{"/a", 10, "a1"}, {"/a", 20, "a2"}});
  WriteMetadata(R"(  relative_file_paths: [bag_0.mcap]
  message_count: 3
  starting_time: {nanoseconds_since_epoch: 9}
  duration: {nanoseconds: 10}
  topics_with_message_count:
    - topic_metadata: {name: /a}
      message_count: 2
    - topic_metadata: {name: /lost}
      message_count: 1
)");
  ASSERT_OK_AND_ASSIGN(const auto bag, OpenRecording(folder_.path()));
  EXPECT_THAT(bag->facts().notes,
              ElementsAre(HasSubstr("states message_count 3; the files have 2"),
                          HasSubstr("states starting_time 9; the files have 10"),
                          HasSubstr("states for topic /lost message_count 1; the files have 0")));
}

TEST_F(FolderTest, PackedFilesAndPackedMessagesAreUnpacked) {
  WriteMcap("plain", {{"/a", 10, std::string("\0\1\0\0one", 7)},
                      {"/a", 20, Zstd(std::string("\0\1\0\0two", 7))}});
  tests::WriteBytes(folder_ / "bag_0.mcap.zstd", Zstd(tests::ReadBytes(folder_ / "plain")));
  WriteMetadata("  relative_file_paths: [bag_0.mcap.zstd]\n");
  ASSERT_OK_AND_ASSIGN(const auto bag, OpenRecording(folder_.path()));
  EXPECT_THAT(bag->facts().compression, HasSubstr("zstd of the whole file"));
  EXPECT_THAT(Lines(*bag), ElementsAre(std::string("10 /a \0\1\0\0one", 13),
                                       std::string("20 /a \0\1\0\0two", 13)));
}

TEST_F(FolderTest, WhatMetadataNamesMustBeThereAndInside) {
  EXPECT_THAT(OpenRecording(folder_.path()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("has no metadata.yaml")));
  WriteMcap("bag_0.mcap", {{"/a", 10, "a1"}});
  WriteMetadata("  relative_file_paths: [bag_0.mcap, bag_1.mcap]\n");
  EXPECT_THAT(OpenRecording(folder_.path()),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("bag_1.mcap, which is not there")));
  for (const char* name : {"../bag_0.mcap", "/etc/hostname"}) {
    WriteMetadata("  relative_file_paths: [" + std::string(name) + "]\n");
    EXPECT_THAT(OpenRecording(folder_.path()),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("outside its folder")));
  }
  WriteMetadata("  relative_file_paths: []\n");
  EXPECT_THAT(OpenRecording(folder_.path()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("names no files")));
  WriteMetadata("  relative_file_paths: [bag_0.mcap\n");
  EXPECT_THAT(OpenRecording(folder_.path()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("metadata.yaml:")));
  WriteMetadata("  relative_file_paths: [old_name/bag_0.mcap]\n");  // as before 2020
  EXPECT_OK(OpenRecording(folder_.path()));
}

TEST_F(FolderTest, NeitherFileNorFolderIsRefused) {
  EXPECT_THAT(OpenRecording(folder_ / "absent"), StatusIs(absl::StatusCode::kNotFound, _));
  EXPECT_THAT(OpenRecording("/dev/null"), StatusIs(absl::StatusCode::kInvalidArgument, _));
  tests::WriteBytes(folder_ / "note.txt", "not a recording");
  EXPECT_THAT(
      OpenRecording(folder_ / "note.txt"),
      StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("no recording that is known here")));
  tests::WriteBytes(folder_ / "empty", "");
  EXPECT_THAT(OpenRecording(folder_ / "empty"), StatusIs(absl::StatusCode::kInvalidArgument, _));
}

TEST_F(FolderTest, AnUnpackedFileIsGoneAtOnceAlsoWhenItIsNoRecording) {
  const fs::path temporary = fs::path(folder_.path()) / "tmp";
  fs::create_directory(temporary);
  setenv("TMPDIR", temporary.c_str(), 1);
  WriteMcap("plain", {{"/a", 10, "a1"}});
  tests::WriteBytes(folder_ / "good.zstd", Zstd(tests::ReadBytes(folder_ / "plain")));
  tests::WriteBytes(folder_ / "text.zstd", Zstd("not a recording"));
  ASSERT_OK_AND_ASSIGN(const auto good, OpenRecording(folder_ / "good.zstd"));
  EXPECT_TRUE(fs::is_empty(temporary));
  EXPECT_EQ(Lines(*good).size(), 1u);
  EXPECT_THAT(OpenRecording(folder_ / "text.zstd"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("text.zstd is no recording")));
  EXPECT_TRUE(fs::is_empty(temporary));
  unsetenv("TMPDIR");
}

TEST_F(FolderTest, ACutInTheOuterZstdIsRefused) {
  WriteMcap("plain", {{"/a", 10, "a1"}, {"/a", 20, "a2"}});
  const std::string packed = Zstd(tests::ReadBytes(folder_ / "plain"));
  for (size_t size = 4; size < packed.size(); ++size) {
    tests::WriteBytes(folder_ / "cut.zstd", packed.substr(0, size));
    ASSERT_THAT(OpenRecording(folder_ / "cut.zstd"),
                StatusIs(absl::StatusCode::kDataLoss, HasSubstr("cut.zstd")))
        << size;
  }
}

}  // namespace
}  // namespace gatekeeper::ingest
