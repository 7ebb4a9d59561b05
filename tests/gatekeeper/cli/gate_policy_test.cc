#include <filesystem>
#include <fstream>

#include "agent/trust/hash.h"
#include "gmock/gmock.h"
#include "nlohmann/json.hpp"
#include "tests/agent/recording/file_bytes.h"
#include "tests/gatekeeper/cli/gate_verbs_fixture.h"

// What a home seals by: whose repository, and from which commit on.

namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using tests::Printed;

// The process's own while it lives.
class WorkingFolder {
 public:
  explicit WorkingFolder(const std::string& path) : before_(fs::current_path()) {
    fs::current_path(path);
  }
  ~WorkingFolder() { fs::current_path(before_); }

 private:
  fs::path before_;
};

class GatePolicyTest : public tests::GateVerbsTest {
 protected:
  std::string Sign(const std::string& commit) const {
    return "--sign --suite suites/hall.yaml --policy-commit " + commit + " ";
  }
  std::string Kept() const {
    return nlohmann::json::parse(tests::ReadBytes(home() + "/policy.json"))["not_before"];
  }
  void WriteHome(const std::string& repository, const std::string& commit) const {
    std::ofstream(home() + "/policy.json")
        << nlohmann::json(
               {{"repository", repository}, {"branch", "approved"}, {"not_before", commit}})
               .dump();
  }
  std::string CommitApproved(const std::string& text) {
    git_.Write("README", text);
    std::string commit = git_.Commit(text);
    git_.Git("branch -f approved");
    return commit;
  }
  std::string Clone(const std::string& options) const {
    git_.Git("clone -q -b approved " + options + " file://" + git_.path() + " " +
             (folder_ / "clone"));
    return folder_ / "clone";
  }
};

TEST_F(GatePolicyTest, AFolderThatIsCalledAsAUrlIsNotWhatTheHomeMeans) {
  MakeHome();
  const std::string commit = ApproveSuiteWithScenarios();
  const std::string url = "http://127.0.0.1:1/x.git";
  fs::create_directories(folder_ / "http:/127.0.0.1:1");
  git_.Git("clone -q --bare file://" + git_.path() + " " + (folder_ / "http:/127.0.0.1:1/x.git"));
  WriteHome(url, commit_);
  const WorkingFolder here(folder_.path());
  const Printed forged = Judge(Sign(commit) + "--policy-repo ./http:/127.0.0.1:1/x.git");
  EXPECT_EQ(forged.code, 9) << forged.out << forged.err;
  EXPECT_THAT(forged.err, HasSubstr("seals only what a suite of " + url + " has judged"));
  EXPECT_FALSE(fs::exists(folder_ / "unit/seal"));
  EXPECT_EQ(Kept(), commit_);
  EXPECT_NE(Gate("policy " + url + " --branch approved").code, 0) << "nobody answers at that URL";
  EXPECT_EQ(Kept(), commit_);

  WriteHome(git_.path(), commit_);
  const Printed same = Judge(Sign(commit) + "--policy-repo " + git_.path() + "/./");
  EXPECT_EQ(same.code, 0) << same.err;
}

TEST_F(GatePolicyTest, ARunThatCannotJudgeMovesNothing) {
  MakeHome();
  ASSERT_EQ(Gate("policy " + git_.path() + " --branch approved").code, 0);
  const std::string next = CommitApproved("next");  // its suite names no scenarios
  EXPECT_EQ(Judge(Sign(next)).code, 2);
  EXPECT_EQ(Kept(), commit_);
  const std::string named = ApproveSuiteWithScenarios();
  EXPECT_EQ(Judge(Sign(named) + "--scenarios elsewhere").code, 2);
  EXPECT_EQ(Kept(), commit_);
  EXPECT_EQ(Judge(Sign(named)).code, 0);
  EXPECT_EQ(Kept(), named);
}

TEST_F(GatePolicyTest, AHomeThatGoesBackSaysSo) {
  MakeHome();
  const std::string policy = "policy " + git_.path() + " --branch approved";
  EXPECT_THAT(Gate(policy).out, Not(HasSubstr("goes back")));
  const std::string newer = CommitApproved("newer");
  EXPECT_THAT(Gate(policy).out, Not(HasSubstr("goes back")));
  EXPECT_THAT(Gate(policy).out, Not(HasSubstr("goes back"))) << "where it is already";
  git_.Git("branch -f approved " + commit_);
  EXPECT_THAT(Gate(policy).out, HasSubstr("goes back from " + newer + " to " + commit_));
  EXPECT_EQ(Kept(), commit_);

  // A clone that was not pulled does not even know the newer one.
  const std::string clone = Clone("");
  CommitApproved("newest");
  ASSERT_EQ(Gate(policy).code, 0);
  EXPECT_THAT(Gate("policy " + clone + " --branch approved").out,
              AllOf(HasSubstr("goes back from "), HasSubstr(" to " + commit_)));
  EXPECT_TRUE(fs::exists(home() + "/policy.lock"));
}

TEST_F(GatePolicyTest, WhatIsNotFetchedIsNotCalledRewritten) {
  MakeHome();
  const std::string first = ApproveSuiteWithScenarios();
  const std::string behind = Clone("");
  const std::string second = CommitApproved("second");
  WriteHome(behind, second);
  const Printed old = Judge(Sign(first));
  EXPECT_EQ(old.code, 6) << old.err;
  EXPECT_THAT(old.err, AllOf(HasSubstr("commit " + second), HasSubstr("fetch it"),
                             Not(HasSubstr("rewritten")), Not(HasSubstr("gate policy"))));

  fs::remove_all(behind);
  const std::string shallow = Clone("--depth 1");
  WriteHome(shallow, first);
  const Printed cut = Judge(Sign(second));
  EXPECT_EQ(cut.code, 6) << cut.err;
  EXPECT_THAT(cut.err, AllOf(HasSubstr("commit " + first), HasSubstr("--unshallow"),
                             Not(HasSubstr("rewritten")), Not(HasSubstr("gate policy"))));
  WriteHome(shallow, second);
  EXPECT_EQ(Judge(Sign(second)).code, 0) << "all that is asked is here";
}

TEST_F(GatePolicyTest, WithoutAHomeItSaysHowToMakeOne) {
  const Printed none = Gate("policy " + git_.path() + " --branch approved");
  EXPECT_EQ(none.code, 5);
  EXPECT_THAT(none.err, AllOf(HasSubstr("there is no gatekeeper's home at " + home()),
                              HasSubstr("gatekeeper init " + home())));
}

TEST_F(GatePolicyTest, AnyFolderInsideARepositoryNamesIt) {
  const std::string commit = ApproveSuiteWithScenarios();
  tests::WriteUnit(folder_ / "unit", tests::LinearOnnx(-0.5F, 0), tests::PolicyYaml());
  const Printed run = Judge("--suite suites/hall.yaml --policy-repo " + git_.path() +
                            "/suites --policy-commit " + commit + " -o sarif");
  EXPECT_EQ(run.code, 3) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("\"uri\": \"file://" + git_.path() + "/suites/hall.yaml\""),
                             Not(HasSubstr("/suites/suites/"))));
}

TEST_F(GatePolicyTest, WhatLogsInToAUrlStandsInNoReport) {
  MakeHome();
  const std::string commit = ApproveSuiteWithScenarios();
  tests::WriteUnit(folder_ / "unit", tests::LinearOnnx(-0.5F, 0), tests::PolicyYaml());
  // Nobody answers there, but the home's mirror has the commit already.
  const std::string url = "http://me:secret@127.0.0.1:1/x.git";
  git_.Git("clone -q --mirror file://" + git_.path() + " " + home() + "/mirrors/" +
           agent::trust::Sha256(url).hex().substr(0, 16) + ".git");
  const std::string source =
      "--suite suites/hall.yaml --policy-commit " + commit + " --policy-repo " + url;
  const Printed sarif = Judge(source + " -o sarif");
  EXPECT_EQ(sarif.code, 3) << sarif.err;
  EXPECT_THAT(sarif.out, AllOf(HasSubstr("\"127.0.0.1%3A1/x.git%40" + commit.substr(0, 12)),
                               Not(HasSubstr("secret"))));
  const Printed json = Judge(source + " -o json");
  EXPECT_THAT(json.out, AllOf(HasSubstr("http://127.0.0.1:1/x.git"), Not(HasSubstr("secret"))));
}

}  // namespace
