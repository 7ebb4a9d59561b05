#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_replace.h"
#include "gatekeeper/faults/catalogue.h"
#include "gatekeeper/gates/chain_link.h"
#include "gatekeeper/gates/fault_expectation.h"
#include "gatekeeper/gates/fault_plan.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/hurt_fixture.h"

// Where the link is cut.

namespace gatekeeper::gates {
namespace {

class CutPlanTest : public HurtTest {
 protected:
  CutPlanTest() {
    evidence_.suite.set_alpha(0.05);
    evidence_.suite.mutable_faults()->set_network_floor(0.9);  // 29 cuts
  }

  std::vector<PlannedFault> Plan(const std::vector<Replay>& replays) {
    return PlanNetworkDown(replays, bench_->rules(), evidence_.suite);
  }

  static std::map<std::string, int> Kinds(const std::vector<PlannedFault>& plan) {
    std::map<std::string, int> kinds;
    for (const PlannedFault& cut : plan) ++kinds[cut.id];
    return kinds;
  }
};

TEST_F(CutPlanTest, HasAsManyCutsAsTheFloorNeedsEachAtAMomentOfItsOwn) {
  Record(5, 8);
  const std::vector<PlannedFault> plan = Plan(evidence_.replays);
  EXPECT_EQ(plan.size(), 29u);
  std::set<std::pair<size_t, int64_t>> moments;
  std::map<size_t, int> by_clip;
  for (const PlannedFault& cut : plan) {
    EXPECT_TRUE(moments.insert({cut.scenario, cut.fault.onset_ns}).second);
    ++by_clip[cut.scenario];
    EXPECT_GT(cut.fault.until_ns, cut.fault.onset_ns + 2'000'000'000) << "the rule waits so long";
  }
  EXPECT_EQ(by_clip.size(), 5u) << "spread over all recordings";
  const std::map<std::string, int> kinds = Kinds(plan);
  EXPECT_EQ(kinds.size(), 3u);
  EXPECT_LE(kinds.at(kNeverUp), 5) << "a recording begins once";
  evidence_.suite.mutable_faults()->set_network_floor(0);
  EXPECT_EQ(CutsNeeded(evidence_.suite), 299u);
  EXPECT_EQ(Plan(evidence_.replays).size(), 299u);
}

TEST_F(CutPlanTest, DependsOnTheSeedAndNothingElse) {
  Record(3, 8);
  const auto texts = [&] {
    std::vector<std::string> texts;
    for (const PlannedFault& cut : Plan(evidence_.replays)) texts.push_back(Text(cut.fault));
    return texts;
  };
  const std::vector<std::string> once = texts();
  EXPECT_EQ(texts(), once);
  evidence_.suite.set_seed(evidence_.suite.seed() + 1);
  EXPECT_NE(texts(), once);
}

TEST_F(CutPlanTest, OfAPartHoldsWhatTheWholeLibraryWantsOfIt) {
  Record(6, 8);
  std::set<std::string> whole;
  for (const PlannedFault& cut : Plan(evidence_.replays))
    whole.insert(evidence_.replays[cut.scenario].id() + " " + Text(cut.fault));
  std::set<std::string> parts;
  for (size_t part = 0; part < 2; ++part) {
    std::vector<Replay> mine;
    for (size_t i = part; i < evidence_.replays.size(); i += 2)
      mine.push_back(evidence_.replays[i]);
    for (const PlannedFault& cut : Plan(mine))
      parts.insert(mine[cut.scenario].id() + " " + Text(cut.fault));
  }
  EXPECT_TRUE(std::includes(parts.begin(), parts.end(), whole.begin(), whole.end()));
}

TEST_F(CutPlanTest, ALinkThatFlapsIsUpInBetweenAndThenNoMore) {
  Fault fault;
  fault.kind = Fault::Kind::kLinkDown;
  fault.onset_ns = 1'000'000'000;
  fault.flaps = 2;
  const auto up = [&](int64_t ms) { return LinkIsUp(fault, ms * 1'000'000); };
  EXPECT_TRUE(up(999));
  EXPECT_FALSE(up(1000));
  EXPECT_FALSE(up(1399));
  EXPECT_TRUE(up(1400));
  EXPECT_FALSE(up(1800));
  EXPECT_TRUE(up(2200));
  EXPECT_FALSE(up(2600));
  EXPECT_FALSE(up(3000)) << "down for good";
  EXPECT_FALSE(up(60'000));
}

TEST_F(CutPlanTest, ASuiteThatHurtsNoRecordingCutsNone) {
  Record(1, 8);
  evidence_.suite.mutable_faults()->set_clips(0);
  EXPECT_TRUE(Plan(evidence_.replays).empty());
}

TEST_F(CutPlanTest, AGoodUnitSurvivesEveryCut) {
  Record(5, 8);
  evidence_.network_runs = Run(Plan(evidence_.replays));
  const v1::GateResult result = JudgeNetworkDown(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS) << Told(result);
  EXPECT_EQ(result.n_eff(), 5);
}

// Which clips are hurt.
class DrawTest : public HurtTest {
 protected:
  // The first three of four clips are of one drive.
  void OneDriveAndAnother() {
    Record(4, 8);
    for (size_t i = 0; i < 3; ++i)
      scenarios_[i].document.mutable_origin()->set_sha256(std::string(64, 'd'));
  }
  std::vector<size_t> Draw(const std::vector<Replay>& replays, uint32_t clips,
                           const Usable& usable = AnyClip) {
    return DrawClips(replays, evidence_.suite, "gate", clips, usable);
  }
  static std::set<size_t> Clips(const std::vector<PlannedFault>& plan) {
    std::set<size_t> clips;
    for (const PlannedFault& planned : plan) clips.insert(planned.scenario);
    return clips;
  }
};

TEST_F(DrawTest, GoesRoundTheRecordingsBeforeTheirSecondClips) {
  OneDriveAndAnother();
  for (uint64_t seed = 0; seed < 20; ++seed) {
    evidence_.suite.set_seed(seed);
    const std::vector<size_t> all = Draw(evidence_.replays, 9);
    ASSERT_EQ(all.size(), 4u);
    EXPECT_TRUE(all[0] == 3 || all[1] == 3) << seed;
    EXPECT_EQ(Draw(evidence_.replays, 2), (std::vector<size_t>{all[0], all[1]}));
    const auto not_first = [&](const Replay& replay) {
      return &replay != &evidence_.replays[all[0]];
    };
    EXPECT_EQ(Draw(evidence_.replays, 9, not_first).size(), 3u);
  }
}

TEST_F(DrawTest, OfAPartHoldsWhatTheWholeLibraryDrawsOfIt) {
  OneDriveAndAnother();
  for (uint64_t seed = 0; seed < 20; ++seed) {
    evidence_.suite.set_seed(seed);
    for (const uint32_t clips : {1u, 2u, 3u}) {
      for (const size_t part : {0u, 1u}) {
        std::vector<Replay> mine;
        for (size_t i = part; i < 4; i += 2) mine.push_back(evidence_.replays[i]);
        std::set<std::string> drawn;
        for (const size_t i : Draw(mine, clips)) drawn.insert(mine[i].id());
        for (const size_t i : Draw(evidence_.replays, clips)) {
          if (i % 2 == part) EXPECT_TRUE(drawn.contains(evidence_.replays[i].id())) << seed;
        }
      }
    }
  }
}

TEST_F(DrawTest, EveryGateThatHurtsClipsTakesOneOfEachRecordingFirst) {
  OneDriveAndAnother();
  v1::GateSuite& suite = evidence_.suite;
  suite.mutable_faults()->set_clips(2);
  suite.mutable_fault_matrix()->set_clips(2);
  suite.mutable_fallback_chain()->set_clips(2);
  suite.mutable_fallback_chain()->set_safe_within_ms(1000);
  const auto& rules = bench_->rules();
  for (uint64_t seed = 0; seed < 8; ++seed) {
    suite.set_seed(seed);
    const auto& replays = evidence_.replays;
    EXPECT_TRUE(Clips(PlanFaultMatrix(replays, rules, suite)).contains(3)) << seed;
    EXPECT_TRUE(Clips(PlanFallbackChain(replays, rules, evidence_.fallback, suite)).contains(3))
        << seed;
    size_t silenced = 0;
    for (const PlannedFault& planned : PlanStaleInputs(replays, rules, suite))
      silenced += planned.scenario == 3 ? 1 : 0;
    EXPECT_EQ(silenced, PlanStaleInputs(replays, rules, suite).size() / 2) << seed;
  }
}

TEST_F(DrawTest, ClipsOfOneDriveAreOneRecordingToTheMatrix) {
  Record(2, 10);
  evidence_.suite.mutable_fault_matrix()->add_faults("model_crashed");
  evidence_.suite.mutable_fault_matrix()->set_clips(2);
  const auto words = [&] { return Matrix().summary(); };
  EXPECT_THAT(words(), testing::HasSubstr("2 of 2 recordings"));
  for (Scenario& scenario : scenarios_)
    scenario.document.mutable_origin()->set_sha256(std::string(64, 'd'));
  EXPECT_THAT(words(), testing::HasSubstr("1 of 2 recordings"));
  EXPECT_NE(Matrix().outcome(), v1::PASS);
}

// Which triggers the catalogue can raise.
class ReachTest : public HurtTest {
 protected:
  std::set<std::string> Raised() {
    evidence_.suite.mutable_fault_matrix()->clear_onsets();
    evidence_.suite.mutable_fault_matrix()->add_onsets(0.5);
    evidence_.suite.mutable_fault_matrix()->clear_durations_s();
    evidence_.suite.mutable_fault_matrix()->add_durations_s(6);
    std::set<std::string> raised;
    for (const HurtRun& run :
         Run(PlanFaultMatrix(evidence_.replays, bench_->rules(), evidence_.suite))) {
      for (const v1::HurtDrive::Change& change : run.drive.changes())
        raised.insert(change.triggers().begin(), change.triggers().end());
    }
    return raised;
  }
};

TEST_F(ReachTest, EveryTriggerOfTheRulesIsRaisedBySomeFault) {
  Record(1, 10);
  const std::set<std::string> raised = Raised();
  for (const v1::Trigger& rule : evidence_.fallback.triggers())
    EXPECT_TRUE(raised.contains(rule.id())) << rule.id();
}

// Drives as the others do, and says what it thinks of it.
class DoubtingModel final : public agent::base::Model {
 public:
  DoubtingModel() {
    signature_.inputs = {{"x", {1, 3}}};
    signature_.outputs = {{"y", {1, 4}}};
  }
  const agent::base::ModelSignature& signature() const override { return signature_; }
  std::span<float> input(size_t) override { return input_; }
  std::span<const float> output(size_t) const override { return output_; }
  agent::base::RunOutcome Run(agent::base::Nanos) override {
    output_ = {0.4F, 0.5F * input_[0], 0.9F, 0.01F};  // sure of it
    return agent::base::RunOutcome::kDone;
  }

 private:
  agent::base::ModelSignature signature_;
  std::vector<float> input_{0, 0, 0};
  std::vector<float> output_{0, 0, 0, 0};
};

TEST_F(ReachTest, DoubtsAreRaisedByAModelThatAnswersZeroOrAnything) {
  const std::string policy = absl::StrReplaceAll(
      Policy(), {{"output: {nonfinite: reject, trigger: nonfinite}",
                  "output:\n  nonfinite: reject\n  trigger: nonfinite\n"
                  "  confidence: {enter_below: 0.4, leave_above: 0.6, leave_hold_ms: 1000, "
                  "trigger: low_confidence}\n"
                  "  uncertainty: {enter_above: 0.15, leave_below: 0.08, leave_hold_ms: 1000, "
                  "trigger: high_uncertainty}"}});
  const std::string rules = absl::StrReplaceAll(
      Rules(), {{"  - {id: nonfinite,",
                 "  - {id: low_confidence, layer: model, to: DEGRADED, clear: {quiet_ms: 1000}}\n"
                 "  - {id: high_uncertainty, layer: model, to: DEGRADED, clear: {quiet_ms: 1000}}\n"
                 "  - {id: nonfinite,"}});
  const std::string card = tests::CardYaml() +
                           "  - {tensor: \"y\", index: 2, field: confidence}\n"
                           "  - {tensor: \"y\", index: 3, field: uncertainty}\n";
  ASSERT_TRUE(agent::base::ReadYaml(policy, "policy", "control_policy/1", evidence_.policy).ok());
  ASSERT_TRUE(agent::base::ReadYaml(rules, "rules", "fallback_rules/1", evidence_.fallback).ok());
  auto compiled = agent::runtime::LoadRules(card, policy, rules);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  auto bench =
      TestBench::Create(std::string(64, 'a'), *compiled, std::make_unique<DoubtingModel>());
  ASSERT_TRUE(bench.ok()) << bench.status();
  bench_ = *std::move(bench);
  Record(1, 10);
  for (const char* fault : {"model_zero", "model_runaway"})
    evidence_.suite.mutable_fault_matrix()->add_faults(fault);
  const std::set<std::string> raised = Raised();
  EXPECT_TRUE(raised.contains("low_confidence"));
  EXPECT_TRUE(raised.contains("high_uncertainty"));
}

TEST_F(ReachTest, AContactIsWantedWhereThePolicyKnowsOne) {
  HurtRun run;
  run.planned.fault.spec = {.id = "pushed", .channel = "joints", .onset_ns = 1, .end_ns = 2};
  const faults::Entry& entry = *faults::Find("pushed");
  EXPECT_TRUE(ExpectationOf(entry, run, rules(), bench_->rules().policy).wanted.empty());
  evidence_.policy.mutable_arm()->set_contact_trigger("contact");
  EXPECT_THAT(ExpectationOf(entry, run, rules(), bench_->rules().policy).wanted,
              testing::ElementsAre("contact"));
}

TEST_F(ReachTest, APressedButtonMustBeNoticedHoweverShortItIs) {
  Record(1, 10);
  for (const char* fault : {"estop_held", "estop_tapped"})
    evidence_.suite.mutable_fault_matrix()->add_faults(fault);
  const v1::GateResult good = Matrix();
  ASSERT_EQ(good.cells_size(), 2 * 9);
  for (const v1::FaultCell& cell : good.cells()) {
    EXPECT_EQ(cell.outcome(), v1::PASS) << cell.DebugString();
    EXPECT_EQ(cell.found(), "estop_button");
    EXPECT_EQ(cell.layer(), "circuit");
    EXPECT_LE(cell.detect_ms(), 50) << "within a tick";
  }
}

}  // namespace
}  // namespace gatekeeper::gates
