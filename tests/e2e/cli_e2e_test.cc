#include <gmock/gmock.h>

#include <sstream>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/e2e/stage.h"

// What a script may rely on: help for every verb, documented exit codes, JSON that is JSON.

namespace tests {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Words = std::vector<std::string>;

std::string Text(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

class CommandLineTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    stage_ = new Stage;
    stage_->Serve();
    ASSERT_EQ(stage_->Cli({"fleet", "create", "north"}).code, 0);
    ASSERT_EQ(Run("robot create r1 --fleet north --hardware diff-drive-2").code, 0);
    stage_->PushedUnit("1.0.0");
    ASSERT_EQ(Run("rollout start nav@1.0.0 --fleet north --plan " + stage_->at_once()).code, 0);
  }
  static void TearDownTestSuite() { delete stage_; }

  // Words by spaces.
  static Finished Run(const std::string& line) {
    Words words;
    std::istringstream stream(line);
    for (std::string word; stream >> word;) words.push_back(word);
    return stage_->Cli(words);
  }

  static Stage* stage_;
};
Stage* CommandLineTest::stage_ = nullptr;

const std::vector<Words>& Verbs() {
  static const std::vector<Words> kVerbs = {
      {},
      {"init"},
      {"serve"},
      {"operator"},
      {"operator", "create"},
      {"unit"},
      {"unit", "build"},
      {"unit", "inspect"},
      {"unit", "diff"},
      {"unit", "verify"},
      {"unit", "push"},
      {"unit", "list"},
      {"unit", "release"},
      {"gate"},
      {"gate", "run"},
      {"fleet"},
      {"fleet", "create"},
      {"fleet", "show"},
      {"robot"},
      {"robot", "create"},
      {"robot", "rearm"},
      {"status"},
      {"rollout"},
      {"rollout", "start"},
      {"rollout", "status"},
      {"rollout", "abort"},
      {"rollback"},
      {"incident"},
      {"incident", "list"},
      {"incident", "show"},
      {"audit"},
      {"audit", "list"},
  };
  return kVerbs;
}

TEST_F(CommandLineTest, EveryVerbExplainsItself) {
  for (Words words : Verbs()) {
    words.push_back("--help");
    const Finished help = stage_->Cli(words);
    EXPECT_EQ(help.code, 0) << Text(words);
    EXPECT_THAT(help.out, HasSubstr("Usage: ")) << Text(words);
    EXPECT_THAT(help.err, IsEmpty()) << Text(words);
  }
}

// A verb that is added must be added above: what the help names is what was asked for help.
TEST_F(CommandLineTest, TheHelpNamesNoVerbThatThisTestForgets) {
  for (const Words& words : Verbs()) {
    Words asked = words;
    asked.push_back("--help");
    std::istringstream lines(stage_->Cli(asked).out);
    bool subcommands = false;
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("Subcommands:", 0) == 0) {
        subcommands = true;
      } else if (subcommands && line.rfind("  ", 0) == 0 && line.size() > 2 && line[2] != ' ') {
        Words verb = words;
        verb.push_back(line.substr(2, line.find(' ', 2) - 2));
        EXPECT_THAT(Verbs(), testing::Contains(verb)) << Text(verb);
      } else {
        subcommands = false;
      }
    }
  }
}

TEST_F(CommandLineTest, TheHelpListsEveryExitCode) {
  const Finished help = Run("--help");
  for (int code = 0; code <= 12; ++code) {
    EXPECT_THAT(help.out, testing::ContainsRegex("\n +" + std::to_string(code) + "  [a-z]"));
  }
  EXPECT_THAT(Run("--version").out, testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(CommandLineTest, WrongUsageEndsWithTwoAndSaysWhatIsMissing) {
  for (const char* line :
       {"fly", "unit", "fleet show", "rollback north", "rollout start nav@1.0.0 --fleet north",
        "robot create r9 --fleet north", "rollback north --reason x --wait 0",
        "fleet show north -o xml", "robot create r9 --fleet north --hardware h --token-hours 25"}) {
    const Finished refused = Run(line);
    EXPECT_EQ(refused.code, 2) << line;
    EXPECT_THAT(refused.out + refused.err, Not(IsEmpty())) << line;
  }
}

TEST_F(CommandLineTest, JsonIsJson) {
  const std::string unit = stage_->SealedUnit("1.0.0");
  for (const std::string line :
       {"fleet show north", "robot create r2 --fleet north --hardware diff-drive-2", "unit list",
        "rollout status --fleet north", "incident list", "audit list", "audit list --after 2"}) {
    const Finished printed = Run(line + " -o json");
    EXPECT_TRUE(nlohmann::json::parse(printed.out, nullptr, false).is_object()) << line << "\n"
                                                                                << printed.out;
    EXPECT_THAT(printed.err, IsEmpty()) << line;
  }
  const auto manifest = nlohmann::json::parse(Run("unit inspect " + unit + " -o json").out);
  EXPECT_EQ(manifest["name"], "nav");
  const std::string report = stage_->path("report.json");
  ASSERT_EQ(Run("gate run " + stage_->BuiltUnit("1.0.0") + " --suite " + stage_->suite() +
                " --scenarios " + stage_->scenarios() + " -o json=" + report)
                .code,
            0);
  EXPECT_EQ(nlohmann::json::parse(ReadWhole(report))["outcome"], "PASS");
}

TEST_F(CommandLineTest, ARolloutUnderWayEndsWithEight) {
  EXPECT_EQ(Run("rollout status --fleet north").code, 8);
  const Finished second = Run("rollout start nav@1.0.0 --fleet north --plan " + stage_->at_once());
  EXPECT_EQ(second.code, 6) << second.err;
}

TEST_F(CommandLineTest, WhatIsNotThereEndsWithFive) {
  const std::string plan = " --fleet north --plan " + stage_->at_once();
  const std::vector<std::string> lines = {"fleet show south",
                                          "rollback south --reason x",
                                          "robot rearm r9 --reason x",
                                          "robot create r9 --fleet south --hardware h",
                                          "rollout start nav@9.9.9" + plan,
                                          "rollout start nav@1.0.0 --fleet north --plan nowhere",
                                          "rollout status --fleet south",
                                          "rollout status --id nothing",
                                          "rollout abort nothing --reason x",
                                          "incident show nothing",
                                          "unit release nav@9.9.9 --reason x",
                                          "unit verify nowhere",
                                          "unit push nowhere",
                                          "unit inspect nowhere"};
  for (const std::string& line : lines) {
    const Finished refused = Run(line);
    EXPECT_EQ(refused.code, 5) << line << "\n" << refused.err;
    EXPECT_THAT(refused.err, HasSubstr("error: ")) << line;
  }
}

TEST_F(CommandLineTest, WhatExistsAlreadyEndsWithSix) {
  const Finished fleet = Run("fleet create north");
  EXPECT_EQ(fleet.code, 6) << fleet.err;
  EXPECT_THAT(fleet.err, HasSubstr("north"));
  const Finished home = RunProgram({GATEKEEPER, "init", stage_->home()});
  EXPECT_EQ(home.code, 6) << home.err;
  EXPECT_EQ(Run("operator create admin").code, 6);
  EXPECT_EQ(Run("unit build --repo " + stage_->repository().path() +
                " --spec release-1.0.0.yaml --out " + stage_->BuiltUnit("1.0.0"))
                .code,
            6);
}

TEST_F(CommandLineTest, AServerThatIsNotThereEndsWithEleven) {
  for (const Words& verb : {Words{"fleet", "show", "north"}, Words{"status"}, Words{"unit", "list"},
                            Words{"audit", "list"}, Words{"rollback", "north", "--reason", "x"},
                            Words{"unit", "push", stage_->SealedUnit("1.0.0")}}) {
    Words words = {GATEKEEPER, "--home", stage_->home(), "--server", "127.0.0.1:1"};
    words.insert(words.end(), verb.begin(), verb.end());
    const Finished refused = RunProgram(words);
    EXPECT_EQ(refused.code, 11) << Text(verb) << "\n" << refused.err;
    EXPECT_THAT(refused.err, AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("gatekeeper serve")));
  }
}

TEST_F(CommandLineTest, WithoutKeysItSaysHowToGetThem) {
  const Finished nobody = RunProgram({GATEKEEPER, "--home", stage_->path("nobody"), "status"});
  EXPECT_EQ(nobody.code, 5);
  EXPECT_THAT(nobody.err, AllOf(HasSubstr("--home"), HasSubstr("gatekeeper init")));
  const std::string crowded = stage_->path("crowded");
  ASSERT_EQ(RunProgram({GATEKEEPER, "init", crowded}).code, 0);
  ASSERT_EQ(RunProgram({GATEKEEPER, "--home", crowded, "operator", "create", "mara"}).code, 0);
  const Finished two = RunProgram({GATEKEEPER, "--home", crowded, "status"});
  EXPECT_EQ(two.code, 2);
  EXPECT_THAT(two.err, AllOf(HasSubstr("--operator"), HasSubstr("admin, mara")));
}

}  // namespace
}  // namespace tests
