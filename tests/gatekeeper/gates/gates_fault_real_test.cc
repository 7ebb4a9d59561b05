#include <algorithm>
#include <cstdio>

#include "absl/strings/str_replace.h"
#include "agent/recording/clip.h"
#include "agent/recording/observation_reader.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/hurt_fixture.h"
#include "tests/support/cases.h"
#include "tests/support/importers/carmen.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/importers/tub.h"
#include "tests/support/status_matchers.h"

// Faults and corruptions in what real robots recorded.

namespace gatekeeper::gates {
namespace {

class RealHurtTest : public HurtTest {
 protected:
  // A clip of the recording's middle, as a scenario.
  void Cut(const std::string& whole, double from_share, double seconds, const std::string& id) {
    const auto reader = agent::recording::ObservationReader::Open(whole);
    ASSERT_TRUE(reader.ok());
    const auto length = static_cast<double>(reader->end_ns() - reader->start_ns());
    const int64_t from = reader->start_ns() + static_cast<int64_t>(from_share * length);
    Scenario& scenario = scenarios_.emplace_back();
    scenario.document.set_id(id);
    scenario.document.set_sha256(id);
    scenario.recording = folder_ / (id + ".mcap");
    ASSERT_OK(agent::recording::WriteClip({.sources = {whole},
                                           .from_ns = from,
                                           .to_ns = from + static_cast<int64_t>(seconds * 1e9),
                                           .destination = scenario.recording,
                                           .metadata = {}}));
  }

  // The hall robot's papers for a robot with other channels, without a site.
  void Use(const std::string& card_inputs, const std::string& inputs, double max_age_s,
           std::unique_ptr<agent::base::Model> model) {
    const std::string card = "schema: model_card/1\ndescription: test\ninputs:\n" + card_inputs +
                             "outputs:\n  - {tensor: \"y\", index: 0, field: vx_mps}\n"
                             "  - {tensor: \"y\", index: 1, field: wz_radps}\n";
    std::string policy = Policy();
    const size_t from = policy.find("inputs:\n") + 8;
    policy = policy.substr(0, from) + inputs + policy.substr(policy.find("deadline:"));
    policy.resize(policy.find("envelope:"));
    std::string rules = Rules();
    const size_t breach = rules.find("  - {id: envelope_breach");
    rules.erase(breach, rules.find('\n', breach) + 1 - breach);
    rules = absl::StrReplaceAll(rules, {{"mrc_within_ms: 3000", "mrc_within_ms: 20000"},
                                        {"CONTROLLED_STOP, detect_ms: 550",
                                         absl::StrFormat("CONTROLLED_STOP, detect_ms: %d",
                                                         static_cast<int>(max_age_s * 1e3) + 50)}});
    auto compiled = agent::runtime::LoadRules(card, policy, rules);
    ASSERT_TRUE(compiled.ok()) << compiled.status();
    auto bench = TestBench::Create(std::string(64, 'a'), *compiled, std::move(model));
    ASSERT_TRUE(bench.ok()) << bench.status();
    bench_ = *std::move(bench);
    evidence_.policy.Clear();
    evidence_.fallback.Clear();
    ASSERT_TRUE(agent::base::ReadYaml(policy, "p", "control_policy/1", evidence_.policy).ok());
    ASSERT_TRUE(agent::base::ReadYaml(rules, "f", "fallback_rules/1", evidence_.fallback).ok());
    evidence_.replays.clear();
    for (const Scenario& scenario : scenarios_)
      evidence_.replays.push_back(RunReplay(scenario, *bench_));
  }
};

TEST_F(RealHurtTest, ARealLasersDriveThroughTheWholeMatrix) {
  const std::string log = tests::SharedRecording("carmen/freiburg-079-corrected.log.gz");
  SKIP_WITHOUT(log);
  const std::string whole = folder_ / "freiburg.mcap";
  ASSERT_OK(tests::ImportCarmen(log, whole));
  ASSERT_NO_FATAL_FAILURE(Cut(whole, 0.3, 30, "freiburg"));
  // Its scans come five times a second; 2 s are five lost ones in its worst stretch and a pause.
  const std::string limits =
      "{required: true, trigger: input_stale, max_age_ms: 2000, max_future_ms: 500, "
      "stuck_after_ms: 2500";
  ASSERT_NO_FATAL_FAILURE(
      Use("  - {tensor: x, channel: odom, fields: [vx_mps, wz_radps]}\n"
          "  - {tensor: x, channel: scan, scan: {sectors: 1, from_rad: -1.0, to_rad: 1.0, "
          "range_max_m: 8.0}}\n",
          "  scan: " + limits + ", min_valid_fraction: 0.1}\n  odom: " + limits + "}\n", 2.5,
          tests::MakeModel([](double vx, double wz, double) { return std::pair(vx, wz); })));
  ASSERT_OK(evidence_.replays.front().status);
  v1::FaultMatrixGate& gate = *evidence_.suite.mutable_fault_matrix();
  gate.clear_durations_s();
  for (const double seconds : {0.2, 3.0, 6.0}) gate.add_durations_s(seconds);
  const bool slow = tests::Cases(20) < 20;  // sanitizers, mutants
  if (slow) gate.mutable_onsets()->Truncate(1);
  gate.set_detect_within_ms(2700);
  gate.set_safe_within_ms(5000);
  const v1::GateResult result = Matrix();
  EXPECT_EQ(result.outcome(), v1::PASS) << Told(result);
  EXPECT_GE(result.n(), slow ? 25u * 3 : 25u * 9);
  printf("%s\n", result.summary().c_str());
}

// Turns by how bright the left half of the picture is against the right one.
class HalvesModel final : public agent::base::Model {
 public:
  HalvesModel() {
    signature_.inputs = {{"x", {1, 1, 6, 8}}};
    signature_.outputs = {{"y", {1, 2}}};
  }
  const agent::base::ModelSignature& signature() const override { return signature_; }
  std::span<float> input(size_t) override { return input_; }
  std::span<const float> output(size_t) const override { return output_; }
  agent::base::RunOutcome Run(agent::base::Nanos) override {
    double left = 0;
    double all = 1;
    for (size_t i = 0; i < input_.size(); ++i) {
      left += (i % 8 < 4 ? 1.0 : -1.0) * static_cast<double>(input_[i]);
      all += static_cast<double>(input_[i]);
    }
    output_ = {0.3F, static_cast<float>(3 * left / all)};
    return agent::base::RunOutcome::kDone;
  }

 private:
  agent::base::ModelSignature signature_;
  std::vector<float> input_ = std::vector<float>(48, 0.0F);
  std::vector<float> output_{0, 0};
};

TEST_F(RealHurtTest, ARealCamerasPicturesUnderEveryCorruptionAndRelation) {
  const std::string tub = tests::SharedRecording("donkeycar-tub/tub.tar.gz");
  SKIP_WITHOUT(tub);
  const std::string whole = folder_ / "tub.mcap";
  ASSERT_OK(tests::ImportTub(tub, whole));
  ASSERT_NO_FATAL_FAILURE(Cut(whole, 0.2, 5, "tub"));
  ASSERT_NO_FATAL_FAILURE(
      Use("  - {tensor: x, channel: image, image: {width: 8, height: 6, color: mono}}\n",
          "  image: {required: true, trigger: input_stale, max_age_ms: 200, max_future_ms: 1000, "
          "stuck_after_ms: 2500}\n",
          2.5, std::make_unique<HalvesModel>()));
  const Replay& clean = evidence_.replays.front();
  ASSERT_OK(clean.status);
  evidence_.suite.mutable_corruption()->set_clips(1);
  const std::vector<HurtRun> runs =
      Run(PlanCorruptions(evidence_.replays, bench_->rules(), evidence_.suite));
  EXPECT_EQ(runs.size(), 8u * 5);
  for (const HurtRun& run : runs) {
    EXPECT_EQ(run.drive.error(), "") << run.planned.id;
    EXPECT_FALSE(std::isnan(run.drive.agreeing())) << run.planned.id;
  }

  v1::MetamorphicGate& gate = *evidence_.suite.mutable_metamorphic();
  gate.set_mirror_tolerance(1);
  gate.set_brightness_tolerance(1);
  gate.set_clips(1);
  int relations = 0;
  for (const PlannedRelation& planned :
       PlanRelations(evidence_.replays, bench_->rules(), evidence_.suite)) {
    const v1::RelationCheck check = CheckRelation(
        *planned.rule, clean, *bench_, {evidence_.policy, evidence_.fallback, evidence_.suite});
    EXPECT_EQ(check.error(), "") << planned.rule->id;
    EXPECT_EQ(check.share(), 0) << planned.rule->id << ": " << check.found();
    ++relations;
  }
  EXPECT_EQ(relations, 3) << "mirror, brighter, darker";
}

}  // namespace
}  // namespace gatekeeper::gates
