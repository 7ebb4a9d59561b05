#pragma once

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "gtest/gtest.h"
#include "proto/gates.pb.h"

namespace gatekeeper::report {

inline v1::GateResult Gate(const std::string& id, v1::GateOutcome outcome,
                           const std::string& summary) {
  v1::GateResult gate;
  gate.set_id(id);
  gate.set_outcome(outcome);
  gate.set_summary(summary);
  return gate;
}

// Two gates that failed, one that held, one with too little evidence.
inline v1::GateReport Sample() {
  v1::GateReport report;
  report.set_api_version("gatekeeper/v1");
  report.set_unit_name("nav");
  report.set_unit_version("1.2.0");
  report.set_unit_digest(std::string(64, 'a'));
  report.set_suite_id("nav-release");
  report.set_suite_sha256(std::string(64, 'b'));
  report.set_engine("onnxruntime 1.24 cpu");
  report.set_outcome(v1::FAIL);
  report.set_scenarios(20);
  report.set_ticks(6000);
  report.set_mean_score(0.9421);
  *report.add_gates() = Gate("integrity", v1::PASS, "24 files and recordings match their digests");
  v1::GateResult worst =
      Gate("worst_segment", v1::FAIL, "dusty: 9 of 20 clips agree, lower bound 0.231, floor 0.800");
  worst.set_value(0.45);
  worst.set_bound(0.231);
  worst.set_limit(0.8);
  worst.set_n(20);
  v1::Finding& finding = *worst.add_findings();
  finding.set_scenario("dusty_07");
  finding.set_at_s(12.35);
  finding.set_segment("dusty");
  finding.set_message("61.0% of the dusty ticks agree, wanted 90.0%");
  finding.set_clip("out/worst_segment-1-dusty_07-12.35s.mcap");
  *report.add_gates() = worst;
  v1::GateResult policy = Gate("static_policy", v1::FAIL, "broken rules: 1");
  v1::Finding& line = *policy.add_findings();
  line.set_file("policy/control_policy.yaml");
  line.set_line(12);
  line.set_message("S9: <b>|limits|</b> & \"quotes\"");
  *report.add_gates() = policy;
  *report.add_gates() = Gate("latency", v1::INSUFFICIENT, "0 of 12 frames took longer than 40 ms");
  v1::InputRef& input = *report.add_inputs();
  input.set_id("dusty_07");
  input.set_sha256(std::string(64, 'c'));
  input.set_file("library/dusty_07.yaml");
  report.mutable_plan()->set_suite_path("suites/nav.yaml");
  return report;
}

// Compares with the golden file; GATEKEEPER_UPDATE_GOLDENS=1 writes it instead, for review as a
// diff.
inline void ExpectGolden(const std::string& name, const std::string& text) {
  const std::string path = "tests/gatekeeper/report/golden/" + name;
  if (std::getenv("GATEKEEPER_UPDATE_GOLDENS") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  std::stringstream wanted;
  wanted << file.rdbuf();
  EXPECT_EQ(text, wanted.str()) << path;
}

}  // namespace gatekeeper::report
