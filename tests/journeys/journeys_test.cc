#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/agent/trust/unit_fixture.h"
#include "tests/journeys/interpreter.h"
#include "tests/journeys/script.h"
#include "tests/support/status_matchers.h"

namespace tests::journeys {
namespace {

// Every *.txt beside this file is a test. JOURNEY_UPDATE=1 writes down what is printed now: read
// the diff.
std::vector<std::string> JourneyNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(JOURNEYS_FOLDER)) {
    const std::string stem = entry.path().stem().string();
    if (entry.path().extension() == ".txt" && stem != "CMakeLists") names.push_back(stem);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

class JourneyTest : public testing::TestWithParam<std::string> {};

TEST_P(JourneyTest, EndsAsWritten) {
  spdlog::set_level(spdlog::level::off);
  const std::string path = std::string(JOURNEYS_FOLDER) + "/" + GetParam() + ".txt";
  ASSERT_OK_AND_ASSIGN(Script script, ParseScript(ReadFile(path)));
  const bool update = std::getenv("JOURNEY_UPDATE") != nullptr;
  Interpreter interpreter;
  for (Block& block : script.blocks) {
    std::vector<std::string> printed;
    for (const std::string& command : block.commands) {
      for (std::string& line : interpreter.Do(command)) printed.push_back(std::move(line));
    }
    // One "ok" is enough for a list of commands that have nothing else to say.
    const auto oks = std::ranges::count(printed, "ok");
    if (oks > 0) std::erase(printed, "ok");
    if (printed.empty() && oks > 0) printed.push_back("ok");
    if (!update) {
      EXPECT_EQ(Joined(block.printed), Joined(printed)) << Joined(block.commands);
    }
    block.printed = std::move(printed);
  }
  EXPECT_EQ(Joined(interpreter.broken()), "");
  if (update) WriteFile(path, ToText(script));
}

INSTANTIATE_TEST_SUITE_P(Journeys, JourneyTest, testing::ValuesIn(JourneyNames()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace tests::journeys
