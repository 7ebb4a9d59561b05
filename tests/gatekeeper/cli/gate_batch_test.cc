#include <sys/wait.h>
#include <yaml-cpp/yaml.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/git_folder.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// The examples of deploy/batch, as their engines would run them: the very command lines that stand
// in them, the real program, one working folder.

namespace {

namespace fs = std::filesystem;
using tests::ReadBytes;

class BatchTest : public testing::Test {
 protected:
  BatchTest() {
    fs::create_directories(folder_ / "recordings");
    for (int i = 0; i < 6; ++i) {
      const std::string id = "drive" + std::to_string(i);
      tests::RecordScenario(folder_ / "recordings", id,
                            {.seconds = 4, .number = i, .dusty_from_s = 2, .without = {}});
      policy_.Write("scenarios/" + id + ".yaml",
                    ReadBytes(folder_ / ("recordings/" + id + ".yaml")));
    }
    tests::WriteUnit(folder_ / "unit", tests::LinearOnnx(0.5F, 0), tests::PolicyYaml());
    policy_.Write("suites/nav.yaml",
                  tests::SuiteYaml() + tests::kSiteBeside + "scenarios: ../scenarios\n");
    policy_.Write("suites/site.yaml", tests::SiteYaml());
    commit_ = policy_.Commit("policy");
  }

  // A home that seals what the policy repository has judged, and nothing else.
  void MakeHome() {
    ASSERT_EQ(Run("gatekeeper init home --name gate.example.org\n"
                  "gatekeeper gate policy \"$POLICY_REPO\" --branch main"),
              0)
        << printed_;
  }
  void ExpectSealed() {
    EXPECT_THAT(printed_, testing::HasSubstr("sealed: nav@1.0.0"));
    EXPECT_TRUE(fs::exists(folder_ / "unit/seal"));
  }

  // The script's exit code; what it printed is in `printed_`.
  int Run(const std::string& script, const std::string& environment = "",
          const std::string& arguments = "") {
    const std::string file = folder_ / "step.sh";
    std::ofstream(file, std::ios::trunc) << script;
    const std::string command = absl::StrFormat(
        "cd '%s' && env PATH='%s':\"$PATH\" GATEKEEPER_HOME='%s' GITHUB_STEP_SUMMARY=summary.md "
        "POLICY_REPO='%s' POLICY_COMMIT=%s RECORDINGS=recordings %s "
        "bash -eu -o pipefail step.sh %s > printed 2>&1",
        folder_.path(), fs::path(GATEKEEPER).parent_path().string(), folder_ / "home",
        policy_.path(), commit_, environment, arguments);
    const int status = std::system(command.c_str());
    printed_ = ReadBytes(folder_ / "printed");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  // The merged report says what a run in one piece says.
  void ExpectPassOf(size_t shards) {
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "shards"), {}),
              static_cast<std::ptrdiff_t>(shards));
    EXPECT_THAT(ReadBytes(folder_ / "gate.xml"), testing::HasSubstr("<testsuite"));
    EXPECT_THAT(ReadBytes(folder_ / "gate.xml"), testing::Not(testing::HasSubstr("<failure")));
  }

  tests::TempFolder folder_;
  tests::GitFolder policy_;
  std::string commit_;
  std::string printed_;
};

TEST_F(BatchTest, SlurmGathersInAnArrayAndJudgesAfterIt) {
  const std::string script = ReadBytes("deploy/batch/slurm-gates");
  ASSERT_FALSE(script.empty());
  EXPECT_NE(fs::status("deploy/batch/slurm-gates").permissions() & fs::perms::owner_exec,
            fs::perms::none);
  for (int task = 11; task <= 13; ++task) {  // arrays may begin anywhere
    EXPECT_EQ(Run(script, absl::StrFormat("SLURM_ARRAY_TASK_ID=%d SLURM_ARRAY_TASK_MIN=11 "
                                          "SLURM_ARRAY_TASK_COUNT=3 SLURM_CPUS_PER_TASK=2",
                                          task)),
              0)
        << printed_;
  }
  EXPECT_EQ(Run(script), 0) << printed_;
  ExpectPassOf(3);
  EXPECT_THAT(ReadBytes(folder_ / "gate.json"), testing::HasSubstr("\"shards\": 3"));

  MakeHome();
  EXPECT_EQ(Run(script, "", "--sign"), 0) << printed_;
  ExpectSealed();
  fs::remove(folder_ / "shards/2.shard");
  EXPECT_EQ(Run(script), 2);  // no verdict, and certainly no pass
  EXPECT_THAT(printed_, testing::HasSubstr("1 of 3 shards are missing: 2/3"));
}

TEST_F(BatchTest, AMergeSealsWhatPassedAndARunInPartsNever) {
  tests::WriteSuite(folder_.path(), tests::SuiteYaml());
  const std::string gates = "unit --suite suite.yaml --scenarios recordings ";
  ASSERT_EQ(Run("gatekeeper init home --name gate.example.org"), 0) << printed_;
  EXPECT_EQ(Run("gatekeeper --home home gate run " + gates + "--shard 1/2 -o shard=1.shard --sign"),
            2);
  EXPECT_THAT(printed_, testing::HasSubstr("`gate merge`"));
  ASSERT_EQ(Run("gatekeeper gate run " + gates + "--shard 1/2 -o shard=1.shard\n" +
                "gatekeeper gate run " + gates + "--shard 2/2 -o shard=2.shard"),
            0)
      << printed_;
  EXPECT_EQ(Run("gatekeeper --home home gate merge " + gates + "1.shard --sign"), 2);
  EXPECT_FALSE(fs::exists(folder_ / "unit/seal"));
  EXPECT_EQ(Run("gatekeeper --home home gate merge " + gates + "1.shard 2.shard --sign"), 0)
      << printed_;
  ExpectSealed();
}

// The lines of a job's step that call the gates.
std::string StepsOf(const YAML::Node& job) {
  std::string script;
  for (const YAML::Node& step : job["steps"]) {
    const auto run = step["run"].as<std::string>("");
    if (run.find("gatekeeper gate") != std::string::npos) script += run + "\n";
  }
  return script;
}

TEST_F(BatchTest, GithubGathersInAMatrixAndJudgesAfterIt) {
  const YAML::Node workflow = YAML::LoadFile("deploy/batch/github-matrix.yaml");
  const YAML::Node gather = workflow["jobs"]["gather"];
  const YAML::Node judge = workflow["jobs"]["judge"];
  EXPECT_EQ(judge["needs"].as<std::string>(), "gather");
  const YAML::Node shards = gather["strategy"]["matrix"]["shard"];
  ASSERT_EQ(shards.size(), 4u);
  for (const YAML::Node& shard : shards) {
    const std::string script = absl::StrReplaceAll(
        StepsOf(gather), {{"${{ matrix.shard }}", shard.as<std::string>()},
                          {"${{ strategy.job-total }}", std::to_string(shards.size())}});
    ASSERT_THAT(script, testing::HasSubstr("gate run"));
    ASSERT_THAT(script, testing::Not(testing::HasSubstr("${{")));
    EXPECT_EQ(Run(script), 0) << printed_;
    EXPECT_THAT(printed_, testing::HasSubstr("0 removed"));
  }
  EXPECT_EQ(Run(StepsOf(judge)), 0) << printed_;
  ExpectPassOf(4);
  EXPECT_THAT(ReadBytes(folder_ / "summary.md"), testing::HasSubstr("Merged from 4 shards"));
  EXPECT_THAT(ReadBytes(folder_ / "gate.sarif"), testing::HasSubstr("\"2.1.0\""));

  const YAML::Node seal = workflow["jobs"]["seal"];
  EXPECT_EQ(seal["needs"].as<std::string>(), "judge");
  // Who proposes a change runs its own text of this file.
  EXPECT_EQ(seal["if"].as<std::string>(), "github.event_name == 'push'");
  EXPECT_THAT(StepsOf(gather) + StepsOf(judge), testing::Not(testing::HasSubstr("--sign")));
  MakeHome();
  EXPECT_EQ(Run(StepsOf(seal)), 0) << printed_;
  ExpectSealed();
}

TEST_F(BatchTest, KubernetesGathersInAnIndexedJobAndJudgesAfterIt) {
  const std::vector<YAML::Node> jobs = YAML::LoadAllFromFile("deploy/batch/kubernetes.yaml");
  ASSERT_EQ(jobs.size(), 2u);
  const YAML::Node gather = jobs[0]["spec"];
  EXPECT_EQ(gather["completionMode"].as<std::string>(), "Indexed");
  const int completions = gather["completions"].as<int>();
  const YAML::Node container = gather["template"]["spec"]["containers"][0];
  EXPECT_EQ(container["env"][0]["name"].as<std::string>(), "SHARDS");
  EXPECT_EQ(container["env"][0]["value"].as<int>(), completions);
  ASSERT_EQ(container["command"][0].as<std::string>(), "bash");
  for (int index = 0; index < completions; ++index) {
    EXPECT_EQ(Run(container["command"][2].as<std::string>(),
                  absl::StrFormat("SHARDS=%d JOB_COMPLETION_INDEX=%d", completions, index)),
              0)
        << printed_;
  }
  MakeHome();
  const YAML::Node judging = jobs[1]["spec"];
  EXPECT_EQ(judging["backoffLimit"].as<int>(), 0);
  EXPECT_EQ(Run(judging["template"]["spec"]["containers"][0]["command"][2].as<std::string>()), 0)
      << printed_;
  ExpectPassOf(4);
  EXPECT_THAT(printed_, testing::HasSubstr("Merged from 4 shards"));
  EXPECT_THAT(printed_, testing::HasSubstr("Attempt 1 of this unit"));
  ExpectSealed();
}

TEST_F(BatchTest, NoExampleLetsTheAuthorChooseWhoJudges) {
  for (const char* file : {"github-matrix.yaml", "slurm-gates", "kubernetes.yaml"}) {
    const std::string text = ReadBytes(std::string("deploy/batch/") + file);
    EXPECT_THAT(text, testing::HasSubstr("--policy-commit \"$POLICY_COMMIT\"")) << file;
    EXPECT_THAT(text, testing::Not(testing::HasSubstr("--scenarios"))) << file;
  }
}

}  // namespace
