#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "gatekeeper/cli/verbs.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/gatekeeper/cli/typed_verb.h"
#include "tests/support/temp_folder.h"

// `gatekeeper policy ...` as a person types it.

namespace {

using gatekeeper::cli::Session;
using testing::HasSubstr;
using tests::Printed;
using tests::ReadBytes;
using tests::Typed;

constexpr char kGolden[] = "tests/gatekeeper/cli/golden/";
constexpr char kSmall[] = "tests/gatekeeper/cli/small";

Printed Policy(const std::string& arguments) {
  Session session;
  CLI::App app;
  gatekeeper::cli::AddPolicyVerbs(app, session);
  return Typed(app, session, "policy " + arguments);
}

// Compares with the golden file; GATEKEEPER_UPDATE_GOLDENS=1 writes it instead, for review as a
// diff.
void ExpectGolden(const std::string& name, const std::string& text) {
  const std::string path = kGolden + name;
  if (std::getenv("GATEKEEPER_UPDATE_GOLDENS") != nullptr) std::ofstream(path) << text;
  EXPECT_EQ(text, ReadBytes(path)) << name;
}

TEST(PolicyCheckTest, SaysThatNoRuleIsBroken) {
  const Printed small = Policy(std::string("check ") + kSmall);
  EXPECT_EQ(small.code, 0) << small.out;
  EXPECT_EQ(small.out,
            "warning: tests/gatekeeper/cli/small/control_policy.yaml: no site: nothing says where "
            "it may drive and what its robots are certified for; name its site file too\n"
            "2 documents in 1 set: no rule is broken\n");
  const Printed nav = Policy("check policies/nav policies/site");
  EXPECT_EQ(nav.code, 0) << nav.out;
  // Four releases, and three sites of which one is theirs.
  EXPECT_EQ(nav.out, "7 documents in 7 sets: no rule is broken\n");
}

TEST(PolicyCheckTest, NamesFileLineColumnAndRule) {
  tests::TempFolder folder;
  std::string policy = ReadBytes(std::string(kSmall) + "/control_policy.yaml");
  policy.replace(policy.find("vx_max_mps: 0.5"), 15, "vx_max_mps: 1.5");
  std::ofstream(folder / "policy.yaml") << policy;
  const Printed refused = Policy("check " + (folder / "policy.yaml"));
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.out, testing::StartsWith(folder / "policy.yaml:25:"));
  EXPECT_THAT(refused.out, HasSubstr(": S9: limits.transition.vx_max_mps must not be looser"));
}

TEST(PolicyCheckTest, TakesASiteBesideAFolder) {
  const Printed refused = Policy(std::string("check ") + kSmall + " policies/site/hall.yaml");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.out, HasSubstr("S11: envelope a robot at 'rail_north'"));
}

TEST(PolicyCheckTest, AsksForWhatIsMissing) {
  const Printed alone = Policy(std::string("check ") + kSmall + "/fallback_rules.yaml");
  EXPECT_EQ(alone.code, 2);
  EXPECT_THAT(alone.err, HasSubstr("is judged against a control policy"));
  EXPECT_EQ(Policy("check policies/nav/control_policy.yaml policies/nav/fallback_rules.yaml").code,
            0);
  EXPECT_EQ(Policy("check nowhere").code, 5);
  EXPECT_EQ(Policy("check policies/plans").code, 5);
  const Printed plan = Policy("check policies/plans/nav.yaml");
  EXPECT_EQ(plan.code, 2);
  EXPECT_THAT(plan.err, HasSubstr("schema must be control_policy/1"));
  const Printed two = Policy(std::string("check policies/nav/control_policy.yaml ") + kSmall +
                             "/control_policy.yaml");
  EXPECT_EQ(two.code, 2);
  EXPECT_THAT(two.err, HasSubstr("are both control_policy/1"));
}

TEST(PolicyCheckTest, SaysWhoNamesAFileThatIsNotThere) {
  tests::TempFolder folder;
  std::ofstream(folder / "release.yaml") << "schema: release/1\nsite: ../site/hall.yaml\n";
  const Printed refused = Policy("check " + folder.path());
  EXPECT_EQ(refused.code, 5);
  EXPECT_THAT(refused.err, HasSubstr("release.yaml names '../site/hall.yaml': open "));
}

TEST(PolicyExplainTest, TellsWhatHappensInEveryStateUnderEveryTrigger) {
  const Printed folder = Policy(std::string("explain ") + kSmall);
  EXPECT_EQ(folder.code, 0) << folder.err;
  ExpectGolden("explain.txt", folder.out);
  EXPECT_EQ(Policy(std::string("explain ") + kSmall + "/fallback_rules.yaml").out, folder.out);
}

TEST(PolicyExplainTest, DrawsAGraph) {
  const Printed small = Policy(std::string("explain --dot ") + kSmall);
  EXPECT_EQ(small.code, 0) << small.err;
  ExpectGolden("explain.dot", small.out);
  // Every line of the body is a statement of the DOT language as we use it.
  const std::regex statement(
      R"re(  (rankdir=TB;|(node|edge) \[.*\];|"\w+"( -> "\w+")? \[label="([^"\\]|\\.)*"(, \w+=\w+)?\];))re");
  std::stringstream lines(small.out);
  std::string line;
  ASSERT_TRUE(std::getline(lines, line));
  EXPECT_EQ(line, "digraph fallback {");
  while (std::getline(lines, line) && line != "}") {
    EXPECT_TRUE(std::regex_match(line, statement)) << line;
  }
  EXPECT_EQ(line, "}");
}

TEST(PolicyExplainTest, TakesTheShippedPolicyAndRefusesABrokenOne) {
  const Printed nav = Policy("explain policies/nav/fallback_rules.yaml");
  EXPECT_EQ(nav.code, 0) << nav.err;
  EXPECT_THAT(nav.out, HasSubstr("SIMPLE_CONTROLLER"));
  EXPECT_EQ(Policy("explain policies/site").code, 5);
  const Printed nowhere = Policy("explain nowhere/rules.yaml");
  EXPECT_EQ(nowhere.code, 5);
  EXPECT_THAT(nowhere.err, HasSubstr("nowhere/rules.yaml: no such file"));
  tests::TempFolder folder;
  std::ofstream(folder / "a.yaml") << ReadBytes(std::string(kSmall) + "/control_policy.yaml");
  std::ofstream(folder / "b.yaml") << "schema: fallback_rules/1\nmrc_within_ms: 0\n";
  const Printed refused = Policy("explain " + folder.path());
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("b.yaml:2:1: S14: mrc_within_ms must be above 0"));
}

}  // namespace
