#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "gatekeeper/cli/verbs.h"
#include "gatekeeper/seal/keyring.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/cli/typed_verb.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/git_folder.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace tests {

// A unit, six drives, and a policy repository whose branch "approved" has a suite.
class GateVerbsTest : public testing::Test {
 protected:
  GateVerbsTest() {
    for (int i = 0; i < 6; ++i) {
      RecordScenario(folder_ / "scenarios", "drive" + std::to_string(i),
                     {.seconds = 6, .number = i, .dusty_from_s = 3, .without = {}});
    }
    WriteUnit(folder_ / "unit", LinearOnnx(0.5F, 0), PolicyYaml());
    git_.Write("suites/hall.yaml", SuiteYaml() + kSiteBeside);
    git_.Write("suites/site.yaml", SiteYaml());
    commit_ = git_.Commit("policy");
    git_.Git("branch -f approved");
  }
  Printed Gate(const std::string& arguments) {
    gatekeeper::cli::Session session;
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
  // The same scenarios in the policy repository, by their recordings' digests alone.
  void WriteScenarios(const GitFolder& git, const std::string& folder) const {
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "scenarios")) {
      if (entry.path().extension() != ".yaml") continue;
      std::ifstream file(entry.path());
      std::string text;
      for (std::string line; std::getline(file, line);) {
        if (line.rfind("recording:", 0) != 0) text += line + "\n";
      }
      git.Write(folder + "/" + entry.path().filename().string(), text);
    }
  }
  // A suite of the branch "approved" that names them.
  std::string ApproveSuiteWithScenarios() {
    WriteScenarios(git_, "library");
    git_.Write("suites/hall.yaml", SuiteYaml() + kSiteBeside + "scenarios: ../library\n");
    std::string commit = git_.Commit("scenarios");
    git_.Git("branch -f approved");
    return commit;
  }
  Printed Judge(const std::string& arguments) {
    return Gate("run " + (folder_ / "unit") + " --threads 2 --recordings " +
                (folder_ / "scenarios") + " " + arguments);
  }
  std::string home() const { return folder_ / "home"; }
  void MakeHome() { ASSERT_OK(gatekeeper::seal::InitKeyring(home(), {}, 1'700'000'000'000)); }

  TempFolder folder_;
  GitFolder git_;
  std::string commit_;
};

}  // namespace tests
