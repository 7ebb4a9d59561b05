#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/run_suite.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// A unit, a suite with every kind of replay, and a small library in a folder: for whole runs.

namespace gatekeeper::gates {

class SuiteFixture : public testing::Test {
 protected:
  SuiteFixture() { std::filesystem::create_directories(folder_ / "scenarios"); }

  void RecordDrives(int count) {
    for (int i = 0; i < count; ++i) {
      tests::RecordScenario(folder_ / "scenarios", "drive" + std::to_string(i),
                            {.seconds = 4, .number = i, .dusty_from_s = 2, .without = {}});
    }
  }
  absl::StatusOr<bundle::UngatedUnit> MakeUnit(const std::string& name, float dust_gain) {
    tests::WriteUnit(folder_ / name, tests::LinearOnnx(0.5F, dust_gain), tests::PolicyYaml());
    return bundle::UngatedUnit::Open(folder_ / name);
  }
  SuiteInput Input() const {
    SuiteInput input;
    input.suite_yaml = suite_;
    input.suite_file = "suite.yaml";
    input.policy = tests::AtSite();
    input.scenarios_folder = folder_ / "scenarios";
    input.threads = 2;
    return input;
  }

  // What two runs of the same job must have in common: all but measured times and how the replays
  // came about.
  static std::string Comparable(v1::GateReport report) {
    for (v1::GateResult& gate : *report.mutable_gates()) {
      if (gate.id() == "latency") gate.Clear();
    }
    for (v1::Figure& figure : *report.mutable_figures()) {
      if (figure.id() == "latency") figure.Clear();
    }
    report.clear_replays();
    return report.DebugString();
  }
  static const v1::GateResult& Gate(const v1::GateReport& report, const std::string& id) {
    for (const v1::GateResult& gate : report.gates()) {
      if (gate.id() == id) return gate;
    }
    static const v1::GateResult none;
    return none;
  }

  tests::TempFolder folder_;
  std::string suite_ = tests::SuiteYaml() + R"(
fault_matrix: {faults: [], onsets: [0.3], durations_s: [0.2], clips: 1, detect_within_ms: 600, safe_within_ms: 2500}
fallback_chain: {clips: 1, safe_within_ms: 2500}
metamorphic: {mirror_tolerance: 1, brightness_tolerance: 1, max_soft_violations: 0.5, clips: 2}
non_inferiority: {delta: 0.1, max_newly_failing: 0}
horizon: {max_deviation_m: 0.5, max_deviation_deg: 10, min_median_s: 1}
)";
};

}  // namespace gatekeeper::gates
