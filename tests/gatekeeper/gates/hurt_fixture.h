#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "agent/base/yaml_document.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/hurt_plan.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/temp_folder.h"

namespace gatekeeper::gates {

// Drives of the hall robot with faults in them.
class HurtTest : public testing::Test {
 protected:
  HurtTest() {
    evidence_.suite = tests::SuiteDocument();
    v1::FaultMatrixGate& matrix = *evidence_.suite.mutable_fault_matrix();
    for (const double share : {0.45, 0.55, 0.65}) matrix.add_onsets(share);
    for (const double seconds : {0.1, 1.0, 4.0}) matrix.add_durations_s(seconds);
    matrix.set_clips(1);
    matrix.set_detect_within_ms(700);
    matrix.set_safe_within_ms(3000);
    Use(Policy(), tests::FallbackYaml());
  }

  // The hall robot's policy, whose laser may not be blind and whose computer may not be hot.
  static std::string Policy() {
    return absl::StrReplaceAll(
        tests::PolicyYaml(),
        {{"scan: {required: true,", "scan: {required: true, min_valid_fraction: 0.1,"},
         {"envelope:\n",
          "derate:\n"
          "  - {signal: soc_temp_degC, points: [75, 90], scale: [1.0, 0.0], max_age_ms: 5000, "
          "absent_scale: 1.0, trigger: hardware_limit, release_at: 80}\n"
          "  - {signal: supply_V, points: [21.5, 23.0], scale: [0.0, 1.0], max_age_ms: 5000, "
          "absent_scale: 1.0, trigger: hardware_limit, release_at: 22.5}\n"
          "  - {signal: infer_p99_ms_60s, points: [30, 40], scale: [1.0, 0.5], max_age_ms: 5000, "
          "absent_scale: 1.0}\n"
          "envelope:\n"}});
  }
  static std::string Rules() {
    return absl::StrReplaceAll(
        tests::FallbackYaml(),
        {{"  - {id: deadline_miss",
          "  - {id: hardware_limit, layer: circuit, to: CONTROLLED_STOP, detect_ms: 150, clear: "
          "{operator: true}}\n  - {id: deadline_miss"}});
  }

  void Use(const std::string& policy, const std::string& fallback) {
    policy_ = policy;
    fallback_ = fallback == tests::FallbackYaml() ? Rules() : fallback;
    evidence_.policy.Clear();
    evidence_.fallback.Clear();
    ASSERT_TRUE(
        agent::base::ReadYaml(policy_, "policy", "control_policy/1", evidence_.policy).ok());
    ASSERT_TRUE(
        agent::base::ReadYaml(fallback_, "rules", "fallback_rules/1", evidence_.fallback).ok());
    auto rules = agent::runtime::LoadRules(tests::CardYaml(), policy_, fallback_);
    ASSERT_TRUE(rules.ok()) << rules.status();
    auto bench =
        TestBench::Create(std::string(64, 'a'), *rules, tests::MakeModel(tests::GoodDriver));
    ASSERT_TRUE(bench.ok()) << bench.status();
    bench_ = *std::move(bench);
    evidence_.replays.clear();
    for (const Scenario& scenario : scenarios_)
      evidence_.replays.push_back(RunReplay(scenario, *bench_));
  }

  void Record(int clips, double seconds) {
    for (int i = 0; i < clips; ++i) {
      tests::DriveOptions options;
      options.seconds = seconds;
      options.number = i + 1;
      options.start_x_m += i;
      Scenario scenario =
          tests::RecordScenario(folder_.path(), absl::StrFormat("drive%d", i), options);
      scenario.document.set_sha256(scenario.sha256.hex());
      scenarios_.push_back(std::move(scenario));
    }
    for (const Scenario& scenario : scenarios_)
      evidence_.replays.push_back(RunReplay(scenario, *bench_));
  }

  HurtRules rules() const {
    return {evidence_.policy, evidence_.fallback, evidence_.suite.agreement()};
  }

  std::vector<HurtRun> Run(const std::vector<PlannedFault>& planned) {
    std::vector<HurtRun> runs;
    for (const PlannedFault& fault : planned) {
      runs.push_back({fault, DriveHurt(*evidence_.replays[fault.scenario].scenario, *bench_,
                                       fault.fault, rules())});
    }
    return runs;
  }

  v1::GateResult Matrix() {
    evidence_.matrix_runs =
        Run(PlanFaultMatrix(evidence_.replays, bench_->rules(), evidence_.suite));
    return JudgeFaultMatrix(evidence_);
  }

  tests::TempFolder folder_;
  std::deque<Scenario> scenarios_;
  std::string policy_;
  std::string fallback_;
  std::unique_ptr<TestBench> bench_;
  Evidence evidence_;
};

// All findings, one a line.
inline std::string Told(const v1::GateResult& result) {
  std::string text = result.summary() + "\n";
  for (const v1::Finding& finding : result.findings()) {
    text += absl::StrFormat("%s at %.2f s, %s: %s\n", finding.scenario(), finding.at_s(),
                            finding.segment(), finding.message());
  }
  return text;
}

}  // namespace gatekeeper::gates
