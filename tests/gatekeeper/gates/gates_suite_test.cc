#include <algorithm>
#include <fstream>
#include <sstream>

#include "absl/strings/str_replace.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/suite.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/status_matchers.h"

namespace gatekeeper::gates {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(SuiteTest, KeepsTheDigestOfTheVeryBytes) {
  ASSERT_OK_AND_ASSIGN(const Suite suite, ParseSuite(tests::SuiteYaml(), "suite.yaml"));
  EXPECT_EQ(suite.document.id(), "hall-suite");
  EXPECT_EQ(suite.sha256, agent::trust::Sha256(tests::SuiteYaml()));
}

TEST(SuiteTest, ReadsTheSuiteThatShips) {
  std::ifstream file("policies/suites/nav.yaml");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_OK(ParseSuite(text.str(), "policies/suites/nav.yaml"));
}

// Whoever copies it must not be told that it is wrong.
TEST(SuiteTest, ReadsTheSuiteOfTheReadme) {
  std::ifstream file("README.md");
  std::stringstream text;
  text << file.rdbuf();
  const std::string readme = text.str();
  const size_t from = readme.find("schema: gate_suite/1");
  ASSERT_NE(from, std::string::npos);
  const std::string yaml = readme.substr(from, readme.find("```", from) - from);
  EXPECT_OK(ParseSuite(yaml, "README.md"));
  EXPECT_LE(std::count(yaml.begin(), yaml.end(), '\n'), 20) << "a suite of about twenty lines";
}

struct BadSuite {
  const char* from;
  const char* to;
  const char* told;
};

class BadSuiteTest : public testing::TestWithParam<BadSuite> {};

TEST_P(BadSuiteTest, IsRefusedWithItsPlace) {
  const std::string yaml =
      absl::StrReplaceAll(tests::SuiteYaml(), {{GetParam().from, GetParam().to}});
  ASSERT_NE(yaml, tests::SuiteYaml());
  EXPECT_THAT(ParseSuite(yaml, "suite.yaml"),
              tests::StatusIs(absl::StatusCode::kInvalidArgument,
                              AllOf(HasSubstr("suite.yaml:"), HasSubstr(GetParam().told))));
}

INSTANTIATE_TEST_SUITE_P(
    Numbers, BadSuiteTest,
    testing::Values(
        BadSuite{"alpha: 0.1", "alpha: 0", "alpha must be above 0"},
        BadSuite{"alpha: 0.1", "alpha: 0.6", "alpha must be above 0"},
        BadSuite{"alpha: 0.1", "alpha: .nan", "alpha"},
        BadSuite{"id: hall-suite", "id: \"\"", "id is missing"},
        BadSuite{"floor: 0.55", "floor: 0", "worst_segment.floor"},
        BadSuite{"floor: 0.55", "floor: 1", "worst_segment.floor"},
        BadSuite{"min_clips: 6", "min_clips: 0", "worst_segment.min_clips"},
        BadSuite{"[clear, dusty]", "[]", "worst_segment.tags is empty"},
        BadSuite{"[clear, dusty]", "[clear, clear]", "names \"clear\" twice"},
        BadSuite{"max_clamp_fraction: 0.4", "max_clamp_fraction: 1", "max_clamp_fraction"},
        BadSuite{"max_clamp_fraction: 0.4", "max_clamp_fraction: 0",
                 "suite.yaml:7:19: raw_vs_enforced.max_clamp_fraction must be above 0"},
        BadSuite{"deadline_ms: 40", "deadline_ms: 0", "latency.deadline_ms"},
        BadSuite{"quantile: 0.9", "quantile: 1", "latency.quantile"},
        BadSuite{"clips: 2", "clips: 0", "faults.clips"},
        BadSuite{"runs: 2", "runs: 1", "determinism.runs"},
        BadSuite{"min_clearance_m: 0.2", "min_clearance_m: -1", "envelope.min_clearance_m"},
        BadSuite{"determinism: {runs: 2}\n", "", "section determinism is missing"},
        BadSuite{"alpha: 0.1", "alfa: 0.1", "alfa"},
        BadSuite{"gate_suite/1", "gate_suite/2", "gate_suite/"}));

TEST(SuiteTest, RefusesAFileLargerThanAnySuite) {
  EXPECT_THAT(
      ParseSuite(std::string(300'000, '#'), "suite.yaml"),
      tests::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 262144 bytes")));
}

const std::string kClosed =
    "closed_loop: {runs: 60, max_pose_error_m: 0.3, max_range_error_m: 0.1, "
    "max_collision_rate: 0.06, min_goal_rate: 0.9, goal_within_m: 0.5, ";

struct OptionalSection {
  std::string good;
  std::string bad;
  std::string told;
};

class OptionalSectionTest : public testing::TestWithParam<OptionalSection> {};

TEST_P(OptionalSectionTest, IsHeldToItsRangesOnlyWhenItIsThere) {
  const std::string with = tests::SuiteYaml() + "\n";
  EXPECT_OK(ParseSuite(with + GetParam().good + "\n", "suite.yaml"));
  EXPECT_THAT(ParseSuite(with + GetParam().bad + "\n", "suite.yaml"),
              tests::StatusIs(absl::StatusCode::kInvalidArgument,
                              AllOf(HasSubstr("suite.yaml:"), HasSubstr(GetParam().told))));
}

INSTANTIATE_TEST_SUITE_P(
    Sections, OptionalSectionTest,
    testing::Values(
        OptionalSection{"non_inferiority: {delta: 0.05, max_newly_failing: 0}",
                        "non_inferiority: {max_newly_failing: 0}", "non_inferiority.delta"},
        OptionalSection{
            "fault_matrix: {onsets: [0, 0.5], durations_s: [1], clips: 1, detect_within_ms: 600, "
            "safe_within_ms: 900}",
            "fault_matrix: {onsets: [0, 1], durations_s: [1], clips: 1, detect_within_ms: 600, "
            "safe_within_ms: 900}",
            "fault_matrix.onsets[1]"},
        OptionalSection{
            "fault_matrix: {onsets: [0.5], durations_s: [1], clips: 1, detect_within_ms: 600, "
            "safe_within_ms: 900}",
            "fault_matrix: {onsets: [0.5], clips: 1, detect_within_ms: 600, safe_within_ms: 900}",
            "fault_matrix.durations_s"},
        OptionalSection{"leakage: {training_digests: train.txt}",
                        "leakage: {training_digests: /train.txt}", "leakage.training_digests"},
        OptionalSection{kClosed + "max_far_off: 0}", kClosed + "max_far_off: -0.01}",
                        "closed_loop.max_far_off"},
        OptionalSection{kClosed + "max_far_off: 0.999}", kClosed + "max_far_off: 1}",
                        "closed_loop.max_far_off"},
        OptionalSection{kClosed + "map: ../maps/hall.yaml}", kClosed + "map: /maps/hall.yaml}",
                        "closed_loop.map must be a path"},
        OptionalSection{"regression: {corpus: corpus}", "regression: {}", "regression.corpus"},
        OptionalSection{"site: ../site/hall.yaml", "site: /hall.yaml", "site must be a path"}));

}  // namespace
}  // namespace gatekeeper::gates
