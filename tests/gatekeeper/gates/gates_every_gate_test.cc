#include "gatekeeper/gates/gate.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "gatekeeper/gates/corpus.h"
#include "gatekeeper/gates/policy_files.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/suite_fixture.h"

// What every verdict carries, asked of a real run that plans every gate of the registry.

namespace gatekeeper::gates {
namespace {

// What decides a gate (policies/README.md). These drives keep to the middle of their hall, so no
// distance decides the envelope.
enum class DecidedBy {
  kCount,  // everything was looked at: how much is wrong
  kShare,  // the share of recordings that fail, of which none may
  kWorst,  // the worst that was measured
  kBound,  // a confidence bound of its own
};

const std::map<std::string, DecidedBy>& Deciders() {
  static const auto* const deciders = new std::map<std::string, DecidedBy>{
      {"integrity", DecidedBy::kCount},      {"static_policy", DecidedBy::kCount},
      {"recordings", DecidedBy::kShare},     {"envelope", DecidedBy::kShare},
      {"requirements", DecidedBy::kShare},   {"raw_vs_enforced", DecidedBy::kBound},
      {"worst_segment", DecidedBy::kBound},  {"latency", DecidedBy::kBound},
      {"stale_input", DecidedBy::kWorst},    {"network_down", DecidedBy::kBound},
      {"determinism", DecidedBy::kShare},    {"fault_matrix", DecidedBy::kBound},
      {"fallback_chain", DecidedBy::kWorst}, {"corruption", DecidedBy::kBound},
      {"metamorphic", DecidedBy::kBound},    {"non_inferiority", DecidedBy::kBound},
      {"loosening", DecidedBy::kCount},      {"horizon", DecidedBy::kBound},
      {"separation", DecidedBy::kWorst},     {"closed_loop", DecidedBy::kBound},
      {"coverage", DecidedBy::kBound},       {"uncertainty", DecidedBy::kBound},
      {"leakage", DecidedBy::kCount},        {"regression", DecidedBy::kCount}};
  return *deciders;
}

void ExpectFigures(const v1::GateResult& gate) {
  SCOPED_TRACE(gate.id() + ": " + gate.summary());
  const DecidedBy by = Deciders().at(gate.id());
  if (by == DecidedBy::kCount) {
    EXPECT_EQ(gate.n_eff(), static_cast<double>(gate.n()));
    EXPECT_EQ(gate.margin(), gate.limit() - gate.value());
    EXPECT_EQ(gate.bound(), 0) << "nothing is estimated";
    EXPECT_EQ(gate.alpha(), 0);
    return;
  }
  EXPECT_GT(gate.n(), 0u);
  EXPECT_GT(gate.n_eff(), 0);
  EXPECT_LE(gate.n_eff(), static_cast<double>(gate.n()));
  EXPECT_GT(gate.alpha(), 0);
  EXPECT_LE(gate.alpha(), 0.1);
  if (by == DecidedBy::kShare) {
    EXPECT_EQ(gate.limit(), 0);
    EXPECT_EQ(gate.margin(), 0);
    EXPECT_GT(gate.bound(), gate.value());
    EXPECT_NEAR(gate.bound(), 1 - std::pow(gate.alpha(), 1 / gate.n_eff()), 1e-9) << "none fails";
    return;
  }
  if (gate.id() == "coverage") return;  // its bound is of what never happened; hours are its limit
  EXPECT_NE(gate.limit(), 0);
  EXPECT_NEAR(std::abs(gate.margin()), std::abs(gate.limit() - gate.bound()), 1e-9);
  if (by == DecidedBy::kWorst) EXPECT_EQ(gate.bound(), gate.value());
}

class EveryGateTest : public SuiteFixture {
 protected:
  absl::StatusOr<GateRun> RunEverything() {
    const std::string suite = folder_ / "suite.yaml";
    std::ofstream(suite) << suite_ << R"(
corruption: {clips: 6, floor_at_3: 0.5, max_silent_wrong: 0.5}
separation: {stop_within_s: 0.3, hold_share: 1, resume_within_s: 0.6, false_stop_share: 0.02, encounters: 3}
closed_loop: {runs: 6, max_pose_error_m: 0.3, max_range_error_m: 0.1, max_collision_rate: 0.4, min_goal_rate: 0.4, goal_within_m: 0.5}
coverage: {dimensions: [{id: floor, tags: [clear, dusty]}], min_hours: 0.001, trigger_clips: 1}
uncertainty: {max_risk: 0.05, min_auroc: 0.8, max_ece: 0.1}
leakage: {training_digests: train.txt, max_near_duplicates: 0}
regression: {corpus: corpus}
)";
    std::ofstream(folder_ / "train.txt") << std::string(64, '0') << "\n";
    std::filesystem::create_directories(folder_ / "corpus");
    tests::RecordDrive(folder_ / "kept.mcap", {.seconds = 4, .number = 9, .without = {}});
    auto kept = KeepClip({.clip = folder_ / "kept.mcap", .corpus = folder_ / "corpus"});
    if (!kept.ok()) return kept.status();
    auto files = ReadPlainSuite(suite);
    if (!files.ok()) return files.status();
    auto unit = MakeUnit("unit", 0);
    if (!unit.ok()) return unit.status();
    auto deployed = MakeUnit("deployed", 0);
    if (!deployed.ok()) return deployed.status();
    SuiteInput input = Input();
    input.suite_yaml = files->yaml;
    input.suite_file = files->file;
    input.policy = files->beside;
    input.against = folder_ / "deployed";
    return RunSuite(*unit, input);
  }
};

TEST_F(EveryGateTest, CarriesItsSampleItsBoundAndItsMargin) {
  RecordDrives(6);
  ASSERT_OK_AND_ASSIGN(const GateRun run, RunEverything());
  ASSERT_EQ(static_cast<size_t>(run.report.gates_size()), AllGates().size())
      << "a new gate needs a line above and one in the suite";
  // What these recordings have not: obstacles, rooms, a model that doubts.
  const std::set<std::string> without = {"separation", "closed_loop", "uncertainty"};
  for (const v1::GateResult& gate : run.report.gates()) {
    ASSERT_TRUE(Deciders().contains(gate.id())) << gate.id();
    if (without.contains(gate.id())) {
      EXPECT_EQ(gate.outcome(), v1::INSUFFICIENT) << gate.id() << ": " << gate.summary();
      continue;
    }
    ExpectFigures(gate);
  }
}

TEST_F(EveryGateTest, TakesClipsOfOneDriveForOneSample) {
  RecordDrives(6);
  for (int i = 0; i < 6; ++i) {  // three clips each of two drives
    std::ofstream(folder_ / ("scenarios/drive" + std::to_string(i) + ".yaml"), std::ios::app)
        << "origin: {file: bags/run7, sha256: " << std::string(64, i < 3 ? 'a' : 'b') << "}\n";
  }
  ASSERT_OK_AND_ASSIGN(const GateRun run, RunEverything());
  for (const v1::GateResult& gate : run.report.gates()) {
    if (Deciders().at(gate.id()) == DecidedBy::kCount) continue;  // everything was looked at
    if (gate.id() == "latency") continue;                         // of the host, not of the drives
    EXPECT_LE(gate.n_eff(), 2) << gate.id() << ": " << gate.summary();
  }
  EXPECT_EQ(Gate(run.report, "worst_segment").outcome(), v1::INSUFFICIENT);
  EXPECT_EQ(Gate(run.report, "raw_vs_enforced").outcome(), v1::INSUFFICIENT);
  EXPECT_NEAR(Gate(run.report, "coverage").value(), 6 * 6 / 3600.0, 6 * 2 / 3600.0)
      << "each clip adds its time";
}

TEST_F(EveryGateTest, ThatHasNoMomentForSoManyCutsIsInsufficient) {
  suite_.replace(suite_.find("network_floor: 0.3"), 18, "network_floor: 0.995");
  RecordDrives(2);
  ASSERT_OK_AND_ASSIGN(const auto unit, MakeUnit("unit", 0));
  SuiteInput input = Input();
  ASSERT_OK_AND_ASSIGN(const GateRun run, RunSuite(unit, input));
  const v1::GateResult& gate = Gate(run.report, "network_down");
  EXPECT_EQ(gate.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(gate.summary(), testing::HasSubstr("(460 are wanted)")) << "at alpha 0.1";
  EXPECT_GT(gate.n(), 80u) << "every tick from 10 % to 90 % of two drives of 4 s, nearly";
  EXPECT_LT(gate.n(), 2 * 66u);
}

}  // namespace
}  // namespace gatekeeper::gates
