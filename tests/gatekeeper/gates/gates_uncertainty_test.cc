#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// Whether the model knows when it is wrong.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;

class UncertaintyTest : public EvidenceTest {
 protected:
  // Forty clips in which every tenth tick is wrong. Right ones are doubted by 5 % or so, wrong ones
  // by 95 %, and the policy takes those below 50 % back.
  void Honest() {
    v1::UncertaintyGate& gate = *evidence_.suite.mutable_uncertainty();
    gate.set_max_risk(0.1);
    gate.set_min_auroc(0.9);
    gate.set_max_ece(0.1);
    v1::Confidence& confidence = *evidence_.policy.mutable_output()->mutable_confidence();
    confidence.set_enter_below(0.5);
    confidence.set_trigger("low_confidence");
    AddReplays(40);
    for (Replay& replay : evidence_.replays) {
      for (size_t i = 0; i < replay.ticks.size(); ++i) {
        v1::TickRecord& tick = replay.ticks[i];
        const bool wrong = i % 10 == 3;
        if (wrong) tick.set_raw(1, 0.9);
        tick.set_confidence(wrong ? 0.05 : 0.95);
        if (wrong) tick.add_triggers("low_confidence");
      }
    }
  }

  v1::TickRecord& Tick(size_t clip, size_t tick) { return evidence_.replays[clip].ticks[tick]; }
};

TEST_F(UncertaintyTest, AModelThatDoubtsItsMistakesPasses) {
  Honest();
  const v1::GateResult result = JudgeUncertainty(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS) << result.summary();
  EXPECT_EQ(RowOf(result, "risk").value(), 0);
  EXPECT_GT(RowOf(result, "risk").upper(), 0) << "no wrong tick is not a risk of 0";
  EXPECT_EQ(RowOf(result, "auroc").value(), 1);
  EXPECT_NEAR(RowOf(result, "calibration error").value(), 0.05, 1e-9);
  EXPECT_EQ(result.segments_size(), 5) << "risk, auroc, calibration, and the risk of two segments";
  EXPECT_NEAR(result.alpha(), 0.1 / 5, 1e-12);
  EXPECT_EQ(result.n(), 4'000u);
}

TEST_F(UncertaintyTest, TenRecordingsWithoutAWrongTickSayNoMoreThanTenDraws) {
  Honest();
  evidence_.replays.resize(10);
  constexpr double kOpen = 0.32376;  // 1 - 0.02^(1/10): none of ten, alpha 0.1 over five rows
  v1::UncertaintyGate& gate = *evidence_.suite.mutable_uncertainty();
  gate.set_max_risk(0.323);
  const v1::GateResult few = JudgeUncertainty(evidence_);
  EXPECT_NEAR(RowOf(few, "risk").upper(), kOpen, 1e-4);
  EXPECT_EQ(RowOf(few, "risk").outcome(), v1::INSUFFICIENT);
  EXPECT_EQ(RowOf(few, "risk").n(), 900u);
  EXPECT_EQ(few.n_eff(), 10);
  gate.set_max_risk(0.324);
  EXPECT_EQ(RowOf(JudgeUncertainty(evidence_), "risk").outcome(), v1::PASS);
}

TEST_F(UncertaintyTest, ASegmentOfNineRecordingsIsInsufficientHoweverLongTheyAre) {
  Honest();
  evidence_.suite.mutable_uncertainty()->set_max_risk(0.5);
  for (size_t clip = 0; clip < 40; ++clip) {
    v1::Segment& dusty = *scenarios_[clip].document.mutable_segments(0);
    dusty.set_tags(1, clip < 10 ? "dusty" : "clear");
  }
  EXPECT_EQ(RowOf(JudgeUncertainty(evidence_), "risk in dusty").outcome(), v1::PASS);
  // Two clips of one drive are one recording.
  scenarios_[9].document.set_sha256(scenarios_[8].document.sha256());
  const v1::GateResult nine = JudgeUncertainty(evidence_);
  EXPECT_EQ(RowOf(nine, "risk in dusty").outcome(), v1::INSUFFICIENT);
  EXPECT_EQ(RowOf(nine, "risk in dusty").n(), 900u);
  EXPECT_EQ(nine.n_eff(), 39);
}

TEST_F(UncertaintyTest, WrongTicksThatThePolicyAcceptsAreTheRisk) {
  Honest();
  evidence_.suite.mutable_uncertainty()->set_max_risk(0.02);
  // 3 % of what is accepted is wrong: the bound of 2 % is crossed whatever the order says.
  for (size_t clip = 0; clip < 40; ++clip) {
    for (const size_t tick : {15u, 45u, 75u}) {
      Tick(clip, tick).set_raw(1, 0.9);
      Tick(clip, tick).set_confidence(0.9);
    }
  }
  Tick(7, 45).set_confidence(0.99);
  const v1::GateResult result = JudgeUncertainty(evidence_);
  EXPECT_EQ(RowOf(result, "risk").outcome(), v1::FAIL);
  EXPECT_NEAR(RowOf(result, "risk").value(), 3.0 / 90, 1e-9);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_GT(result.findings_size(), 0);
  EXPECT_EQ(result.findings(0).scenario(), "clip07");
  EXPECT_NEAR(result.findings(0).at_s(), 2.25, 1e-9);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("confidence 0.990"));
}

TEST_F(UncertaintyTest, MistakesInOneSegmentCountThere) {
  Honest();
  for (size_t clip = 0; clip < 40; ++clip) {
    v1::Segment& dusty = *scenarios_[clip].document.mutable_segments(0);
    dusty.clear_tags();
    dusty.add_tags("clear");
    if (clip >= 20) continue;
    dusty.set_tags(0, "dusty");
    for (size_t tick = 0; tick < 100; ++tick) {
      if (tick % 10 < 7) continue;  // a third of what is accepted
      Tick(clip, tick).set_raw(1, 0.9);
      Tick(clip, tick).set_confidence(0.6);
    }
  }
  evidence_.suite.mutable_uncertainty()->set_max_risk(0.2);
  const v1::GateResult result = JudgeUncertainty(evidence_);
  EXPECT_EQ(RowOf(result, "risk in clear").outcome(), v1::PASS);
  EXPECT_EQ(RowOf(result, "risk in dusty").outcome(), v1::FAIL);
  EXPECT_EQ(result.outcome(), v1::FAIL);
}

TEST_F(UncertaintyTest, ABoastfulModelIsNotCalibrated) {
  Honest();
  for (size_t clip = 0; clip < 40; ++clip) {
    for (size_t tick = 0; tick < 100; ++tick) Tick(clip, tick).set_confidence(0.7);
    for (size_t tick = 3; tick < 100; tick += 10) Tick(clip, tick).set_confidence(0.65);
  }
  const v1::GateResult result = JudgeUncertainty(evidence_);
  EXPECT_EQ(RowOf(result, "auroc").outcome(), v1::PASS) << "the order is right";
  EXPECT_EQ(RowOf(result, "calibration error").outcome(), v1::FAIL);
  EXPECT_NEAR(RowOf(result, "calibration error").value(), 0.205, 0.01);
}

TEST_F(UncertaintyTest, DoubtThatSaysNothingFails) {
  Honest();
  for (size_t clip = 0; clip < 40; ++clip) {
    for (size_t tick = 0; tick < 100; ++tick)
      Tick(clip, tick).set_confidence((tick * 7 + clip) % 10 < 5 ? 0.9 : 0.8);
  }
  const v1::GateResult result = JudgeUncertainty(evidence_);
  EXPECT_EQ(RowOf(result, "auroc").outcome(), v1::FAIL);
  EXPECT_NEAR(RowOf(result, "auroc").value(), 0.5, 0.1);
}

TEST_F(UncertaintyTest, AnUncertaintyCountsTheOtherWayRound) {
  Honest();
  evidence_.policy.mutable_output()->clear_confidence();
  v1::Uncertainty& rule = *evidence_.policy.mutable_output()->mutable_uncertainty();
  rule.set_trigger("low_confidence");
  for (Replay& replay : evidence_.replays) {
    for (v1::TickRecord& tick : replay.ticks) tick.set_uncertainty(1 - tick.confidence());
  }
  const v1::GateResult result = JudgeUncertainty(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS) << result.summary();
  Tick(3, 50).set_uncertainty(1.5);
  const v1::GateResult beyond = JudgeUncertainty(evidence_);
  EXPECT_EQ(beyond.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(beyond.summary(), HasSubstr("leaves 0 to 1"));
}

TEST_F(UncertaintyTest, AModelThatTellsNothingIsInsufficient) {
  Honest();
  evidence_.policy.mutable_output()->clear_confidence();
  for (Replay& replay : evidence_.replays) {
    for (v1::TickRecord& tick : replay.ticks) tick.set_confidence(1);
  }
  const v1::GateResult result = JudgeUncertainty(evidence_);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(result.summary(), HasSubstr("neither confidence nor uncertainty"));
}

TEST_F(UncertaintyTest, TooFewClipsAreInsufficient) {
  Honest();
  evidence_.replays.resize(10);
  EXPECT_THAT(JudgeUncertainty(evidence_).summary(), testing::Not(HasSubstr("are needed")));
  evidence_.replays.resize(9);
  EXPECT_EQ(JudgeUncertainty(evidence_).outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(JudgeUncertainty(evidence_).summary(), HasSubstr("at least 10 are needed"));
}

TEST_F(UncertaintyTest, WithoutAMistakeNothingShowsThatMistakesAreDoubted) {
  Honest();
  for (Replay& replay : evidence_.replays) {
    for (v1::TickRecord& tick : replay.ticks) tick.set_raw(1, 0.1);
  }
  const v1::GateResult result = JudgeUncertainty(evidence_);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(result.summary(), HasSubstr("no answer is wrong"));
}

// --- Through the robot's Controller. ---

// Steers wrongly in the dust, and says how sure it is.
class TellingModel final : public agent::base::Model {
 public:
  explicit TellingModel(float sure_in_dust) : sure_in_dust_(sure_in_dust) {
    signature_.inputs = {{"x", {1, 3}}};
    signature_.outputs = {{"y", {1, 3}}};
  }
  const agent::base::ModelSignature& signature() const override { return signature_; }
  std::span<float> input(size_t) override { return input_; }
  std::span<const float> output(size_t) const override { return output_; }
  agent::base::RunOutcome Run(agent::base::Nanos) override {
    const bool dust = input_[2] > 0.5F;
    output_ = {0.4F, 0.5F * input_[0] + (dust ? 0.3F : 0.0F), dust ? sure_in_dust_ : 0.97F};
    return agent::base::RunOutcome::kDone;
  }

 private:
  float sure_in_dust_;
  agent::base::ModelSignature signature_;
  std::vector<float> input_{0, 0, 0};
  std::vector<float> output_{0, 0, 0};
};

Evidence DriveTelling(const std::vector<Scenario>& scenarios, float sure_in_dust) {
  const std::string card = tests::CardYaml() + "  - {tensor: \"y\", index: 2, field: confidence}\n";
  const std::string policy = absl::StrReplaceAll(
      tests::PolicyYaml(), {{"output: {nonfinite: reject, trigger: nonfinite}",
                             "output: {nonfinite: reject, trigger: nonfinite, confidence: "
                             "{enter_below: 0.5, leave_above: 0.6, leave_hold_ms: 200, trigger: "
                             "low_confidence}}"}});
  const std::string fallback = absl::StrReplaceAll(
      tests::FallbackYaml(), {{"  - {id: policy_saturated",
                               "  - {id: low_confidence, layer: model, to: DEGRADED, clear: "
                               "{quiet_ms: 200}}\n  - {id: policy_saturated"}});
  auto rules = agent::runtime::LoadRules(card, policy, fallback);
  EXPECT_OK(rules.status());
  auto bench =
      TestBench::Create(std::string(64, 'a'), *rules, std::make_unique<TellingModel>(sure_in_dust));
  EXPECT_OK(bench.status());
  Evidence evidence;
  evidence.suite = tests::SuiteDocument();
  v1::UncertaintyGate& gate = *evidence.suite.mutable_uncertainty();
  gate.set_max_risk(0.21);
  gate.set_min_auroc(0.9);
  gate.set_max_ece(0.1);
  evidence.policy = tests::PolicyDocument();
  v1::Confidence& confidence = *evidence.policy.mutable_output()->mutable_confidence();
  confidence.set_trigger("low_confidence");
  evidence.fallback = tests::FallbackDocument();
  for (const Scenario& scenario : scenarios) {
    evidence.replays.push_back(RunReplay(scenario, **bench));
    EXPECT_OK(evidence.replays.back().status);
  }
  return evidence;
}

TEST(UncertaintyReplayTest, WhatTheControllerTakesBackIsNoRiskAndWhatItTakesForGoodIs) {
  tests::TempFolder folder;
  std::vector<Scenario> scenarios;
  for (int i = 0; i < 16; ++i) {
    scenarios.push_back(
        tests::RecordScenario(folder / "drives", absl::StrFormat("drive%02d", i),
                              {.seconds = 6, .number = i, .dusty_from_s = 4.5, .without = {}}));
  }
  Evidence doubting = DriveTelling(scenarios, 0.05F);
  doubting.suite.mutable_worst_segment()
      ->mutable_tags()
      ->RemoveLast();  // nothing is accepted there
  const v1::GateResult known = JudgeUncertainty(doubting);
  EXPECT_LT(RowOf(known, "risk").value(), 0.01);
  EXPECT_EQ(RowOf(known, "risk").outcome(), v1::PASS) << RowOf(known, "risk").upper();
  EXPECT_EQ(RowOf(known, "auroc").value(), 1);

  const v1::GateResult unknown = JudgeUncertainty(DriveTelling(scenarios, 0.97F));
  EXPECT_EQ(unknown.outcome(), v1::FAIL);
  EXPECT_EQ(RowOf(unknown, "risk").outcome(), v1::FAIL);
  EXPECT_NEAR(RowOf(unknown, "risk").value(), 0.25, 0.02);
  EXPECT_EQ(RowOf(unknown, "auroc").value(), 0.5);
  EXPECT_EQ(RowOf(unknown, "risk in dusty").value(), 1);
}

}  // namespace
}  // namespace gatekeeper::gates
