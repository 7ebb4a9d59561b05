#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_replace.h"
#include "agent/trust/hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/cli/gate_verbs_fixture.h"

// `gatekeeper gate ...` as a person types it, with a real policy repository.

namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using tests::GateVerbsTest;
using tests::Printed;

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
  WriteScenarios(library, "hall");
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

  const std::string approved = ApproveSuiteWithScenarios();
  const Printed good = Judge("--sign --suite suites/hall.yaml --policy-commit " + approved);
  EXPECT_EQ(good.code, 0) << good.out << good.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "unit/seal"));
}

TEST_F(GateVerbsTest, ASealIsNotGivenByRulesOfBefore) {
  MakeHome();
  const std::string first = ApproveSuiteWithScenarios();
  const std::string sign = "--sign --suite suites/hall.yaml --policy-commit ";
  ASSERT_THAT(Gate("policy " + git_.path() + " --branch approved").out,
              HasSubstr("at commit " + first + " or later"));
  const Printed early = Judge(sign + commit_);
  EXPECT_EQ(early.code, 9) << "older than the branch was when the home was told of it";
  EXPECT_THAT(early.err, AllOf(HasSubstr("commit " + commit_ + " lacks " + first),
                               HasSubstr("rules do not go back")));
  EXPECT_EQ(Judge(sign + first).code, 0);

  // A stricter suite: what it refuses may not be tried by the earlier one.
  std::filesystem::remove_all(folder_ / "unit/seal");
  git_.Write("suites/hall.yaml",
             absl::StrReplaceAll(tests::SuiteYaml(), {{"floor: 0.55", "floor: 0.99"}}) +
                 tests::kSiteBeside + "scenarios: ../library\n");
  const std::string stricter = git_.Commit("stricter");
  git_.Git("branch -f approved");
  EXPECT_EQ(Judge(sign + first).code, 0) << "nobody has judged by the stricter one yet";
  std::filesystem::remove_all(folder_ / "unit/seal");
  EXPECT_EQ(Judge(sign + stricter).code, 10);
  const Printed back = Judge(sign + first);
  EXPECT_EQ(back.code, 9) << back.out;
  EXPECT_THAT(back.err, HasSubstr("lacks " + stricter));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "unit/seal"));
  EXPECT_EQ(Judge(Pinned(first)).code, 0) << "without a seal anybody may look";

  // Told again, the home asks for what the branch holds then.
  git_.Write("README", "merged\n");
  const std::string merged = git_.Commit("merged");
  git_.Git("branch -f approved");
  EXPECT_THAT(Gate("policy " + git_.path() + " --branch approved").out, HasSubstr(merged));
  EXPECT_EQ(Judge(sign + stricter).code, 9);
}

TEST_F(GateVerbsTest, ABranchThatLostWhatWasJudgedByIsNotFollowedUnasked) {
  MakeHome();
  const std::string first = ApproveSuiteWithScenarios();
  git_.Write("README", "one\n");
  const std::string lost = git_.Commit("one");
  git_.Git("branch -f approved");
  const std::string policy = "policy " + git_.path() + " --branch approved";
  ASSERT_EQ(Gate(policy).code, 0);
  git_.Git("branch -f approved " + first);
  const std::string sign = "--sign --suite suites/hall.yaml --policy-commit " + first;
  const Printed rewritten = Judge(sign);
  EXPECT_EQ(rewritten.code, 6) << rewritten.out;
  EXPECT_THAT(rewritten.err,
              AllOf(HasSubstr("has lost commit " + lost), HasSubstr("say gatekeeper gate policy")));
  ASSERT_EQ(Gate(policy).code, 0);
  EXPECT_EQ(Judge(sign).code, 0);
}

TEST_F(GateVerbsTest, AHomeOfBeforeLearnsItsFirstCommitByJudging) {
  MakeHome();
  const std::string first = ApproveSuiteWithScenarios();
  const std::string file = home() + "/policy.json";
  std::ofstream(file) << "{\"repository\": \"" << git_.path() << "\", \"branch\": \"approved\"}";
  EXPECT_THAT(Gate("policy").out, Not(HasSubstr("or later")));
  EXPECT_EQ(Judge("--sign --suite suites/hall.yaml --policy-commit " + first).code, 0);
  EXPECT_THAT(Gate("policy").out, HasSubstr("at commit " + first + " or later"));
  std::ofstream(file) << "{\"repository\": \"x\", \"branch\": \"y\", \"not_before\": \"main\"}";
  EXPECT_THAT(Gate("policy").err, HasSubstr("a commit's 40 digits"));
  EXPECT_EQ(Gate("policy " + (folder_ / "nowhere")).code, 5) << "a home asks for what is there";
}

TEST_F(GateVerbsTest, ASuiteThatNamesItsScenariosIsJudgedByNoOthers) {
  const std::string commit = ApproveSuiteWithScenarios();
  std::filesystem::remove(git_.path() + "/library/drive0.yaml");  // the work tree judges nobody
  git_.Write("library/drive1.yaml", "schema: nonsense/1\n");
  const Printed run = Judge(Pinned(commit) + " -o json");
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("\"scenarios\": 6"), HasSubstr("\"file\": \"library/drive0.yaml\""),
                    Not(HasSubstr("/library/"))));
  for (const std::string& other :
       {"--scenarios " + (folder_ / "scenarios"),
        "--scenarios-repo " + git_.path() + " --scenarios-commit " + commit}) {
    const Printed refused = Judge(Pinned(commit) + " " + other);
    EXPECT_EQ(refused.code, 2) << other;
    EXPECT_THAT(refused.err, AllOf(HasSubstr("suites/hall.yaml says itself which scenarios judge"),
                                   HasSubstr("library"), HasSubstr("leave --scenarios")));
  }
  const Printed neither = Judge(Pinned(commit_));
  EXPECT_EQ(neither.code, 2);
  EXPECT_THAT(neither.err, AllOf(HasSubstr("suites/hall.yaml names no scenarios"),
                                 HasSubstr("name a folder by --scenarios")));
}

TEST_F(GateVerbsTest, ASarifFilesResultsStandAtFilesThatTheNextRunFindsToo) {
  const std::string commit = ApproveSuiteWithScenarios();
  tests::WriteUnit(folder_ / "unit", tests::LinearOnnx(-0.5F, 0), tests::PolicyYaml());
  const Printed run = Judge(Pinned(commit) + " -o sarif");
  EXPECT_EQ(run.code, 3) << run.err;
  const std::string repository = "\"uri\": \"file://" + git_.path();
  EXPECT_THAT(run.out, AllOf(HasSubstr(repository + "/suites/hall.yaml\""),
                             HasSubstr(repository + "/library/drive"), HasSubstr("\"%SRCROOT%\""),
                             Not(HasSubstr("\"uri\": \"library"))));
  const Printed mirrored = Judge("--suite suites/hall.yaml --policy-repo file://" + git_.path() +
                                 " --policy-commit " + commit + " -o sarif");
  EXPECT_THAT(mirrored.out, AllOf(HasSubstr(repository + "/suites/hall.yaml\""),
                                  HasSubstr(repository + "/library/drive")));
  const Printed plain =
      Gate("run " + (folder_ / "unit") + " --suite " + git_.path() +
           "/suites/hall.yaml --recordings " + (folder_ / "scenarios") + " -o sarif");
  EXPECT_EQ(plain.code, 3) << plain.err;
  EXPECT_THAT(plain.out,
              AllOf(HasSubstr("\"uri\": \"file://" + git_.path() + "/suites/hall.yaml\""),
                    HasSubstr("\"uri\": \"file://" + git_.path() + "/library/drive")));
}

TEST_F(GateVerbsTest, ARecordingThatIsMissingIsCalledAsTheLibraryCallsIt) {
  ApproveSuiteWithScenarios();
  std::ifstream file(folder_ / "scenarios/drive2.yaml");
  git_.Write("library/drive2.yaml", (std::stringstream() << file.rdbuf()).str());  // by its name
  const std::string commit = git_.Commit("named");
  const std::string digest = agent::trust::Sha256File(folder_ / "scenarios/drive2.mcap")->hex();
  std::filesystem::remove(folder_ / "scenarios/drive2.mcap");
  const Printed run = Judge(Pinned(commit) + " -o json");
  EXPECT_EQ(run.code, 3) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("library/drive2.yaml names the recording drive2.mcap, "
                                       "sha256 " +
                                       digest + ", and no such file is there"),
                             Not(HasSubstr("/library/drive2.mcap"))));
}

TEST_F(GateVerbsTest, APlainSuiteNamesScenariosBesideIt) {
  tests::WriteSuite(folder_.path(), tests::SuiteYaml() + "scenarios: scenarios/\n");
  const Printed run = Gate("run " + (folder_ / "unit") + " --suite " + (folder_ / "suite.yaml"));
  EXPECT_EQ(run.code, 0) << run.out << run.err;
  EXPECT_THAT(run.out, HasSubstr("\n6 scenarios, "));
}

TEST_F(GateVerbsTest, AHomeThatNamesItsPolicySealsByItsScenariosOnly) {
  MakeHome();
  Gate("policy " + git_.path() + " --branch approved");
  const std::string suite = "--sign --suite suites/hall.yaml --policy-commit " + commit_ + " ";
  const Printed chosen = Run(suite);
  EXPECT_NE(chosen.code, 0);
  EXPECT_THAT(chosen.err, AllOf(HasSubstr("this run's come from " + (folder_ / "scenarios")),
                                HasSubstr("name them in the suite")));

  // Not even a folder of the policy repository: who picks it picks the verdict.
  WriteScenarios(git_, "library");
  const std::string commit = git_.Commit("scenarios");
  git_.Git("branch -f approved");
  const Printed picked = Judge(suite + "--scenarios library --scenarios-repo " + git_.path() +
                               " --scenarios-commit " + commit);
  EXPECT_NE(picked.code, 0);
  EXPECT_THAT(picked.err, HasSubstr("this run's come from " + git_.path()));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "unit/seal"));

  const std::string approved = ApproveSuiteWithScenarios();
  const Printed good = Judge("--sign --suite suites/hall.yaml --policy-commit " + approved);
  EXPECT_EQ(good.code, 0) << good.out << good.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ / "unit/seal"));
}

TEST_F(GateVerbsTest, AMergeSealsByTheSuitesScenariosOnlyToo) {
  MakeHome();
  Gate("policy " + git_.path() + " --branch approved");
  const std::string shard = folder_ / "1.shard";
  ASSERT_EQ(Run(Pinned(commit_) + " --shard 1/1 -o shard=" + shard).code, 0);
  const std::string merge = "merge " + (folder_ / "unit") + " " + shard + " --sign --recordings " +
                            (folder_ / "scenarios") + " --suite suites/hall.yaml --policy-commit ";
  const Printed chosen = Gate(merge + commit_ + " --scenarios " + (folder_ / "scenarios"));
  EXPECT_NE(chosen.code, 0);
  EXPECT_THAT(chosen.err, HasSubstr("name them in the suite"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "unit/seal"));

  const std::string approved = ApproveSuiteWithScenarios();
  std::filesystem::remove(shard);
  ASSERT_EQ(Judge(Pinned(approved) + " --shard 1/1 -o shard=" + shard).code, 0);
  const Printed good = Gate(merge + approved);
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
  git_.Write("suites/hall.yaml",
             tests::SuiteYaml() + tests::kSiteBeside + "leakage: {training_digests: train.txt}\n");
  git_.Write("suites/train.txt", list.out);
  const Printed leak = Run(Pinned(git_.Commit("with the training list")));
  // The drives' laser saw one distance only: nothing to recognise, so no evidence either.
  EXPECT_EQ(leak.code, 10) << leak.out << leak.err;
  EXPECT_THAT(leak.out, AllOf(HasSubstr("leakage"), HasSubstr("no clip holds a scan or image")));
  EXPECT_NE(Gate("fingerprint " + (folder_ / "train.txt")).code, 0);
}

}  // namespace
