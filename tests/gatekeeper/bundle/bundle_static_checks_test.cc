#include <filesystem>
#include <random>

#include "agent/base/yaml_document.h"
#include "gatekeeper/bundle/policy_folder.h"
#include "gatekeeper/bundle/static_checks.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/bundle/nav_documents.h"
#include "tests/support/status_matchers.h"

namespace {

using namespace gatekeeper::bundle;  // NOLINT(google-build-using-namespace)
using testing::HasSubstr;
using testing::IsEmpty;
using tests::Documents;
using tests::kPolicy;
using tests::Texts;

TEST(StaticChecksTest, TakeEveryPolicyThatIsShipped) {
  std::vector<std::string> folders;
  for (const auto& entry : std::filesystem::directory_iterator("policies")) {
    if (!entry.is_directory() || entry.path().filename() == "plans" ||
        entry.path().filename() == "suites") {
      continue;
    }
    folders.push_back(entry.path().string());
  }
  ASSERT_GE(folders.size(), 2U);
  for (const std::string& folder : folders) {
    ASSERT_OK_AND_ASSIGN(const std::vector<RuleSet> sets, FindRuleSets({folder}));
    for (const RuleSet& set : sets) EXPECT_THAT(Texts(CheckRules(set)), IsEmpty()) << folder;
  }
}

TEST(StaticChecksTest, ProveWhatIsThereWhenDocumentsAreMissing) {
  Documents documents;
  RuleSet rules = documents.Rules();
  rules.site.reset();
  rules.card.reset();
  EXPECT_THAT(Texts(CheckRules(rules)), IsEmpty());
  rules.fallback.reset();
  EXPECT_THAT(Texts(CheckRules(rules)), IsEmpty());
  RuleSet site;
  site.site = documents.Rules().site;
  EXPECT_THAT(Texts(CheckRules(site)), IsEmpty());
}

// Forwards from 1 m/s the demonstration's robot needs 0.25 s of reaction and 0.21 m of braking to
// 0.4 m/s, then 0.2 s and 0.04 m: 0.58 m in all, 0.12 m of it in the stop zone. Its radius is 0.25
// m.
TEST(StaticChecksTest, ZonesMayEndExactlyWhereAStopDoes) {
  const auto check = [](const std::string& near, const std::string& touch) {
    Documents documents;
    documents.Apply({kPolicy, "id: near", "[[0.90, 0.40]", "[[" + near + ", 0.40]"});
    documents.Apply({kPolicy, "id: near", "[0.90, -0.40]]", "[" + near + ", -0.40]]"});
    documents.Apply({kPolicy, "id: touch", "[[0.45, 0.30]", "[[" + touch + ", 0.30]"});
    documents.Apply({kPolicy, "id: touch", "[0.45, -0.30]]", "[" + touch + ", -0.30]]"});
    return Texts(CheckRules(documents.Rules()));
  };
  EXPECT_THAT(check("0.83", "0.37"), IsEmpty());
  EXPECT_THAT(check("0.829999", "0.37"),
              testing::ElementsAre(HasSubstr("S10: separation does not cover 1 m/s forwards: the "
                                             "robot needs 0.580 m to slow to 0.4 m/s and stop")));
  EXPECT_THAT(check("0.83", "0.369999"), testing::ElementsAre(HasSubstr("S10: separation")));
}

TEST(StaticChecksTest, SeparationDistanceStandsForZonesAtEverySpeed) {
  const auto check = [](const std::string& react) {
    Documents documents;
    documents.Apply(
        {kPolicy, "separation:", "  zones:",
         "  ssm: {source: scan, v_human_mps: 1.6, t_react_s: " + react +
             ", dec_mps2: 2.0, c_m: 0.1, z_sensor_m: 0.05, z_robot_m: 0.05}\n  zones:"});
    documents.Apply({kPolicy, "id: near", "[0.90, 0.40]", "[0.50, 0.40]"});
    return Texts(CheckRules(documents.Rules()));
  };
  EXPECT_THAT(check("0.2"), IsEmpty());
  EXPECT_THAT(check("0.199"), testing::ElementsAre(HasSubstr("separation.ssm.t_react_s")));
}

// Whatever bytes come, there is an answer: half of the files cut or changed at one place.
TEST(StaticChecksTest, SurviveTruncationAndFlippedBytes) {
  std::mt19937 random(5);
  size_t refused = 0;
  for (int round = 0; round < 400; ++round) {
    RuleSet rules = Documents().Rules();
    const size_t which = random() % 4;
    std::string& text = (which == 0   ? rules.card
                         : which == 1 ? rules.policy
                         : which == 2 ? rules.fallback
                                      : rules.site)
                            ->text;
    const size_t at = random() % text.size();
    if (random() % 2 == 0) {
      text.resize(at);
    } else {
      text[at] = static_cast<char>(random());
    }
    refused += CheckRules(rules).empty() ? 0 : 1;
  }
  EXPECT_GT(refused, 100U);
}

class PreviousTest : public testing::Test {
 protected:
  PreviousTest() {
    rules_ = Documents().Rules();
    previous_.label = "nav@1.0.0";
    previous_.hardware = {"diff-drive-2"};
    EXPECT_OK(agent::base::ReadYaml(rules_.card->text, "card", "model_card/1", previous_.card));
    EXPECT_OK(
        agent::base::ReadYaml(rules_.policy->text, "policy", "control_policy/1", previous_.policy));
  }

  std::vector<std::string> Check() {
    rules_.previous = previous_;
    return Texts(CheckRules(rules_));
  }

  RuleSet rules_;
  PreviousUnit previous_;
};

TEST_F(PreviousTest, MayBeWhatReadsAndCommandsTheSame) { EXPECT_THAT(Check(), IsEmpty()); }

TEST_F(PreviousTest, MustCommandTheSameFieldsAtTheSameRate) {
  previous_.policy.mutable_command()->set_fields(0, "steer_rad");
  previous_.policy.mutable_command()->set_rate_hz(10);
  EXPECT_THAT(Check(), testing::ElementsAre(
                           testing::AllOf(HasSubstr("S12: states.PREVIOUS_MODEL.controller"),
                                          HasSubstr("it commands other fields")),
                           HasSubstr("it was made for 10 Hz, not for 20")));
}

TEST_F(PreviousTest, MayReadOnlyWhatThePolicyRequires) {
  previous_.card.mutable_inputs(1)->set_channel("imu");
  EXPECT_THAT(Check(), testing::ElementsAre(HasSubstr("S12: ")));
  EXPECT_THAT(Check(), testing::ElementsAre(HasSubstr("it reads 'imu'")));
}

TEST_F(PreviousTest, MustRunOnTheSameHardware) {
  previous_.hardware = {"diff-drive-1"};
  EXPECT_THAT(Check(), testing::ElementsAre(HasSubstr("does not run on hardware 'diff-drive-2'")));
}

}  // namespace
