#include <string>

#include "agent/base/strict_json.h"
#include "agent/recording/mcap_writer.h"
#include "gatekeeper/cli/verbs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/gatekeeper/cli/typed_verb.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// `gatekeeper scenario info` as a person types it.

namespace {

using agent::recording::McapWriter;
using gatekeeper::cli::Session;
using testing::HasSubstr;
using tests::Printed;
using tests::Typed;

Printed Scenario(const std::string& arguments) {
  Session session;
  CLI::App app;
  gatekeeper::cli::AddScenarioVerbs(app, session);
  return Typed(app, session, "scenario " + arguments);
}

// Two topics, one of them silent; the first is 2 ms late to be logged and stops for 3 s.
void WriteRecording(const std::string& path) {
  auto writer = McapWriter::Create(path, {});
  ASSERT_OK(writer);
  const auto schema = writer->AddSchema("test_msgs/msg/Beat", "ros2msg", "bool beat\n");
  const auto beat = writer->AddChannel(*schema, "/beat", "cdr", {});
  ASSERT_OK(writer->AddChannel(*schema, "/silent", "cdr", {}));
  const std::string data("\0\1\0\0\1", 5);
  for (const uint64_t second : {0, 1, 4})
    ASSERT_OK(
        writer->Write({.channel_id = *beat,
                       .log_time_ns = (1'700'000'000 + second) * 1'000'000'000,
                       .publish_time_ns = (1'700'000'000 + second) * 1'000'000'000 - 2'000'000,
                       .data = data}));
  ASSERT_OK(writer->Close());
}

TEST(ScenarioInfoTest, ShowsTopicsWithTheirRatesGapsAndAges) {
  const tests::TempFolder folder;
  WriteRecording(folder / "beat.mcap");
  const Printed printed = Scenario("info " + (folder / "beat.mcap"));
  EXPECT_EQ(printed.code, 0) << printed.err;
  EXPECT_EQ(printed.out,
            (folder / "beat.mcap") +
                "\n"
                "mcap, compression zstd, checksums all, written by gatekeeper\n"
                "3 messages in 4.00 s from 2023-11-14 22:13:20 UTC\n"
                "TOPIC  TYPE                ENCODING     COUNT  RATE    FIRST  LAST    GAP     AGE "
                "  AGE MAX  CLOCK\n"
                "/beat  test_msgs/msg/Beat  cdr/ros2msg  3      0.5 Hz  0 ns   4.00 s  3.00 s  2 "
                "ms  2 ms     -\n"
                "no messages: /silent\n");
}

TEST(ScenarioInfoTest, PrintsTheSameForPrograms) {
  const tests::TempFolder folder;
  WriteRecording(folder / "beat.mcap");
  const Printed printed = Scenario("info -o json " + (folder / "beat.mcap"));
  ASSERT_OK_AND_ASSIGN(const nlohmann::json json,
                       agent::base::ParseStrictJson(printed.out, "stdout"));
  EXPECT_EQ(json["container"], "mcap");
  EXPECT_EQ(json["messages"], 3);
  EXPECT_EQ(json["first_ns"], 1'700'000'000'000'000'000);
  const nlohmann::json& beat = json["topics"][0];
  EXPECT_EQ(beat["largest_gap_ns"], 3'000'000'000);
  EXPECT_EQ(beat["largest_gap_at_ns"], 1'700'000'004'000'000'000);
  EXPECT_EQ(beat["stamp"], "publish_time");
  EXPECT_EQ(beat["age"]["median_ns"], 2'000'000);
  EXPECT_EQ(beat["clock_faults"]["backward"], 0);
  EXPECT_EQ(json["topics"][1]["messages"], 0);
}

TEST(ScenarioInfoTest, SaysWhereARecordingBreaksOff) {
  const tests::TempFolder folder;
  WriteRecording(folder / "beat.mcap");
  const std::string whole = tests::ReadBytes(folder / "beat.mcap");
  tests::WriteBytes(folder / "cut.mcap", whole.substr(0, whole.size() - 20));
  const Printed printed = Scenario("info " + (folder / "cut.mcap"));
  EXPECT_EQ(printed.code, 0) << printed.err;
  EXPECT_THAT(printed.out, HasSubstr("note: " + (folder / "cut.mcap") + " breaks off"));
}

TEST(ScenarioInfoTest, EndsWithTheCodeOfWhatIsWrong) {
  const Printed absent = Scenario("info /no/such/recording");
  EXPECT_EQ(absent.code, 5);
  EXPECT_THAT(absent.err, HasSubstr("/no/such/recording"));
  const Printed other = Scenario("info README.md");
  EXPECT_EQ(other.code, 2);
  EXPECT_THAT(other.err, HasSubstr("no recording that is known here"));
}

TEST(ScenarioInfoTest, ShowsAnAutopilotsLog) {
  const std::string path = tests::SharedRecording("ulog/sample_log_small.ulg");
  SKIP_WITHOUT(path);
  const Printed printed = Scenario("info " + path);
  EXPECT_EQ(printed.code, 0) << printed.err;
  EXPECT_THAT(printed.out, HasSubstr("ulog 1, compression none"));
  EXPECT_THAT(printed.out, HasSubstr("note: the logger dropped data 1 times, 30 ms together"));
}

}  // namespace
