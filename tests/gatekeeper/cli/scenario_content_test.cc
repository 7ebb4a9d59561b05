#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "agent/recording/observation_writer.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/scenario_library.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// `gatekeeper scenario cat` and `import` as a person types them.

namespace {

namespace v1 = gatekeeper::v1;
using gatekeeper::cli::Session;
using testing::HasSubstr;

struct PrintedLines {
  int code = 0;
  std::vector<std::string> lines;
  std::string err;
};

PrintedLines ScenarioLines(const std::string& arguments) {
  Session session;
  CLI::App app;
  CLI::App* scenario = app.add_subcommand("scenario");
  gatekeeper::cli::AddScenarioCat(*scenario, session);
  gatekeeper::cli::AddScenarioImport(*scenario, session);
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  app.parse("scenario " + arguments);
  std::fflush(stdout);
  PrintedLines printed{.code = session.exit_code, .lines = {}, .err = {}};
  std::stringstream out(testing::internal::GetCapturedStdout());
  for (std::string line; std::getline(out, line);) printed.lines.push_back(line);
  printed.err = testing::internal::GetCapturedStderr();
  return printed;
}

class ScenarioContentTest : public testing::Test {
 protected:
  // A second of driving: odometry and supply voltage at 10 Hz from 100 s on.
  void SetUp() override {
    auto writer = agent::recording::ObservationWriter::Create(drive_);
    ASSERT_OK(writer.status());
    for (int i = 0; i < 10; ++i) {
      v1::Observation packet;
      packet.set_seq(static_cast<uint64_t>(i) + 1);
      packet.mutable_odom()->set_vx_mps(0.1 * i);
      (*packet.mutable_signals())["supply_v"].set_value(24 - 0.5 * i);
      ASSERT_OK(writer->Write(packet, std::chrono::milliseconds(100'000 + 100 * i)));
    }
    ASSERT_OK(writer->Close());
  }
  std::string Map(const std::string& channels) {
    std::ofstream(folder_ / "map.yaml") << "schema: import/1\nchannels:\n" << channels;
    return folder_ / "map.yaml";
  }
  std::string ImportWith(const std::string& channels) {
    return "import " + drive_ + " --map " + Map(channels) + " --to " + (folder_ / "yard.mcap");
  }

  tests::TempFolder folder_;
  std::string drive_ = folder_ / "drive.mcap";
};

TEST_F(ScenarioContentTest, CatPrintsOneMessageALine) {
  const PrintedLines all = ScenarioLines("cat " + drive_ + " --topic /signal/supply_v");
  EXPECT_EQ(all.code, 0) << all.err;
  ASSERT_EQ(all.lines.size(), 10u);
  const auto third = nlohmann::json::parse(all.lines[2]);
  EXPECT_EQ(third["topic"], "/signal/supply_v");
  EXPECT_EQ(third["type"], "gatekeeper.v1.Signal");
  EXPECT_EQ(third["log_time_ns"], 100'200'000'000);
  EXPECT_EQ(third["at_s"], 0.2);
  EXPECT_EQ(third["message"]["value"], 23.0);
}

TEST_F(ScenarioContentTest, CatKeepsToItsTimesAndItsNumber) {
  const std::string cat = "cat " + drive_ + " --topic /odom ";
  EXPECT_EQ(ScenarioLines(cat + "--from 0.3 --to 0.5").lines.size(), 3u);
  EXPECT_EQ(ScenarioLines(cat + "--from 0.3 -n 2").lines.size(), 2u);
  EXPECT_EQ(ScenarioLines(cat + "--from 5").lines.size(), 0u);
}

TEST_F(ScenarioContentTest, CatListsThePathsThatAMapMayName) {
  const PrintedLines fields = ScenarioLines("cat " + drive_ + " --topic /signal/supply_v --fields");
  EXPECT_THAT(fields.lines, testing::ElementsAre("/signal/supply_v stamp_ns int64",
                                                 "/signal/supply_v value double"));
}

TEST_F(ScenarioContentTest, ATopicThatContradictsItsDefinitionHidesNoOther) {
  const std::string bag = tests::SharedRecording("rosbag2/talker.db3");
  SKIP_WITHOUT(bag);
  // Somebody shortened the definition of /rosout in this file, and that of /parameter_events.
  const PrintedLines all = ScenarioLines("cat " + bag);
  EXPECT_EQ(all.code, 9);
  EXPECT_FALSE(all.lines.empty());
  for (const std::string& line : all.lines) EXPECT_THAT(line, HasSubstr("Hello, world!"));
  EXPECT_THAT(all.err, HasSubstr("topic /rosout at 0.000 s: the message's 176 bytes are no"));
  EXPECT_THAT(all.err, HasSubstr("messages are not what the recording says they are"));
}

TEST_F(ScenarioContentTest, AWrongTopicComesBackWithTheNearest) {
  const PrintedLines wrong = ScenarioLines("cat " + drive_ + " --topic /odmo");
  EXPECT_EQ(wrong.code, 5);
  EXPECT_THAT(wrong.err, HasSubstr("has no topic '/odmo'; did you mean '/odom'?"));
}

TEST_F(ScenarioContentTest, ImportLeavesAScenarioThatTheLibraryReads) {
  const PrintedLines imported =
      ScenarioLines(ImportWith("  speed_mps: {topic: /odom, field: vx_mps}\n"
                               "  supply_mv: {topic: /signal/supply_v, field: value, scale: 1000}\n"
                               "  command: {topic: /odom, fields: [vx_mps, wz_radps]}\n") +
                    " --tag yard --tag dusk");
  EXPECT_EQ(imported.code, 0) << imported.err;
  ASSERT_OK_AND_ASSIGN(const auto library, gatekeeper::gates::LoadScenarios(folder_ / "."));
  ASSERT_EQ(library.size(), 1u);
  EXPECT_EQ(library[0].document.id(), "yard");
  ASSERT_EQ(library[0].document.segments_size(), 1);
  EXPECT_EQ(library[0].document.segments(0).tags(1), "dusk");
  EXPECT_NEAR(library[0].document.segments(0).to_s(), 0.901, 1e-9);
  const PrintedLines again =
      ScenarioLines("cat " + (folder_ / "yard.mcap") + " --topic /signal/supply_mv");
  ASSERT_EQ(again.lines.size(), 10u);
  EXPECT_EQ(nlohmann::json::parse(again.lines[9])["message"]["value"], 19'500.0);
}

TEST_F(ScenarioContentTest, AMapIsReadStrictly) {
  const PrintedLines unknown = ScenarioLines(ImportWith("  scan: {topik: /scan}\n"));
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean 'topic'?"));
  const PrintedLines absent = ScenarioLines(ImportWith("  scan: {topic: /odom}\n"));
  EXPECT_EQ(absent.code, 2);
  EXPECT_THAT(absent.err, HasSubstr("it is made of sensor_msgs/LaserScan"));
  const PrintedLines name =
      ScenarioLines(ImportWith("  speed_mps: {topic: /odom, field: vx_mps}\n") + " --tag 'a, b'");
  EXPECT_EQ(name.code, 2);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "yard.mcap"));
}

}  // namespace
