#include <string>

#include "agent/runtime/unit_rules.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/status_matchers.h"

namespace agent::runtime {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::tests::StatusIs;
using ::tests::TextOf;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class LoadRulesTest : public testing::Test {
 protected:
  auto Load() { return LoadRules(card_, policy_, fallback_); }
  static void Replace(std::string& text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
  }
  std::string card_ = TextOf("policies/nav/card.yaml");
  std::string policy_ = TextOf("policies/nav/control_policy.yaml");
  std::string fallback_ = TextOf("policies/nav/fallback_rules.yaml");
};

TEST_F(LoadRulesTest, TakesTheDemoRobotsFiles) {
  ASSERT_OK_AND_ASSIGN(const auto rules, Load());
  EXPECT_EQ(rules->policy.id(), "nav-indoor");
  EXPECT_EQ(rules->fallback.states().size(), 8U);
  ASSERT_OK_AND_ASSIGN(const auto signature, SignatureFor(rules->card, rules->policy));
  EXPECT_EQ(signature.inputs[0].elements(), 27U);
  EXPECT_EQ(signature.outputs[0].elements(), 2U);
}

TEST_F(LoadRulesTest, TakesTheOtherCardToo) {
  card_ = TextOf("policies/nav/card-1.3.0.yaml");
  EXPECT_OK(Load());
}

TEST_F(LoadRulesTest, NamesFileLineAndColumnOfAWrongNumber) {
  Replace(policy_, "hard_ms: 30 ", "hard_ms: 60 ");
  EXPECT_THAT(Load(), StatusIs(kInvalid, MatchesRegex("control_policy.yaml:[0-9]+:[0-9]+: "
                                                      "deadline.hard_ms must be below .*")));
  policy_ = TextOf("policies/nav/control_policy.yaml");
  Replace(fallback_, "to: PREVIOUS_MODEL", "to: PREVIOUS_MODELS");
  EXPECT_THAT(Load(), StatusIs(kInvalid, MatchesRegex("fallback_rules.yaml:[0-9]+:[0-9]+: "
                                                      "triggers\\[0\\].to names no state.*")));
  fallback_ = TextOf("policies/nav/fallback_rules.yaml");
  Replace(card_, "index: 1", "index: 99999");
  EXPECT_THAT(Load(), StatusIs(kInvalid, MatchesRegex("card.yaml:[0-9]+:[0-9]+: "
                                                      "outputs\\[1\\].index must be below.*")));
}

TEST_F(LoadRulesTest, NamesTheFileOfAWrongKey) {
  Replace(policy_, "vx_max_mps: 1.0", "vx_maximum_mps: 1.0");
  EXPECT_THAT(Load(), StatusIs(kInvalid, HasSubstr("control_policy.yaml:")));
  policy_ = TextOf("policies/nav/control_policy.yaml");
  Replace(fallback_, "schema: fallback_rules/1", "schema: fallback_rules/9");
  EXPECT_THAT(Load(), StatusIs(kInvalid, HasSubstr("fallback_rules.yaml:")));
  fallback_ = TextOf("policies/nav/fallback_rules.yaml");
  Replace(card_, "outputs:", "output:");
  EXPECT_THAT(Load(), StatusIs(kInvalid, HasSubstr("card.yaml:")));
}

// Every byte of what people write may be wrong; whatever it is, the answer is a Status.
TEST_F(LoadRulesTest, SurvivesTruncationAndFlippedBytes) {
  const std::string whole = policy_;
  const size_t optional_from = whole.find("envelope:");  // a policy may have no zones
  for (size_t cut = 0; cut < whole.size(); cut += 97) {
    policy_ = whole.substr(0, cut);
    EXPECT_FALSE(Load().ok() && cut < optional_from) << cut;
  }
  for (size_t at = 0; at < whole.size(); at += 53) {
    policy_ = whole;
    policy_[at] = static_cast<char>(policy_[at] ^ 0x15);
    Load().status().IgnoreError();
  }
}

}  // namespace
}  // namespace agent::runtime
