#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/trust/hash.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/corpus.h"
#include "gatekeeper/gates/policy_files.h"
#include "gatekeeper/gates/run_suite.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/git_folder.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// The regression corpus, from the clip that is kept to the unit that it refuses.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;
using tests::GitFolder;
using tests::StatusIs;

constexpr int64_t kNow_ms = 1'767'225'600'000;  // 2026-01-01

std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

const v1::GateResult& Gate(const v1::GateReport& report, const std::string& id) {
  for (const v1::GateResult& gate : report.gates()) {
    if (gate.id() == id) return gate;
  }
  static const v1::GateResult none;
  return none;
}

class CorpusTest : public testing::Test {
 protected:
  CorpusTest() {
    std::filesystem::create_directories(folder_ / "scenarios");
    for (int i = 0; i < 6; ++i) {
      tests::RecordScenario(folder_ / "scenarios", "drive" + std::to_string(i),
                            {.seconds = 6, .number = i, .dusty_from_s = 3, .without = {}});
    }
    git_.Write("suites/hall.yaml",
               tests::SuiteYaml() + tests::kSiteBeside + "regression: {corpus: ../corpus}\n");
    git_.Write("suites/site.yaml", tests::SiteYaml());
    git_.Write("corpus/README.md", "clips that must never fail again\n");
    tests::RecordDrive(folder_ / "incident.mcap", {.seconds = 4, .number = 9, .without = {}});
  }
  std::string Corpus() const { return git_.path() + "/corpus"; }
  absl::StatusOr<std::string> Keep(bool not_imitated = false) {
    return KeepClip(
        {.clip = folder_ / "incident.mcap", .corpus = Corpus(), .not_imitated = not_imitated});
  }
  absl::StatusOr<GateRun> Run(const std::string& onnx, const NamedSuite& suite) {
    std::filesystem::remove_all(folder_ / "unit");
    tests::WriteUnit(folder_ / "unit", onnx, tests::PolicyYaml());
    auto unit = bundle::UngatedUnit::Open(folder_ / "unit");
    if (!unit.ok()) return unit.status();
    SuiteInput input;
    input.suite_yaml = suite.yaml;
    input.suite_file = suite.file;
    input.policy = suite.beside;
    input.scenarios_folder = folder_ / "scenarios";
    input.threads = 2;
    input.wall_ms = kNow_ms;
    return RunSuite(*unit, input);
  }
  absl::StatusOr<GateRun> RunAt(const std::string& commit, const std::string& onnx) {
    auto repository = source::Repository::Open(git_.path());
    if (!repository.ok()) return repository.status();
    const std::string scratch = folder_ / ("scratch" + std::to_string(++runs_));
    auto suite = ReadPinnedSuite(
        *repository, {.name = "policy", .commit = commit, .suite_path = "suites/hall.yaml"},
        scratch);
    if (!suite.ok()) return suite.status();
    return Run(onnx, *suite);
  }

  tests::TempFolder folder_;
  GitFolder git_;
  int runs_ = 0;
};

TEST_F(CorpusTest, AKeptClipIsAScenarioThatTheLockNames) {
  ASSERT_OK_AND_ASSIGN(const std::string id, Keep());
  EXPECT_EQ(id, "incident");
  const std::string yaml = ReadWhole(Corpus() + "/incident.yaml");
  EXPECT_EQ(ReadWhole(Corpus() + "/corpus.lock"), agent::trust::Sha256(yaml).hex() + " incident\n");
  ASSERT_OK_AND_ASSIGN(const auto scenarios, LoadScenarios(Corpus()));
  ASSERT_EQ(scenarios.size(), 1u);
  EXPECT_EQ(ReadWhole(scenarios[0].recording), ReadWhole(folder_ / "incident.mcap"));
  EXPECT_THAT(Keep(), StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("incident")));
  std::filesystem::rename(folder_ / "incident.mcap", folder_ / "same again.mcap");
  EXPECT_THAT(KeepClip({.clip = folder_ / "same again.mcap", .corpus = Corpus()}),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("this recording already")));
}

TEST_F(CorpusTest, AUnitThatFailsAKeptClipIsRefusedThere) {
  ASSERT_OK(Keep());
  const std::string commit = git_.Commit("keep the incident");
  ASSERT_OK_AND_ASSIGN(const GateRun good, RunAt(commit, tests::LinearOnnx(0.5F, 0)));
  EXPECT_EQ(good.report.outcome(), v1::PASS) << good.report.DebugString();
  EXPECT_THAT(Gate(good.report, "regression").summary(),
              HasSubstr("corpus of 1 clip: none failing"));
  EXPECT_EQ(good.report.inputs(6).id(), "corpus/incident");
  EXPECT_EQ(good.report.plan().policy_commit(), commit);

  ASSERT_OK_AND_ASSIGN(const GateRun bad, RunAt(commit, tests::LinearOnnx(-0.5F, 0)));
  const v1::GateResult& gate = Gate(bad.report, "regression");
  EXPECT_EQ(gate.outcome(), v1::FAIL);
  ASSERT_GT(gate.findings_size(), 0);
  EXPECT_EQ(gate.findings(0).scenario(), "corpus/incident");
}

TEST_F(CorpusTest, WhatWasDrivenWrongIsNotImitated) {
  ASSERT_OK(Keep(true));
  const std::string commit = git_.Commit("keep the incident");
  ASSERT_OK_AND_ASSIGN(const GateRun other, RunAt(commit, tests::LinearOnnx(-0.5F, 0)));
  EXPECT_EQ(Gate(other.report, "regression").outcome(), v1::PASS)
      << Gate(other.report, "regression").DebugString();
}

TEST_F(CorpusTest, AClipThatWasTakenOutIsMissedHoweverLongAgo) {
  ASSERT_OK(Keep());
  git_.Commit("keep the incident");
  std::filesystem::remove(Corpus() + "/incident.yaml");
  std::filesystem::remove(Corpus() + "/incident.mcap");
  std::ofstream(Corpus() + "/corpus.lock", std::ios::trunc).flush();
  git_.Commit("forget it");
  git_.Write("note", "x");
  const std::string later = git_.Commit("something else");
  ASSERT_OK_AND_ASSIGN(const GateRun run, RunAt(later, tests::LinearOnnx(0.5F, 0)));
  const v1::GateResult& gate = Gate(run.report, "regression");
  EXPECT_EQ(gate.outcome(), v1::FAIL);
  EXPECT_THAT(gate.findings(0).message(), HasSubstr("only grows"));
  EXPECT_FALSE(run.pass.has_value());
}

TEST_F(CorpusTest, AnEditedOrUnlockedScenarioFails) {
  ASSERT_OK(Keep());
  std::ofstream(Corpus() + "/incident.yaml", std::ios::app) << "# edited\n";
  ASSERT_OK_AND_ASSIGN(const GateRun edited,
                       RunAt(git_.Commit("edit it"), tests::LinearOnnx(0.5F, 0)));
  EXPECT_THAT(Gate(edited.report, "regression").findings(0).message(), HasSubstr("was edited"));
  std::filesystem::remove(Corpus() + "/corpus.lock");
  ASSERT_OK_AND_ASSIGN(const GateRun unlocked,
                       RunAt(git_.Commit("no lock"), tests::LinearOnnx(0.5F, 0)));
  EXPECT_EQ(Gate(unlocked.report, "regression").outcome(), v1::FAIL);
}

TEST_F(CorpusTest, AShallowCloneCannotShowThatTheCorpusOnlyGrew) {
  ASSERT_OK(Keep());
  git_.Commit("keep the incident");
  git_.Write("note", "x");
  const std::string commit = git_.Commit("something else");
  git_.Git("clone -q --depth 1 file://" + git_.path() + " " + (folder_ / "clone"));
  ASSERT_OK_AND_ASSIGN(const auto clone, source::Repository::Open(folder_ / "clone"));
  ASSERT_OK_AND_ASSIGN(
      const NamedSuite suite,
      ReadPinnedSuite(clone, {.name = "policy", .commit = commit, .suite_path = "suites/hall.yaml"},
                      folder_ / "scratch"));
  ASSERT_OK_AND_ASSIGN(const GateRun run, Run(tests::LinearOnnx(0.5F, 0), suite));
  EXPECT_EQ(Gate(run.report, "regression").outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(Gate(run.report, "regression").summary(), HasSubstr("shallow"));
  EXPECT_FALSE(run.pass.has_value());
}

TEST_F(CorpusTest, APlainCorpusIsJudgedAndSaysThatNobodyKnowsItsPast) {
  ASSERT_OK(Keep());
  ASSERT_OK_AND_ASSIGN(const NamedSuite suite, ReadPlainSuite(git_.path() + "/suites/hall.yaml"));
  ASSERT_OK_AND_ASSIGN(const GateRun run, Run(tests::LinearOnnx(0.5F, 0), suite));
  EXPECT_EQ(Gate(run.report, "regression").outcome(), v1::PASS);
  EXPECT_THAT(Gate(run.report, "regression").summary(), HasSubstr("nobody can tell"));
  EXPECT_EQ(run.report.plan().policy_commit(), "");
}

TEST_F(CorpusTest, AWaiverOfThePinnedCommitLetsAUnitPassAndIsInTheReport) {
  git_.Write("suites/hall.yaml", tests::SuiteYaml() + tests::kSiteBeside);
  git_.Write("waivers/dust.yaml",
             "schema: waiver/1\ngate: worst_segment\nunit: nav@1.0.0\nreason: dust is swept before "
             "every shift until the new model\n"
             "expires: 2026-01-01\nrequested_by: ann\napproved_by: bob\n");
  const std::string commit = git_.Commit("waive dust");
  ASSERT_OK_AND_ASSIGN(const GateRun run, RunAt(commit, tests::LinearOnnx(0.5F, 0.3F)));
  EXPECT_EQ(Gate(run.report, "worst_segment").outcome(), v1::FAIL);
  EXPECT_TRUE(Gate(run.report, "worst_segment").waived());
  EXPECT_EQ(run.report.outcome(), v1::PASS);
  EXPECT_TRUE(run.pass.has_value());
  ASSERT_EQ(run.report.waivers_size(), 1);
  EXPECT_EQ(run.report.waivers(0).approved_by(), "bob");
}

}  // namespace
}  // namespace gatekeeper::gates
