#include <chrono>
#include <map>
#include <set>

#include "absl/strings/str_replace.h"
#include "gatekeeper/faults/catalogue.h"
#include "gatekeeper/gates/hurt_reaction.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/hurt_fixture.h"

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;

class FaultMatrixTest : public HurtTest {
 protected:
  void Only(const std::vector<std::string>& faults) {
    for (const std::string& fault : faults)
      evidence_.suite.mutable_fault_matrix()->add_faults(fault);
  }
};

TEST_F(FaultMatrixTest, AGoodUnitHoldsEveryCellOfTheWholeCatalogue) {
  Record(1, 10);
  const auto start = std::chrono::steady_clock::now();
  const v1::GateResult result = Matrix();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  EXPECT_EQ(result.outcome(), v1::PASS) << Told(result);
  std::map<std::string, int> cells;
  for (const v1::FaultCell& cell : result.cells())
    ++cells[cell.fault().substr(0, cell.fault().find(':'))];
  EXPECT_GE(cells.size(), 25u);
  for (const auto& [fault, count] : cells) EXPECT_EQ(count, 9) << fault;
  EXPECT_GE(result.bound(), 0.95) << "layers";
  printf("%s\n%.2f ms a cell\n", result.summary().c_str(), 1e3 * seconds / result.cells_size());
}

TEST_F(FaultMatrixTest, TheSameSeedGivesTheSameReportAndAnotherOneHurtsOtherwise) {
  Only({"drop_some", "noise", "bit_flips"});
  Record(1, 10);
  const std::string once = Matrix().SerializeAsString();
  EXPECT_EQ(Matrix().SerializeAsString(), once);
  const auto variants = [&] {
    std::set<std::string> texts;
    for (const PlannedFault& planned :
         PlanFaultMatrix(evidence_.replays, bench_->rules(), evidence_.suite)) {
      texts.insert(Text(planned.fault));
    }
    return texts;
  };
  const std::set<std::string> before = variants();
  EXPECT_EQ(before.size(), 3u * 9 + 3) << "every cell has a name of its own";
  evidence_.suite.set_seed(evidence_.suite.seed() + 1);
  EXPECT_NE(variants(), before);
}

TEST_F(FaultMatrixTest, AFaultShorterThanEveryLimitNeedNotBeNoticed) {
  Only({"drop_all"});
  Record(1, 10);
  const v1::GateResult result = Matrix();
  ASSERT_EQ(result.cells_size(), 9);
  for (const v1::FaultCell& cell : result.cells()) {
    EXPECT_EQ(cell.outcome(), v1::PASS);
    const bool noticed = cell.duration_s() > 0.2;  // max_age_ms of every channel
    EXPECT_EQ(cell.wanted(), noticed ? "input_stale" : "") << cell.duration_s();
    EXPECT_EQ(cell.found(), noticed ? "input_stale" : "") << cell.duration_s();
    if (!noticed) continue;
    EXPECT_EQ(cell.layer(), "firmware");
    EXPECT_GE(cell.detect_ms(), 150);
    EXPECT_LE(cell.detect_ms(), 300);
    EXPECT_LE(cell.safe_ms(), 3000);
  }
}

TEST_F(FaultMatrixTest, ATripledFreshnessLimitIsCaught) {
  Only({"drop_all"});
  Record(1, 10);
  Use(absl::StrReplaceAll(Policy(), {{"max_age_ms: 200", "max_age_ms: 600"}}),
      absl::StrReplaceAll(
          Rules(), {{"detect_ms: 550", "detect_ms: 650"}, {"detect_ms: 250", "detect_ms: 650"}}));
  evidence_.suite.mutable_fault_matrix()->set_detect_within_ms(400);
  const v1::GateResult result = Matrix();
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(Told(result), HasSubstr("trigger input_stale came after 500 ms, limit 400"));
}

TEST_F(FaultMatrixTest, DetectionIsJudgedOnBothSidesOfItsLimit) {
  Only({"drop_all"});
  Record(1, 10);
  double slowest_ms = 0;
  const v1::GateResult base = Matrix();
  for (const v1::FaultCell& cell : base.cells()) {
    if (!cell.wanted().empty()) slowest_ms = std::max(slowest_ms, cell.detect_ms());
  }
  const auto outcome = [&](double detect_ms) {
    evidence_.suite.mutable_fault_matrix()->set_detect_within_ms(detect_ms);
    const v1::GateResult result = Matrix();
    int failed = 0;
    for (const v1::FaultCell& cell : result.cells()) failed += cell.outcome() == v1::FAIL ? 1 : 0;
    return failed;
  };
  EXPECT_EQ(outcome(slowest_ms), 0);
  EXPECT_GT(outcome(slowest_ms - 1), 0);
}

TEST_F(FaultMatrixTest, SafetyIsJudgedOnBothSidesOfItsLimit) {
  Only({"drop_all"});
  Record(1, 10);
  const v1::GateResult base = Matrix();
  double latest_ms = 0;
  for (const v1::FaultCell& cell : base.cells()) {
    if (!cell.wanted().empty()) latest_ms = std::max(latest_ms, cell.safe_ms());
  }
  const auto failed = [&](double safe_ms) {
    evidence_.suite.mutable_fault_matrix()->set_safe_within_ms(safe_ms);
    const v1::GateResult result = JudgeFaultMatrix(evidence_);
    int count = 0;
    for (const v1::FaultCell& cell : result.cells()) count += cell.outcome() == v1::FAIL ? 1 : 0;
    return count;
  };
  ASSERT_GT(latest_ms, 0);
  EXPECT_EQ(failed(latest_ms), 0);
  EXPECT_GT(failed(latest_ms - 1), 0);
}

TEST_F(FaultMatrixTest, AnActionThatDoesNotStopTheRobotIsCaught) {
  Only({"drop_all"});
  Record(1, 10);
  Use(Policy(), absl::StrReplaceAll(Rules(), {{"id: input_stale, layer: firmware, to: "
                                               "CONTROLLED_STOP, detect_ms: 550",
                                               "id: input_stale, layer: firmware, to: DEGRADED"}}));
  const v1::GateResult result = Matrix();
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(Told(result), HasSubstr("for 4 s: safe after"));
}

TEST_F(FaultMatrixTest, ABlindLaserThatNobodyNoticesIsCaught) {
  Only({"blackout"});
  Record(1, 10);
  Use(absl::StrReplaceAll(Policy(), {{" min_valid_fraction: 0.1,", ""}}), Rules());
  const v1::GateResult result = Matrix();
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(Told(result), HasSubstr("trigger input_stale never came"));
}

TEST_F(FaultMatrixTest, AWrongLayerInTheRecordIsCaught) {
  Only({"heat", "voltage_sag"});
  Record(1, 10);
  EXPECT_EQ(Matrix().outcome(), v1::INSUFFICIENT) << "18 right layers are too few to be sure";
  Use(Policy(), absl::StrReplaceAll(Rules(), {{"hardware_limit, layer: circuit",
                                               "hardware_limit, layer: firmware"}}));
  const v1::GateResult result = Matrix();
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(Told(result), HasSubstr("the fault lay in the circuit, the record points to the "
                                      "firmware"));
}

TEST_F(FaultMatrixTest, AnUnsafeCommandIsCaughtWhateverTheTriggersSay) {
  Only({"drop_one"});
  Record(1, 10);
  ASSERT_EQ(Matrix().findings_size(), 0);
  evidence_.matrix_runs.back().drive.set_unsafe("enforced vx_mps is 9.0");
  const v1::GateResult result = JudgeFaultMatrix(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(Told(result), HasSubstr("enforced vx_mps is 9.0"));
}

TEST_F(FaultMatrixTest, TooFewRecordingsAreInsufficient) {
  Record(1, 10);
  evidence_.suite.mutable_fault_matrix()->set_clips(2);
  EXPECT_EQ(Matrix().outcome(), v1::INSUFFICIENT);
}

TEST_F(FaultMatrixTest, ARecordingWithoutACalmMomentIsPassedOver) {
  Record(1, 2);
  EXPECT_TRUE(PlanFaultMatrix(evidence_.replays, bench_->rules(), evidence_.suite).empty());
  EXPECT_EQ(Matrix().outcome(), v1::INSUFFICIENT);
}

TEST_F(FaultMatrixTest, HeatOnALateModelPointsToTheCircuit) {
  EXPECT_EQ(LayerGuess("deadline_miss", 1, evidence_.fallback), "model");
  EXPECT_EQ(LayerGuess("deadline_miss", 0.5, evidence_.fallback), "circuit");
  EXPECT_EQ(LayerGuess("input_stale", 0.5, evidence_.fallback), "firmware");
  EXPECT_EQ(LayerGuess("invariant_broken", 1, evidence_.fallback), "firmware");
}

TEST_F(FaultMatrixTest, ReplaysThatOnlyGoThroughTheCatalogueChangeNothingElse) {
  Record(1, 10);
  const Replay again = RunReplay(scenarios_.front(), *bench_);
  EXPECT_EQ(again.verdicts, evidence_.replays.front().verdicts) << "no ailment is left behind";
}

}  // namespace
}  // namespace gatekeeper::gates
