#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_replace.h"
#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/seal/keyring.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/cli/typed_verb.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/git_folder.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// `gatekeeper gate ...` as a person types it, with a real policy repository.

namespace {

using gatekeeper::cli::Session;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using tests::Printed;
using tests::Typed;

class GateVerbsTest : public testing::Test {
 protected:
  GateVerbsTest() {
    for (int i = 0; i < 6; ++i) {
      tests::RecordScenario(folder_ / "scenarios", "drive" + std::to_string(i),
                            {.seconds = 6, .number = i, .dusty_from_s = 3, .without = {}});
    }
    tests::WriteUnit(folder_ / "unit", tests::LinearOnnx(0.5F, 0), tests::PolicyYaml());
    git_.Write("suites/hall.yaml", tests::SuiteYaml());
    commit_ = git_.Commit("policy");
    git_.Git("branch -f approved");
  }
  Printed Gate(const std::string& arguments) {
    Session session;
    session.home = home();
    CLI::App app;
    gatekeeper::cli::AddGateVerbs(app, session);
    return Typed(app, session, "gate " + arguments);
  }
  Printed Run(const std::string& arguments) {
    return Gate("run " + (folder_ / "unit") + " --scenarios " + (folder_ / "scenarios") +
                " --threads 2 " + arguments);
  }
  std::string Pinned(const std::string& commit) {
    return "--suite suites/hall.yaml --policy-repo " + git_.path() + " --policy-commit " + commit;
  }
  std::string home() const { return folder_ / "home"; }
  void MakeHome() { ASSERT_OK(gatekeeper::seal::InitKeyring(home(), {}, 1'700'000'000'000)); }

  tests::TempFolder folder_;
  tests::GitFolder git_;
  std::string commit_;
};

TEST_F(GateVerbsTest, ReportsThePinnedCommitAndCountsAttemptsInTheHome) {
  MakeHome();
  const Printed first = Run(Pinned(commit_));
  EXPECT_EQ(first.code, 0) << first.out << first.err;
  EXPECT_THAT(first.out, AllOf(HasSubstr("at commit " + commit_.substr(0, 12)),
                               HasSubstr("Attempt 1 of this unit"), HasSubstr("0 earlier")));
  tests::WriteUnit(folder_ / "unit", tests::LinearOnnx(-0.5F, 0), tests::PolicyYaml());
  EXPECT_EQ(Run(Pinned(commit_)).code, 3);
  const Printed third = Run(Pinned(commit_));
  EXPECT_THAT(third.out, AllOf(HasSubstr("Attempt 3"), HasSubstr("1 earlier")));
}

TEST_F(GateVerbsTest, WithoutAHomeNobodyCountsAndAPlainSuiteIsCalledPlain) {
  const Printed run = Run("--suite " + git_.path() + "/suites/hall.yaml");
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("Nobody counts attempts"), HasSubstr("plain file"),
                             Not(HasSubstr("at commit"))));
  EXPECT_FALSE(std::filesystem::exists(home()));
}

TEST_F(GateVerbsTest, AUrlIsMirroredInTheHome) {
  MakeHome();
  const Printed run = Run("--suite suites/hall.yaml --policy-repo file://" + git_.path() +
                          " --policy-commit " + commit_);
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_TRUE(std::filesystem::is_directory(home() + "/mirrors"));
}

TEST_F(GateVerbsTest, ScenariosComeFromACommitTooAndTheirRecordingsFromAnywhere) {
  tests::GitFolder library;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "scenarios")) {
    if (entry.path().extension() != ".yaml") continue;
    std::ifstream file(entry.path());
    std::string text;
    for (std::string line; std::getline(file, line);) {
      if (line.rfind("recording:", 0) != 0) text += line + "\n";
    }
    library.Write("hall/" + entry.path().filename().string(), text);
  }
  const std::string commit = library.Commit("scenarios");
  library.Write("hall/drive0.yaml", "schema: nonsense/1\n");
  const std::string command = "run " + (folder_ / "unit") + " --threads 2 " + Pinned(commit_) +
                              " --scenarios hall --scenarios-repo " + library.path() +
                              " --scenarios-commit " + commit;
  const Printed without = Gate(command);
  EXPECT_EQ(without.code, 5);
  EXPECT_THAT(without.err, AllOf(HasSubstr("drive0"), HasSubstr("--recordings")));
  const Printed with = Gate(command + " --recordings " + (folder_ / "scenarios"));
  EXPECT_EQ(with.code, 0) << with.out << with.err;
}

TEST_F(GateVerbsTest, AShortOrBranchNameIsNoPin) {
  for (const std::string& name : {std::string("main"), commit_.substr(0, 10)}) {
    const Printed run = Run(Pinned(name));
    EXPECT_EQ(run.code, 2) << name;
    EXPECT_THAT(run.err, HasSubstr("40 hex digits"));
  }
  const Printed half = Run("--suite suites/hall.yaml --policy-repo " + git_.path());
  EXPECT_EQ(half.code, 2);
  EXPECT_THAT(half.err, HasSubstr("belong together"));
}

TEST_F(GateVerbsTest, AHomeThatNamesItsPolicySealsNothingElse) {
  MakeHome();
  EXPECT_THAT(Gate("policy").out, HasSubstr("any suite"));
  EXPECT_THAT(Gate("policy " + git_.path() + " --branch approved").out,
              HasSubstr("suites of " + git_.path() + " on approved"));

  const Printed plain = Run("--sign --suite " + git_.path() + "/suites/hall.yaml");
  EXPECT_NE(plain.code, 0);
  EXPECT_THAT(plain.err, AllOf(HasSubstr("plain file"), HasSubstr("policy.json")));

  git_.Write("suites/hall.yaml",
             absl::StrReplaceAll(tests::SuiteYaml(), {{"floor: 0.55", "floor: 0.01"}}));
  const Printed unapproved = Run("--sign " + Pinned(git_.Commit("weaker, not approved")));
  EXPECT_NE(unapproved.code, 0);
  EXPECT_THAT(unapproved.err, HasSubstr("nobody has approved it"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "unit/seal"));

  const Printed good = Run("--sign --suite suites/hall.yaml --policy-commit " + commit_);
  EXPECT_EQ(good.code, 0) << good.out << good.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "unit/seal"));
}

TEST_F(GateVerbsTest, AClipIsKeptAndARecordingFingerprinted) {
  const std::string clip = folder_ / "scenarios/drive0.mcap";
  const Printed kept = Gate("keep " + clip + " --corpus " + (folder_ / "corpus"));
  EXPECT_EQ(kept.code, 0) << kept.err;
  EXPECT_THAT(kept.out, HasSubstr("kept drive0"));
  EXPECT_EQ(Gate("keep " + clip + " --corpus " + (folder_ / "corpus")).code, 6);

  const Printed list = Gate("fingerprint " + clip);
  EXPECT_EQ(list.code, 0) << list.err;
  std::ofstream(folder_ / "train.txt") << list.out;
  git_.Write("suites/hall.yaml", tests::SuiteYaml() + "\nleakage: {training_digests: train.txt}\n");
  git_.Write("suites/train.txt", list.out);
  const Printed leak = Run(Pinned(git_.Commit("with the training list")));
  // The drives' laser saw one distance only: nothing to recognise, so no evidence either.
  EXPECT_EQ(leak.code, 10) << leak.out << leak.err;
  EXPECT_THAT(leak.out, AllOf(HasSubstr("leakage"), HasSubstr("no clip holds a scan or image")));
  EXPECT_NE(Gate("fingerprint " + (folder_ / "train.txt")).code, 0);
}

}  // namespace
