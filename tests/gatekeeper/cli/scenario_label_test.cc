#include <filesystem>
#include <fstream>
#include <sstream>

#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/scenario_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/gatekeeper/cli/typed_verb.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// `gatekeeper scenario label` as a person types it, on a drive of 6.002 s.

namespace {

using gatekeeper::cli::Session;
using testing::AllOf;
using testing::HasSubstr;
using tests::Printed;
using tests::Typed;

class ScenarioLabelTest : public testing::Test {
 protected:
  ScenarioLabelTest() {
    sha_ = tests::RecordScenario(folder_ / "library", "yard", {.seconds = 6, .without = {}})
               .document.sha256();
    Write(
        "schema: scenario/1  # by hand\nid: yard\n# where it lies\nrecording: yard.mcap\nsha256: " +
        sha_ + "\n");
  }
  Printed Label(const std::string& arguments) {
    Session session;
    CLI::App app;
    gatekeeper::cli::AddScenarioVerbs(app, session);
    return Typed(app, session, "scenario label " + file() + " " + arguments);
  }
  std::string file() const { return folder_ / "library/yard.yaml"; }
  std::string Text() const {
    std::stringstream text;
    text << std::ifstream(file()).rdbuf();
    return text.str();
  }
  void Write(const std::string& text) { std::ofstream(file()) << text; }

  tests::TempFolder folder_;
  std::string sha_;
};

TEST_F(ScenarioLabelTest, AddsAListOfSegmentsBehindWhatAPersonWrote) {
  const std::string before = Text();
  const Printed first = Label("--from 0 --to 4.5 --tag corridor --tag day");
  EXPECT_EQ(first.code, 0) << first.err;
  EXPECT_EQ(Text(), before + "segments:\n  - {from_s: 0, to_s: 4.5, tags: [corridor, day]}\n");
  EXPECT_THAT(first.out, AllOf(HasSubstr("FROM_S"), HasSubstr("4.5"), HasSubstr("corridor, day")));
}

TEST_F(ScenarioLabelTest, AppendsToTheListAndKeepsCommentsAndWhatStandsBehind) {
  Write(
      "schema: scenario/1\nid: yard\nsegments:\n    # the gate\n    - {from_s: 0, to_s: 2, tags: "
      "[gate]}  # slow\n\n# found by digest\nsha256: " +
      sha_ + "\nrecording: yard.mcap\n");
  const std::string before = Text();
  EXPECT_EQ(Label("--from 2 --to 3.25 --tag gate").code, 0);
  std::string wanted = before;
  wanted.insert(wanted.find("# slow\n") + 7, "    - {from_s: 2, to_s: 3.25, tags: [gate]}\n");
  EXPECT_EQ(Text(), wanted);
}

TEST_F(ScenarioLabelTest, RewritesOnlyTheListWhereItStandsInOneLine) {
  const std::string head = Text();
  Write(head + "segments: [{from_s: 0, to_s: 1, tags: [a]}]\nchannels: {}\n");
  EXPECT_EQ(Label("--from 1 --to 2 --tag a").code, 0);
  EXPECT_EQ(Text(), head +
                        "segments:\n  - {from_s: 0, to_s: 1, tags: [a]}\n  - {from_s: 1, to_s: 2, "
                        "tags: [a]}\nchannels: {}\n");
}

TEST_F(ScenarioLabelTest, RefusesWhatLiesBehindTheEndAndTakesTheEndItself) {
  const std::string before = Text();
  const Printed beyond = Label("--from 5 --to 6.004 --tag corridor");
  EXPECT_EQ(beyond.code, 2);
  EXPECT_THAT(beyond.err, HasSubstr("6.003 s"));
  for (const char* range : {"--from 2 --to 2", "--from 3 --to 2", "--from=-1 --to 2"}) {
    EXPECT_EQ(Label(std::string(range) + " --tag corridor").code, 2) << range;
  }
  EXPECT_EQ(Text(), before);
  EXPECT_EQ(Label("--from 5 --to 6.003 --tag corridor").code, 0);
}

TEST_F(ScenarioLabelTest, OneTagStandsOnlyOnceForASecond) {
  ASSERT_EQ(Label("--from 1 --to 3 --tag crowd").code, 0);
  const std::string before = Text();
  const Printed again = Label("--from 2.9 --to 4 --tag crowd");
  EXPECT_EQ(again.code, 6);
  EXPECT_THAT(again.err, AllOf(HasSubstr("crowd from 1 to 3 s"), HasSubstr("--remove")));
  EXPECT_EQ(Text(), before);
  EXPECT_EQ(Label("--from 2.9 --to 4 --tag dark").code, 0);
  EXPECT_EQ(Label("--from 3 --to 4 --tag crowd").code, 0);
}

TEST_F(ScenarioLabelTest, RemovingCutsSegmentsAndLeavesTheirOtherTags) {
  ASSERT_EQ(Label("--from 0 --to 6 --tag corridor --tag day").code, 0);
  const Printed cut = Label("--from 2 --to 3 --tag corridor --remove -o json");
  EXPECT_EQ(cut.code, 0) << cut.err;
  EXPECT_EQ(nlohmann::json::parse(cut.out),
            nlohmann::json::parse(R"([{"from_s":0,"to_s":2,"tags":["corridor","day"]},
                                      {"from_s":2,"to_s":3,"tags":["day"]},
                                      {"from_s":3,"to_s":6,"tags":["corridor","day"]}])"));
  const Printed nothing = Label("--from 2 --to 3 --tag corridor --remove");
  EXPECT_EQ(nothing.code, 5);
  EXPECT_EQ(Label("--from 0 --to 6 --tag corridor --tag day --remove").code, 0);
  EXPECT_EQ(gatekeeper::gates::ParseScenario(Text(), file())->document.segments_size(), 0);
}

TEST_F(ScenarioLabelTest, RefusesTagsThatAScenarioMayNotHave) {
  for (const char* tag : {"'in corridor'", "a,b", "..", "x]"}) {
    const Printed refused = Label(std::string("--from 0 --to 1 --tag ") + tag);
    EXPECT_EQ(refused.code, 2) << tag;
    EXPECT_THAT(refused.err, HasSubstr("letters")) << tag;
  }
}

TEST_F(ScenarioLabelTest, RefusesToLabelSecondsOfAnotherRecording) {
  const std::string before = Text();
  tests::RecordDrive(folder_ / "library/yard.mcap", {.seconds = 9, .without = {}});
  const Printed refused = Label("--from 0 --to 1 --tag corridor");
  EXPECT_EQ(refused.code, 9);
  EXPECT_THAT(refused.err, HasSubstr("another recording"));
  EXPECT_EQ(Text(), before);
}

}  // namespace
