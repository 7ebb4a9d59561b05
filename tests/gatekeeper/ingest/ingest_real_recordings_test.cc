#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "gatekeeper/ingest/recording_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// Recordings of others. Every count here was taken with another reader: @mcap/core for MCAP,
// Python's sqlite3 for the bags, a few lines of Python for ULog.

namespace gatekeeper::ingest {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Read {
  std::map<std::string, uint64_t> topics;  // those with messages
  uint64_t messages = 0;
  int64_t first_ns = 0;
  int64_t last_ns = 0;
};

// Reads every message; what the file says of itself must be what comes.
absl::StatusOr<Read> ReadAll(const RecordingFile& file) {
  Read read;
  absl::Status order;
  const absl::Status status =
      file.ForEachMessage({}, [&](const Topic& topic, const RawMessage& message) {
        if (read.messages++ == 0) read.first_ns = message.log_time_ns;
        EXPECT_GE(message.log_time_ns, read.first_ns);
        EXPECT_TRUE(read.messages == 1 || message.log_time_ns >= read.last_ns);
        read.last_ns = message.log_time_ns;
        ++read.topics[topic.name];
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  std::map<std::string, uint64_t> stated;
  for (const Topic& topic : file.topics())
    if (topic.messages > 0) stated[topic.name] += topic.messages;
  EXPECT_EQ(read.topics, stated);
  return read;
}

struct Expected {
  std::string file;
  std::string container;
  std::string compression;
  std::string checksums;
  uint64_t messages;
  size_t topics;  // with messages
  int64_t first_ns;
  int64_t last_ns;
};

std::vector<Expected> Bags() {
  const std::string db3 = "rosbag2 sqlite3 schema 4";
  return {
      {"cdr_test_0.mcap", "mcap", "none", "none", 7, 2, 1586406456763032325, 1586406456914169506},
      {"only_topics.mcap", "mcap", "none", "none", 7, 1, 1697521620031724098, 1697521620038262023},
      {"rosbags-rs_all_types.mcap", "mcap", "none", "none", 188, 94, 1749315324903302144,
       1749315343603302144},
      {"talker.mcap", "mcap", "zstd", "all", 20, 2, 1585866235112411371, 1585866239643508139},
      {"test_bag_for_seek_0.mcap", "mcap", "none", "none", 5, 1, 1000000000, 1400000000},
      {"topics_and_services.mcap", "mcap", "none", "none", 13, 2, 1697522263121459207,
       1697522264629347866},
      {"wbag_0.mcap", "mcap", "zstd", "all", 1246, 8, 1000, 1408},
      {"wbag_1.mcap", "mcap", "zstd", "all", 1240, 8, 1410, 1821},
      {"wbag_2.mcap", "mcap", "zstd", "all", 1240, 8, 1821, 2232},
      {"wbag_3.mcap", "mcap", "zstd", "all", 1240, 8, 2233, 2623},
      {"wbag_4.mcap", "mcap", "zstd", "all", 1108, 8, 2623, 2998},
      {"cdr_test_0.db3", db3, "none", "none", 7, 2, 1586406456763032325, 1586406456914169506},
      {"rosbags-rs_all_types.db3", db3, "none", "none", 188, 94, 1749315324675930112,
       1749315343375930112},
      {"talker.db3", db3, "none", "none", 20, 2, 1585866235112411371, 1585866239643508139},
      {"test_bag_for_seek_0.db3", "rosbag2 sqlite3 schema 2", "none", "none", 5, 1, 1000000000,
       1400000000},
      {"topics_and_services.db3", db3, "none", "none", 13, 2, 1697522387465250790,
       1697522388973342699},
  };
}

TEST(RealRecordingsTest, HoldWhatAnotherReaderCounted) {
  SKIP_WITHOUT(tests::SharedRecording("rosbag2"));
  for (const Expected& expected : Bags()) {
    SCOPED_TRACE(expected.file);
    ASSERT_OK_AND_ASSIGN(const auto file,
                         OpenRecording(tests::SharedRecording("rosbag2/" + expected.file)));
    EXPECT_EQ(file->facts().container, expected.container);
    EXPECT_EQ(file->facts().compression, expected.compression);
    EXPECT_EQ(file->facts().checksums, expected.checksums);
    EXPECT_THAT(file->facts().notes, IsEmpty());
    ASSERT_OK_AND_ASSIGN(const Read read, ReadAll(*file));
    EXPECT_EQ(read.messages, expected.messages);
    EXPECT_EQ(read.topics.size(), expected.topics);
    EXPECT_EQ(read.first_ns, expected.first_ns);
    EXPECT_EQ(read.last_ns, expected.last_ns);
  }
}

TEST(RealRecordingsTest, ReadingLeavesTheFolderAsItWas) {
  const std::string shared = tests::SharedRecording("rosbag2");
  SKIP_WITHOUT(shared);
  const tests::TempFolder folder;
  for (const char* name : {"talker.db3", "cdr_test_0.db3"})
    fs::copy_file(shared + "/" + name, folder / name);
  for (const char* name : {"talker.db3", "cdr_test_0.db3"}) {
    const auto written = fs::last_write_time(folder / name);
    ASSERT_OK_AND_ASSIGN(const auto file, OpenRecording(folder / name));
    ASSERT_OK(ReadAll(*file));
    EXPECT_EQ(fs::last_write_time(folder / name), written);
  }
  std::set<std::string> listing;
  for (const auto& entry : fs::directory_iterator(folder.path()))
    listing.insert(entry.path().filename());
  EXPECT_THAT(listing, ElementsAre("cdr_test_0.db3", "talker.db3"));
}

TEST(RealRecordingsTest, TheSplitBagIsOneRecordingAndItsMetadataIsCorrected) {
  const std::string shared = tests::SharedRecording("rosbag2");
  SKIP_WITHOUT(shared);
  const tests::TempFolder folder;
  for (const char* name : {"wbag_0", "wbag_1", "wbag_2", "wbag_3", "wbag_4"})
    fs::create_symlink(fs::absolute(shared) / (std::string(name) + ".mcap"),
                       folder / (std::string(name) + ".mcap"));
  fs::copy_file(shared + "/wbag.metadata.yaml", folder / "metadata.yaml");

  ASSERT_OK_AND_ASSIGN(const auto bag, OpenRecording(folder.path()));
  EXPECT_EQ(bag->facts().files.size(), 5u);
  ASSERT_OK_AND_ASSIGN(const Read read, ReadAll(*bag));
  EXPECT_EQ(read.messages, 6074u);
  EXPECT_EQ(read.first_ns, 1000);
  EXPECT_EQ(read.last_ns, 2998);
  EXPECT_THAT(read.topics,
              ElementsAre(std::pair("AAA", 804), std::pair("BBB", 742), std::pair("CCC", 742),
                          std::pair("DDD", 753), std::pair("EEE", 804), std::pair("FFF", 772),
                          std::pair("GGG", 731), std::pair("HHH", 726)));
  EXPECT_THAT(bag->facts().notes,
              ElementsAre(HasSubstr("states starting_time 2623; the files have 1000"),
                          HasSubstr("states duration 411; the files have 1998")));
}

TEST(RealRecordingsTest, AWholeFileOfZstdIsTheRecordingInIt) {
  const std::string path = tests::SharedRecording("nav2-collision/cm_moving_obstacle_0.mcap.zstd");
  SKIP_WITHOUT(path);
  ASSERT_OK_AND_ASSIGN(const auto file, OpenRecording(path));
  EXPECT_EQ(file->facts().container, "mcap");
  EXPECT_EQ(file->facts().compression, "zstd of the whole file");
  EXPECT_THAT(file->facts().files, ElementsAre(path));
  ASSERT_OK_AND_ASSIGN(const Read read, ReadAll(*file));
  EXPECT_THAT(read.topics,
              ElementsAre(std::pair("/clock", 231), std::pair("/cmd_vel_smoothed", 231),
                          std::pair("/local_costmap/costmap", 231)));
  EXPECT_EQ(read.first_ns, 1760908698048734123);
  EXPECT_EQ(read.last_ns - read.first_ns, 11500531887);
}

TEST(RealRecordingsTest, TheAutopilotsLogHasItsTopicsAndItsDropout) {
  const std::string path = tests::SharedRecording("ulog/sample_log_small.ulg");
  SKIP_WITHOUT(path);
  ASSERT_OK_AND_ASSIGN(const auto file, OpenRecording(path));
  EXPECT_EQ(file->facts().container, "ulog 1");
  EXPECT_EQ(file->facts().writer, "PX4 v1.11.2_w_rc_sysid CUBEPILOT_CUBEORANGE");
  EXPECT_THAT(file->facts().notes,
              ElementsAre("the logger dropped data 1 times, 30 ms together, the longest 30 ms"));
  size_t subscribed = 0;
  for (const Topic& topic : file->topics()) subscribed += topic.message_encoding == "ulog";
  EXPECT_EQ(subscribed, 72u);

  ASSERT_OK_AND_ASSIGN(Read read, ReadAll(*file));
  EXPECT_EQ(read.topics["battery_status"], 21u);
  EXPECT_EQ(read.topics["battery_status/1"], 21u);
  EXPECT_EQ(read.topics["cpuload"], 14u);
  EXPECT_EQ(read.topics["logged_messages"], 3u);
  EXPECT_EQ(read.topics["parameters"], 980u);
  EXPECT_EQ(read.messages, 14604u + 3 + 980);
  EXPECT_EQ(read.last_ns, 1194367328000);  // one message of a clock that was not yet set
}

TEST(RealRecordingsTest, ASelectionGivesTheSameMessagesAsSkippingTheRest) {
  SKIP_WITHOUT(tests::SharedRecording("rosbag2"));
  for (const char* name : {"rosbag2/talker.mcap", "rosbag2/talker.db3"}) {
    ASSERT_OK_AND_ASSIGN(const auto file, OpenRecording(tests::SharedRecording(name)));
    std::vector<int64_t> times;
    ASSERT_OK(file->ForEachMessage({.topics = {"/topic"}}, [&](const Topic&, const RawMessage& m) {
      times.push_back(m.log_time_ns);
      return absl::OkStatus();
    }));
    ASSERT_EQ(times.size(), 10u);
    std::vector<int64_t> some;
    ASSERT_OK(file->ForEachMessage({.topics = {"/topic"}, .from_ns = times[2], .to_ns = times[5]},
                                   [&](const Topic& topic, const RawMessage& m) {
                                     EXPECT_EQ(topic.name, "/topic");
                                     some.push_back(m.log_time_ns);
                                     return absl::OkStatus();
                                   }));
    EXPECT_EQ(some, std::vector<int64_t>(times.begin() + 2, times.begin() + 6));
  }
}

TEST(RealRecordingsTest, AnErrorOfTheCallbackEndsTheReadingAndIsReturned) {
  SKIP_WITHOUT(tests::SharedRecording("rosbag2"));
  for (const char* name :
       {"rosbag2/talker.mcap", "rosbag2/talker.db3", "ulog/sample_log_small.ulg"}) {
    ASSERT_OK_AND_ASSIGN(const auto file, OpenRecording(tests::SharedRecording(name)));
    int calls = 0;
    EXPECT_THAT(file->ForEachMessage({},
                                     [&](const Topic&, const RawMessage&) {
                                       ++calls;
                                       return absl::CancelledError("enough");
                                     }),
                tests::StatusIs(absl::StatusCode::kCancelled, "enough"));
    EXPECT_EQ(calls, 1);
  }
}

}  // namespace
}  // namespace gatekeeper::ingest
