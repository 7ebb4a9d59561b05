#include <algorithm>
#include <string>
#include <vector>

#include "agent/recording/mcap_writer.h"
#include "gatekeeper/ingest/topic_survey.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::ingest {
namespace {

using agent::recording::McapWriter;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kStart = 1'700'000'000 * kSecond;

struct Stamped {
  int64_t log_ns;
  int64_t stamp_ns;
};

std::string LittleEndian(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xff));
  return out;
}

// A message of one builtin_interfaces/Time in CDR.
std::string StampMessage(int64_t stamp_ns) {
  return std::string("\0\1\0\0", 4) + LittleEndian(static_cast<uint64_t>(stamp_ns / kSecond), 4) +
         LittleEndian(static_cast<uint64_t>(stamp_ns % kSecond), 4);
}

class SurveyTest : public testing::Test {
 protected:
  absl::StatusOr<TopicSurvey> Survey(const std::vector<Stamped>& messages, bool stamped = true) {
    auto writer = McapWriter::Create(folder_ / "x.mcap", {});
    EXPECT_OK(writer);
    const auto schema = writer->AddSchema("test_msgs/msg/Beat", "ros2msg",
                                          stamped ? "builtin_interfaces/Time stamp\n" : "bool x\n");
    const auto channel = writer->AddChannel(*schema, "/beat", "cdr", {});
    for (const Stamped& message : messages) {
      const std::string data =
          stamped ? StampMessage(message.stamp_ns) : std::string("\0\1\0\0\1", 5);
      EXPECT_OK(writer->Write(
          {.channel_id = *channel,
           .log_time_ns = static_cast<uint64_t>(message.log_ns),
           .publish_time_ns = static_cast<uint64_t>(stamped ? message.log_ns : message.stamp_ns),
           .data = data}));
    }
    EXPECT_OK(writer->Close());
    auto file = OpenRecording(folder_ / "x.mcap");
    if (!file.ok()) return file.status();
    auto surveys = SurveyTopics(**file);
    if (!surveys.ok()) return surveys.status();
    return surveys->at(0);
  }
  tests::TempFolder folder_;
};

TEST_F(SurveyTest, RateGapAndAgesAreThoseOfTheMessages) {
  ASSERT_OK_AND_ASSIGN(const TopicSurvey survey,
                       Survey({{kStart, kStart - 10},
                               {kStart + kSecond, kStart + kSecond - 30},
                               {kStart + 4 * kSecond, kStart + 4 * kSecond - 20}}));
  EXPECT_EQ(survey.stamp, "stamp");
  EXPECT_EQ(survey.first_ns, kStart);
  EXPECT_EQ(survey.last_ns, kStart + 4 * kSecond);
  EXPECT_DOUBLE_EQ(survey.rate_hz, 0.5);
  EXPECT_EQ(survey.largest_gap_ns, 3 * kSecond);
  EXPECT_EQ(survey.largest_gap_at_ns, kStart + 4 * kSecond);
  EXPECT_EQ(survey.bytes, 36u);
  ASSERT_TRUE(survey.age);
  EXPECT_EQ(survey.age->messages, 3u);
  EXPECT_EQ(survey.age->median_ns, 20);
  EXPECT_EQ(survey.age->max_ns, 30);
  EXPECT_EQ(survey.faults.all(), 0u);
}

TEST_F(SurveyTest, EachClockFaultIsCountedOnceAndOnlyBeyondItsLimit) {
  ASSERT_OK_AND_ASSIGN(
      const TopicSurvey survey,
      Survey({{kStart, 0},                                    // zero
              {kStart + 1, kStart},                           // from zero: no jump
              {kStart + 2, kStart},                           // stuck
              {kStart + 3, kStart - 5},                       // backward
              {kStart + 4, kStart - 5 + 1 + kSecond},         // 1 s further on: not yet a jump
              {kStart + 5, kStart - 5 + 3 + 2 * kSecond}}));  // 1 ns more: a jump
  EXPECT_EQ(survey.faults.zero, 1u);
  EXPECT_EQ(survey.faults.stuck, 1u);
  EXPECT_EQ(survey.faults.backward, 1u);
  EXPECT_EQ(survey.faults.jumps, 1u);
}

TEST_F(SurveyTest, ThePublishTimeStandsInForATypeWithoutAStamp) {
  ASSERT_OK_AND_ASSIGN(const TopicSurvey survey,
                       Survey({{kStart, kStart - 7}, {kStart + 9, kStart - 8}}, false));
  EXPECT_EQ(survey.stamp, "publish_time");
  EXPECT_EQ(survey.age->max_ns, 17);
  EXPECT_EQ(survey.faults.backward, 1u);

  ASSERT_OK_AND_ASSIGN(const TopicSurvey copied,
                       Survey({{kStart, kStart}, {kStart + 9, kStart + 9}}, false));
  EXPECT_EQ(copied.stamp, "");
  EXPECT_FALSE(copied.age);
}

TEST_F(SurveyTest, TheMedianOfManyMessagesIsTheirs) {
  std::vector<Stamped> messages;
  for (int64_t i = 0; i < 200'000; ++i)
    messages.push_back({kStart + i * 1000, kStart + i * 1000 - i % 1001});
  ASSERT_OK_AND_ASSIGN(const TopicSurvey survey, Survey(messages));
  EXPECT_EQ(survey.age->messages, 200'000u);
  EXPECT_EQ(survey.age->max_ns, 1000);
  EXPECT_NEAR(static_cast<double>(survey.age->median_ns), 500, 5);
}

// Taken with @mcap/core and the bytes of the stamps.
struct Known {
  const char* file;
  const char* topic;
  int64_t largest_gap_ns;
  const char* stamp;
  int64_t median_ns;
  int64_t max_ns;
};

TEST(RealSurveyTest, AgesAndGapsAreThoseThatAnotherReaderFinds) {
  SKIP_WITHOUT(tests::SharedRecording("rosbag2"));
  const Known recordings[] = {
      {"rosbag2/talker.mcap", "/rosout", 500265627, "stamp", 513478, 553975},
      {"rosbag2/topics_and_services.mcap", "/parameter_events", 2399886, "stamp", 314996, 507970},
      // Simulated time in the stamps, wall time in the log.
      {"nav2-collision/cm_moving_obstacle_0.mcap.zstd", "/local_costmap/costmap", 52654291,
       "header.stamp", 1760908697248742673, 1760908697251464897}};
  for (const Known& known : recordings) {
    SCOPED_TRACE(known.topic);
    ASSERT_OK_AND_ASSIGN(const auto file, OpenRecording(tests::SharedRecording(known.file)));
    ASSERT_OK_AND_ASSIGN(const auto surveys, SurveyTopics(*file));
    const auto survey = std::find_if(surveys.begin(), surveys.end(), [&](const auto& one) {
      return file->topics()[one.topic].name == known.topic;
    });
    ASSERT_NE(survey, surveys.end());
    EXPECT_EQ(survey->largest_gap_ns, known.largest_gap_ns);
    EXPECT_EQ(survey->stamp, known.stamp);
    ASSERT_TRUE(survey->age);
    EXPECT_EQ(survey->age->median_ns, known.median_ns);
    EXPECT_EQ(survey->age->max_ns, known.max_ns);
    EXPECT_EQ(survey->undecodable, 0u);
  }
}

}  // namespace
}  // namespace gatekeeper::ingest
