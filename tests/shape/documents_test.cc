#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

// Documents may only name what is there.

namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;

std::string Read(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> Matches(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it) {
    found.push_back((*it)[1]);
  }
  return found;
}

std::set<std::string> TestsThatExist() {
  static const std::regex pattern(R"(TEST(?:_F|_P)?\(\s*(\w+,\s*\w+)\))");
  std::set<std::string> tests;
  for (const auto& entry : fs::recursive_directory_iterator("tests")) {
    if (entry.path().extension() != ".cc") continue;
    for (std::string name : Matches(Read(entry.path()), pattern)) {
      name.replace(name.find(','),
                   name.find_first_not_of(", \n\t", name.find(',')) - name.find(','), ".");
      tests.insert(name);
    }
  }
  return tests;
}

TEST(DocumentsTest, EveryTestThatTheArchitectureNamesExists) {
  const std::set<std::string> tests = TestsThatExist();
  std::vector<std::string> missing;
  const auto named = Matches(Read("ARCHITECTURE.md"), std::regex(R"(`(\w+Test\.\w+)`)"));
  ASSERT_GT(named.size(), 20u);
  for (const std::string& name : named) {
    if (!tests.contains(name)) missing.push_back(name);
  }
  EXPECT_THAT(missing, IsEmpty());
}

TEST(DocumentsTest, EveryFileThatADocumentLinksExists) {
  std::vector<std::string> missing;
  for (const char* document : {"README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "agent/README.md",
                               "gatekeeper/README.md", "proto/README.md", "policies/README.md",
                               "tests/README.md", "deploy/README.md"}) {
    ASSERT_TRUE(fs::exists(document)) << document;
    const fs::path folder = fs::path(document).parent_path();
    for (const std::string& link : Matches(Read(document), std::regex(R"(\]\(([\w./-]+)\))"))) {
      if (!fs::exists(folder / link)) missing.push_back(std::string(document) + ": " + link);
    }
  }
  EXPECT_THAT(missing, IsEmpty());
}

TEST(DocumentsTest, EveryPathInCodeMarksOfTheArchitectureExists) {
  std::vector<std::string> missing;
  const std::regex pattern(
      R"(`((?:agent|gatekeeper|policies|proto|tests|deploy)/[\w./-]+\.(?:h|cc|proto|yaml))`)");
  for (const std::string& path : Matches(Read("ARCHITECTURE.md"), pattern)) {
    if (!fs::exists(path)) missing.push_back(path);
  }
  EXPECT_THAT(missing, IsEmpty());
}

}  // namespace
