#include <filesystem>
#include <fstream>

#include "absl/strings/str_replace.h"
#include "agent/recording/mcap_reader.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/gates/scenario_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/agent/recording/file_bytes.h"
#include "tests/gatekeeper/cli/typed_verb.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// `gatekeeper scenario minimise` as a person types it: a unit that dust throws off its way from
// second 12 on, in a drive of 20 s.

namespace {

using gatekeeper::cli::Session;
using gatekeeper::gates::ReadScenario;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using tests::Printed;
using tests::ReadBytes;
using tests::Typed;

class ScenarioMinimiseTest : public testing::Test {
 protected:
  ScenarioMinimiseTest() {
    tests::RecordScenario(folder_ / "library", "yard",
                          {.seconds = 20, .dusty_from_s = 12, .without = {}});
    tests::WriteUnit(folder_ / "bad", tests::LinearOnnx(0.5F, 0.4F), tests::PolicyYaml());
    tests::WriteUnit(folder_ / "good", tests::LinearOnnx(0.5F, 0), tests::PolicyYaml());
    tests::WriteSuite(folder_.path(), tests::SuiteYaml());
  }
  Printed Run(const std::string& arguments) {
    Session session;
    session.home = folder_ / "home";
    CLI::App app;
    gatekeeper::cli::AddScenarioVerbs(app, session);
    gatekeeper::cli::AddGateVerbs(app, session);
    return Typed(app, session, arguments);
  }
  Printed Minimise(const std::string& unit, const std::string& gate, const std::string& to,
                   const std::string& more = "") {
    return Run("scenario minimise " + (folder_ / "library/yard.yaml") + " --unit " +
               (folder_ / unit) + " --suite " + (folder_ / "suite.yaml") + " --gate " + gate +
               " --to " + (folder_ / to) + " " + more);
  }

  tests::TempFolder folder_;
};

TEST_F(ScenarioMinimiseTest, CutsAFailingSegmentToTheShortestPieceThatIsStillScored) {
  const Printed shrunk = Minimise("bad", "worst_segment", "small");
  ASSERT_EQ(shrunk.code, 0) << shrunk.err;
  EXPECT_THAT(shrunk.out, AllOf(HasSubstr("20.002 s became"), HasSubstr("still fails: dusty")));

  const auto clip = ReadScenario(folder_ / "small/yard-min.yaml");
  ASSERT_OK(clip.status());
  ASSERT_EQ(clip->document.segments_size(), 1);
  const auto& dusty = clip->document.segments(0);
  EXPECT_THAT(dusty.tags(), testing::ElementsAre("dusty"));
  // A second of a segment must be scored; one control period more is all that may be left over.
  EXPECT_LE(dusty.to_s() - dusty.from_s(), 1.2);
  EXPECT_GE(dusty.to_s() - dusty.from_s(), 0.9);

  const auto mcap = agent::recording::McapReader::Open(clip->recording);
  ASSERT_OK(mcap.status());
  const auto metadata = mcap->ReadMetadata();
  ASSERT_OK(metadata.status());
  const auto origin = std::find_if(metadata->begin(), metadata->end(),
                                   [](const auto& m) { return m.name == "minimised"; });
  ASSERT_NE(origin, metadata->end());
  EXPECT_EQ(origin->values.at("scenario"), "yard");
  EXPECT_EQ(origin->values.at("gate"), "worst_segment");
  EXPECT_EQ(origin->values.at("unit"), "nav@1.0.0");
}

TEST_F(ScenarioMinimiseTest, EqualInputsGiveEqualClipsAndFewerTrialsLongerOnes) {
  ASSERT_EQ(Minimise("bad", "worst_segment", "one").code, 0);
  ASSERT_EQ(Minimise("bad", "worst_segment", "two").code, 0);
  EXPECT_EQ(ReadBytes(folder_ / "one/yard-min.mcap"), ReadBytes(folder_ / "two/yard-min.mcap"));
  EXPECT_EQ(ReadBytes(folder_ / "one/yard-min.yaml"), ReadBytes(folder_ / "two/yard-min.yaml"));
  const Printed few = Minimise("bad", "worst_segment", "few", "--trials 3");
  ASSERT_EQ(few.code, 0) << few.err;
  EXPECT_THAT(few.out, AllOf(HasSubstr("in 3 trials"), HasSubstr("--trials allows more")));
  EXPECT_GT(ReadBytes(folder_ / "few/yard-min.mcap").size(),
            ReadBytes(folder_ / "one/yard-min.mcap").size());
}

TEST_F(ScenarioMinimiseTest, DropsTopicsThatThePolicyDoesNotRequireAndKeepsTheOthers) {
  const Printed shrunk = Minimise("bad", "worst_segment", "small");
  ASSERT_EQ(shrunk.code, 0) << shrunk.err;
  EXPECT_THAT(shrunk.out, HasSubstr("without /pose"));
  const auto mcap = agent::recording::McapReader::Open(folder_ / "small/yard-min.mcap");
  ASSERT_OK(mcap.status());
  std::vector<std::string> topics;
  for (const auto& [id, channel] : mcap->channels()) topics.push_back(channel.topic);
  EXPECT_THAT(topics, testing::UnorderedElementsAre("/packet", "/scan", "/odom", "/command",
                                                    "/signal/goal_bearing_rad", "/signal/dust"));
}

TEST_F(ScenarioMinimiseTest, KeepsTheSecondThatIsAskedFor) {
  ASSERT_EQ(Minimise("bad", "worst_segment", "small", "--second 18.5").code, 0);
  const auto mcap = agent::recording::McapReader::Open(folder_ / "small/yard-min.mcap");
  ASSERT_OK(mcap.status());
  const uint64_t kept = tests::kDriveStart_ns + 18'500'000'000;
  EXPECT_LE(mcap->start_ns(), kept);
  EXPECT_GE(mcap->end_ns(), kept);
  EXPECT_EQ(Minimise("bad", "worst_segment", "small", "--second 20.5").code, 2);
}

TEST_F(ScenarioMinimiseTest, TheClipFailsInGateRunAndCanBeKept) {
  tests::WriteSuite(folder_.path(),
                    absl::StrReplaceAll(tests::SuiteYaml(), {{"min_clips: 6", "min_clips: 1"}}));
  ASSERT_EQ(Minimise("bad", "worst_segment", "small").code, 0);
  const Printed run = Run("gate run " + (folder_ / "bad") + " --suite " + (folder_ / "suite.yaml") +
                          " --scenarios " + (folder_ / "small"));
  EXPECT_EQ(run.code, 3) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("dusty: 0 of 1 recording agree"));
  const Printed kept =
      Run("gate keep " + (folder_ / "small/yard-min.mcap") + " --corpus " + (folder_ / "corpus"));
  EXPECT_EQ(kept.code, 0) << kept.err;
}

TEST_F(ScenarioMinimiseTest, TellsProgramsWhatItWrote) {
  const Printed shrunk = Minimise("bad", "worst_segment", "small", "-o json");
  ASSERT_EQ(shrunk.code, 0) << shrunk.err;
  const auto told = nlohmann::json::parse(shrunk.out);
  EXPECT_EQ(told["scenario"], folder_ / "small/yard-min.yaml");
  EXPECT_EQ(told["recording"], folder_ / "small/yard-min.mcap");
  EXPECT_NEAR(told["before_s"].get<double>(), 20.002, 1e-9);
  EXPECT_LT(told["after_s"], 3);
  EXPECT_THAT(told["dropped"], testing::Contains("/pose"));
  EXPECT_THAT(told["summary"].get<std::string>(), HasSubstr("dusty"));
}

TEST_F(ScenarioMinimiseTest, RefusesAClipThatDoesNotFailToBeginWith) {
  const Printed passes = Minimise("good", "worst_segment", "small");
  EXPECT_EQ(passes.code, 6);
  EXPECT_THAT(passes.err, HasSubstr("nothing to shrink"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "small/yard-min.mcap"));
}

TEST_F(ScenarioMinimiseTest, RefusesGatesThatDoNotJudgeClipsOneByOne) {
  const Printed unknown = Minimise("bad", "worst_segments", "small");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean 'worst_segment'"));
  for (const char* gate : {"latency", "determinism", "coverage", "integrity"}) {
    const Printed refused = Minimise("bad", gate, "small");
    EXPECT_EQ(refused.code, 2) << gate;
    EXPECT_THAT(refused.err, HasSubstr("one by one")) << gate;
  }
  EXPECT_THAT(Minimise("bad", "horizon", "small").err, HasSubstr("no such section"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "small"));
}

}  // namespace
