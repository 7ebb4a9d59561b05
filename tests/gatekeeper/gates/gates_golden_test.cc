#include "agent/inference/golden.h"
#include "agent/trust/hash.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/golden_answers.h"
#include "gatekeeper/gates/run_suite.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/nav_release.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::gates {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using tests::StatusIs;

class GoldenGateTest : public testing::Test {
 protected:
  GoldenOrder Order() const {
    return {.card_yaml = tests::CardYaml(),
            .policy_yaml = tests::PolicyYaml(),
            .model = onnx_,
            .cases = 5,
            .library_path = {}};
  }

  absl::StatusOr<GateRun> Run(const std::string& golden) {
    tests::WriteUnit(folder_ / "unit", onnx_, tests::PolicyYaml(), golden);
    auto unit = bundle::UngatedUnit::Open(folder_ / "unit");
    if (!unit.ok()) return unit.status();
    return RunSuite(*unit, {.suite_yaml = tests::SuiteYaml(),
                            .suite_file = "suite.yaml",
                            .scenarios_folder = folder_ / "scenarios",
                            .policy = tests::AtSite(),
                            .clips_folder = {},
                            .library_path = {}});
  }

  tests::TempFolder folder_;
  const std::string onnx_ = tests::LinearOnnx(0.5F, 0);
};

TEST_F(GoldenGateTest, MakesAnswersThatTheModelGives) {
  ASSERT_OK_AND_ASSIGN(const std::string golden, MakeGolden(Order()));
  ASSERT_OK_AND_ASSIGN(const auto parsed, agent::inference::ParseGolden(golden));
  EXPECT_EQ(parsed.cases.size(), 5U);
  tests::RecordScenario(folder_ / "scenarios", "drive", {.without = {}});

  ASSERT_OK_AND_ASSIGN(const GateRun run, Run(golden));

  EXPECT_EQ(run.report.gates(0).id(), "integrity");
  EXPECT_EQ(run.report.gates(0).outcome(), v1::PASS);
  EXPECT_EQ(run.report.engine(), parsed.numerics_key);
  EXPECT_THAT(run.report.engine(), AllOf(HasSubstr("sha256:"), HasSubstr("ep=cpu")));
}

TEST_F(GoldenGateTest, RefusesAModelThatAnswersOtherwise) {
  ASSERT_OK_AND_ASSIGN(const std::string text, MakeGolden(Order()));
  ASSERT_OK_AND_ASSIGN(auto golden, agent::inference::ParseGolden(text));
  golden.cases[3].outputs[0][1] += 0.5F;
  tests::RecordScenario(folder_ / "scenarios", "drive", {.without = {}});

  ASSERT_OK_AND_ASSIGN(const GateRun run, Run(WriteGolden(golden)));

  EXPECT_EQ(run.report.gates(0).outcome(), v1::FAIL);
  ASSERT_EQ(run.report.gates(0).findings_size(), 1);
  EXPECT_THAT(run.report.gates(0).findings(0).message(), HasSubstr("cases[3] output"));
  EXPECT_FALSE(run.pass.has_value());
}

// A model that is trained anew must bring its answers along.
TEST(NavGoldenTest, EveryReleaseOfTheDemonstrationGivesItsGoldenAnswers) {
  for (const char* version : {"1.0.0", "1.1.0", "1.2.0", "1.3.0"}) {
    const std::string model = std::string("models/nav-") + version;
    const bool own_card = std::string(version) == "1.3.0";
    ASSERT_OK_AND_ASSIGN(
        const std::string now,
        MakeGolden({.card_yaml = tests::NavFile(own_card ? "card-1.3.0.yaml" : "card.yaml"),
                    .policy_yaml = tests::NavFile("control_policy.yaml"),
                    .model = tests::NavFile(model + ".onnx"),
                    .library_path = {}}));
    ASSERT_OK_AND_ASSIGN(const auto found, agent::inference::ParseGolden(now));
    ASSERT_OK_AND_ASSIGN(const auto committed,
                         agent::inference::ParseGolden(tests::NavFile(model + ".golden.json")));
    ASSERT_EQ(found.cases.size(), committed.cases.size()) << version;
    for (size_t i = 0; i < found.cases.size(); ++i) {
      EXPECT_EQ(found.cases[i].inputs, committed.cases[i].inputs) << version;
      for (size_t e = 0; e < 2; ++e) {
        EXPECT_NEAR(found.cases[i].outputs[0][e], committed.cases[i].outputs[0][e], 1e-3)
            << version;
      }
    }
  }
}

TEST_F(GoldenGateTest, MakesNoneOfWhatCannotBeLoaded) {
  GoldenOrder order = Order();
  order.model = "not a model";
  EXPECT_THAT(MakeGolden(order),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("refused before loading")));
}

TEST_F(GoldenGateTest, DoesNotFallFromAProviderThatTheCardDemands) {
  GoldenOrder order = Order();
  order.card_yaml += "execution_providers: [cuda]\n";
  EXPECT_THAT(MakeGolden(order),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("EP_UNAVAILABLE: cuda")));
}

}  // namespace
}  // namespace gatekeeper::gates
