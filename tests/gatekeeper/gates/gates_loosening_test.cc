#include <filesystem>

#include "absl/strings/str_replace.h"
#include "agent/base/files.h"
#include "agent/trust/hash.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/run_suite.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;

class LooseningTest : public EvidenceTest {};

TEST_F(LooseningTest, WithoutADeployedUnitTheEvidenceIsInsufficientAndSaysWhatToDo) {
  const v1::GateResult result = JudgeLoosening(evidence_);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(result.summary(), HasSubstr("--against FOLDER"));
}

TEST_F(LooseningTest, ATighterUnitHoldsAndOneLooserRuleDoesNot) {
  DeployedUnit& deployed = evidence_.deployed.emplace();
  deployed.label = "nav@1.2.0";
  EXPECT_EQ(JudgeLoosening(evidence_).outcome(), v1::PASS);
  deployed.looser.push_back({.effect = bundle::Effect::kLooser,
                             .document = "control policy",
                             .path = "limits.nominal.vx_max_mps",
                             .before = "1",
                             .after = "1.2"});
  const v1::GateResult result = JudgeLoosening(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(result.summary(), HasSubstr("1 rule is looser than in nav@1.2.0"));
  EXPECT_THAT(result.findings(0).message(), HasSubstr("limits.nominal.vx_max_mps was 1, is 1.2"));
}

// From two folders to the verdict: what the new unit allows more is found whichever way round.
class LooserUnitTest : public testing::Test {
 protected:
  absl::StatusOr<v1::GateResult> Judge(const std::string& before, const std::string& after,
                                       const std::string& wanted = "loosening") {
    for (const auto& [name, policy] : {std::pair{"before", before}, std::pair{"after", after}}) {
      std::filesystem::remove_all(folder_.path() + "/" + name);
      tests::WriteUnit(folder_.path() + "/" + name, tests::LinearOnnx(0.5F, 0), policy);
      FallBackToTheUnitBefore(folder_.path() + "/" + name);
    }
    std::filesystem::create_directories(folder_.path() + "/none");
    auto unit = bundle::UngatedUnit::Open(folder_.path() + "/after");
    if (!unit.ok()) return unit.status();
    SuiteInput input;
    input.suite_yaml = tests::SuiteYaml() + "non_inferiority: {delta: 0.1}\n";
    input.suite_file = "suite.yaml";
    input.policy = tests::AtSite();
    input.scenarios_folder = folder_.path() + "/none";
    input.against = folder_.path() + "/before";
    auto run = RunSuite(*unit, input);
    if (!run.ok()) return run.status();
    for (const v1::GateResult& gate : run->report.gates()) {
      if (gate.id() == wanted) return gate;
    }
    return absl::NotFoundError("no gate " + wanted);
  }
  static void FallBackToTheUnitBefore(const std::string& unit) {
    const std::string rules = absl::StrReplaceAll(
        tests::FallbackYaml(),
        {{"  CONTROLLED_STOP: {",
          "  PREVIOUS_MODEL: {rank: 2, controller: 'unit:previous', limits: degraded, "
          "max_dwell_s: 30, else: CONTROLLED_STOP}\n  CONTROLLED_STOP: {"},
         {"{id: model_failed, layer: model, to: CONTROLLED_STOP,",
          "{id: model_failed, layer: model, to: PREVIOUS_MODEL,"}});
    agent::base::OsFiles files;
    const std::string path = unit + "/" + agent::trust::kManifestFile;
    auto manifest = agent::trust::ParseManifest(*files.Read(path, 1 << 20));
    for (v1::UnitFile& file : *manifest->mutable_files()) {
      if (file.path() != agent::trust::kFallbackFile) continue;
      file.set_size(rules.size());
      file.set_sha256(agent::trust::Sha256(rules).hex());
    }
    EXPECT_OK(files.WriteDurably(unit + "/" + agent::trust::kFallbackFile, rules, 0644));
    EXPECT_OK(files.WriteDurably(path, agent::trust::CanonicalManifest(*manifest), 0644));
  }

  tests::TempFolder folder_;
};

TEST_F(LooserUnitTest, AFasterRobotIsLooserAndASlowerOneIsNot) {
  const std::string usual = tests::PolicyYaml();
  const std::string fast = absl::StrReplaceAll(usual, {{"vx_max_mps: 1.0", "vx_max_mps: 1.1"}});
  ASSERT_NE(usual, fast);
  ASSERT_OK_AND_ASSIGN(const v1::GateResult faster, Judge(usual, fast));
  EXPECT_EQ(faster.outcome(), v1::FAIL);
  EXPECT_THAT(faster.findings(0).message(), HasSubstr("vx_max_mps"));
  ASSERT_OK_AND_ASSIGN(const v1::GateResult tighter, Judge(fast, usual));
  EXPECT_EQ(tighter.outcome(), v1::PASS);
}

TEST_F(LooserUnitTest, AUnitThatCouldNotFallBackToTheDeployedOneBreaksS12) {
  const std::string usual = tests::PolicyYaml();
  const std::string faster = absl::StrReplaceAll(usual, {{"rate_hz: 20", "rate_hz: 21"}});
  ASSERT_NE(usual, faster);
  ASSERT_OK_AND_ASSIGN(const v1::GateResult before, Judge(faster, usual, "static_policy"));
  EXPECT_EQ(before.outcome(), v1::FAIL);
  EXPECT_THAT(before.findings(0).message(), HasSubstr("it was made for 21 Hz, not for 20"));
  ASSERT_OK_AND_ASSIGN(const v1::GateResult same, Judge(usual, usual, "static_policy"));
  EXPECT_EQ(same.outcome(), v1::PASS);
}

}  // namespace
}  // namespace gatekeeper::gates
