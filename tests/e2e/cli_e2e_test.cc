#include <gmock/gmock.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "tests/e2e/stage.h"
#include "tests/support/nav_release.h"

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

// A gatekeeper with a fleet, a robot that never comes, and a rollout that waits for it.
class WaitingOffice : public Stage {
 public:
  WaitingOffice() {
    Serve();
    PushedUnit("1.0.0");
    for (const Words& words :
         {Words{"fleet", "create", "north"},
          Words{"robot", "create", "r1", "--fleet", "north", "--hardware", "diff-drive-2"},
          Words{"rollout", "start", "nav@1.0.0", "--fleet", "north", "--plan", at_once()}}) {
      EXPECT_EQ(Cli(words).code, 0) << Text(words);
    }
  }
};
Stage& WaitingStage() {
  static WaitingOffice office;
  return office;
}

// Words by spaces.
Finished Call(const std::string& line) {
  Words words;
  std::istringstream stream(line);
  for (std::string word; stream >> word;) words.push_back(word);
  return WaitingStage().Cli(words);
}

// The subcommands that a help text names.
Words NamedBy(const std::string& help) {
  Words names;
  std::istringstream lines(help);
  bool subcommands = false;
  for (std::string line; std::getline(lines, line);) {
    const bool name = line.size() > 2 && line.rfind("  ", 0) == 0 && line[2] != ' ';
    if (subcommands && name) names.push_back(line.substr(2, line.find(' ', 2) - 2));
    subcommands = line.rfind("Subcommands:", 0) == 0 || (subcommands && name);
  }
  return names;
}

// Walks the help from the top: every verb that a help names must explain itself too.
TEST(CommandLineTest, EveryVerbThatTheHelpNamesExplainsItself) {
  std::vector<Words> verbs = {{}};
  for (size_t i = 0; i < verbs.size(); ++i) {
    Words asked = verbs[i];
    asked.push_back("--help");
    const Finished help = WaitingStage().Cli(asked);
    EXPECT_EQ(help.code, 0) << Text(asked);
    EXPECT_THAT(help.out, HasSubstr("Usage: ")) << Text(asked);
    EXPECT_THAT(help.err, IsEmpty()) << Text(asked);
    for (const std::string& name : NamedBy(help.out)) {
      asked.back() = name;
      verbs.push_back(asked);
    }
  }
  for (const Words& verb : {Words{"rollback"}, Words{"gate", "run"}, Words{"scenario", "info"}}) {
    EXPECT_THAT(verbs, testing::Contains(verb)) << Text(verb);
  }
}

TEST(CommandLineTest, TheHelpListsEveryExitCode) {
  const Finished help = Call("--help");
  for (int code = 0; code <= 12; ++code) {
    EXPECT_THAT(help.out, testing::ContainsRegex("\n +" + std::to_string(code) + "  [a-z]"));
  }
  EXPECT_THAT(Call("--version").out, testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST(CommandLineTest, WrongUsageEndsWithTwoAndSaysWhatIsMissing) {
  for (const char* line :
       {"fly", "unit", "fleet show", "rollback north", "rollout start nav@1.0.0 --fleet north",
        "robot create r9 --fleet north", "rollback north --reason x --wait 0",
        "fleet show north -o xml", "robot create r9 --fleet north --hardware h --token-hours 25"}) {
    const Finished refused = Call(line);
    EXPECT_EQ(refused.code, 2) << line;
    EXPECT_THAT(refused.out + refused.err, Not(IsEmpty())) << line;
  }
}

TEST(CommandLineTest, JsonIsJson) {
  const std::string unit = WaitingStage().SealedUnit("1.0.0");
  for (const std::string line :
       {"fleet show north", "robot create r2 --fleet north --hardware diff-drive-2", "unit list",
        "rollout status --fleet north", "incident list", "audit list", "audit list --after 2"}) {
    const Finished printed = Call(line + " -o json");
    EXPECT_TRUE(nlohmann::json::parse(printed.out, nullptr, false).is_object()) << line << "\n"
                                                                                << printed.out;
    EXPECT_THAT(printed.err, IsEmpty()) << line;
  }
  const auto manifest = nlohmann::json::parse(Call("unit inspect " + unit + " -o json").out);
  EXPECT_EQ(manifest["name"], "nav");
  const std::string report = WaitingStage().path("report.json");
  ASSERT_EQ(
      Call("gate run " + WaitingStage().BuiltUnit("1.0.0") + " --suite " + WaitingStage().suite() +
           " --scenarios " + WaitingStage().scenarios() + " -o json=" + report)
          .code,
      0);
  EXPECT_EQ(nlohmann::json::parse(ReadWhole(report))["outcome"], "PASS");
}

TEST(CommandLineTest, GoldenAnswersAreWrittenWhereTheSpecSays) {
  const std::string folder = WaitingStage().path("golden");
  std::filesystem::create_directories(folder + "/models");
  for (const char* name :
       {"release-1.0.0.yaml", "card.yaml", "control_policy.yaml", "models/nav-1.0.0.onnx"}) {
    WriteWhole(folder + "/" + name, NavFile(name));
  }
  const Finished written = Call("unit golden " + folder + "/release-1.0.0.yaml --cases 3");
  ASSERT_EQ(written.code, 0) << written.err;
  EXPECT_THAT(written.out, HasSubstr("bytes of golden answers of models/nav-1.0.0.onnx"));
  const auto golden =
      nlohmann::json::parse(ReadWhole(folder + "/models/nav-1.0.0.golden.json"), nullptr, false);
  EXPECT_EQ(golden["cases"].size(), 3U);

  WriteWhole(folder + "/bare.yaml", NavSpecWithout("golden", "models/nav-1.0.0.onnx"));
  const Finished refused = Call("unit golden " + folder + "/bare.yaml");
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("golden is missing"));
}

TEST(CommandLineTest, ARolloutUnderWayEndsWithEight) {
  EXPECT_EQ(Call("rollout status --fleet north").code, 8);
  const Finished second =
      Call("rollout start nav@1.0.0 --fleet north --plan " + WaitingStage().at_once());
  EXPECT_EQ(second.code, 6) << second.err;
}

TEST(CommandLineTest, WhatIsNotThereEndsWithFive) {
  const std::string plan = " --fleet north --plan " + WaitingStage().at_once();
  const std::vector<std::string> lines = {"fleet show south",
                                          "rollback south --reason x",
                                          "robot rearm r9 --reason x --key k --role r --name n",
                                          "robot acknowledge r9 --reason x",
                                          "rearm challenge r9",
                                          "rearm sign nowhere --key k --role r --name n",
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
    const Finished refused = Call(line);
    EXPECT_EQ(refused.code, 5) << line << "\n" << refused.err;
    EXPECT_THAT(refused.err, HasSubstr("error: ")) << line;
  }
}

TEST(CommandLineTest, WhatExistsAlreadyEndsWithSix) {
  const Finished fleet = Call("fleet create north");
  EXPECT_EQ(fleet.code, 6) << fleet.err;
  EXPECT_THAT(fleet.err, HasSubstr("north"));
  const Finished home = RunProgram({GATEKEEPER, "init", WaitingStage().home()});
  EXPECT_EQ(home.code, 6) << home.err;
  EXPECT_EQ(Call("operator create admin").code, 6);
  EXPECT_EQ(Call("unit build --repo " + WaitingStage().repository().path() +
                 " --spec release-1.0.0.yaml --out " + WaitingStage().BuiltUnit("1.0.0"))
                .code,
            6);
}

TEST(CommandLineTest, AServerThatIsNotThereEndsWithEleven) {
  for (const Words& verb : {Words{"fleet", "show", "north"}, Words{"status"}, Words{"unit", "list"},
                            Words{"audit", "list"}, Words{"rollback", "north", "--reason", "x"},
                            Words{"unit", "push", WaitingStage().SealedUnit("1.0.0")}}) {
    Words words = {GATEKEEPER, "--home", WaitingStage().home(), "--server", "127.0.0.1:1"};
    words.insert(words.end(), verb.begin(), verb.end());
    const Finished refused = RunProgram(words);
    EXPECT_EQ(refused.code, 11) << Text(verb) << "\n" << refused.err;
    EXPECT_THAT(refused.err, AllOf(HasSubstr("127.0.0.1:1"), HasSubstr("gatekeeper serve")));
  }
}

TEST(CommandLineTest, WithoutKeysItSaysHowToGetThem) {
  const Finished nobody =
      RunProgram({GATEKEEPER, "--home", WaitingStage().path("nobody"), "status"});
  EXPECT_EQ(nobody.code, 5);
  EXPECT_THAT(nobody.err, AllOf(HasSubstr("--home"), HasSubstr("gatekeeper init")));
  const std::string crowded = WaitingStage().path("crowded");
  ASSERT_EQ(RunProgram({GATEKEEPER, "init", crowded}).code, 0);
  ASSERT_EQ(RunProgram({GATEKEEPER, "--home", crowded, "operator", "create", "mara"}).code, 0);
  const Finished two = RunProgram({GATEKEEPER, "--home", crowded, "status"});
  EXPECT_EQ(two.code, 2);
  EXPECT_THAT(two.err, AllOf(HasSubstr("--operator"), HasSubstr("admin, mara")));
}

}  // namespace
}  // namespace tests
