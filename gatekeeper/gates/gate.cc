#include "gatekeeper/gates/gate.h"

namespace gatekeeper::gates {
namespace {

constexpr Gate kGates[] = {
    {"integrity", false, JudgeIntegrity},
    {"static_policy", false, JudgeStaticPolicy},
    {"recordings", true, JudgeRecordings},
    {"envelope", true, JudgeEnvelope},
    {"requirements", true, JudgeRequirements},
    {"raw_vs_enforced", true, JudgeRawVsEnforced},
    {"worst_segment", true, JudgeWorstSegment},
    {"latency", true, JudgeLatency},
    {"stale_input", true, JudgeStaleInput},
    {"network_down", true, JudgeNetworkDown},
    {"determinism", true, JudgeDeterminism},
    {"fault_matrix", true, JudgeFaultMatrix,
     [](const v1::GateSuite& s) { return s.has_fault_matrix(); }},
    {"fallback_chain", true, JudgeFallbackChain,
     [](const v1::GateSuite& s) { return s.has_fallback_chain(); }},
    {"corruption", true, JudgeCorruption,
     [](const v1::GateSuite& s) { return s.has_corruption(); }},
    {"metamorphic", true, JudgeMetamorphic,
     [](const v1::GateSuite& s) { return s.has_metamorphic(); }},
    {"non_inferiority", true, JudgeNonInferiority,
     [](const v1::GateSuite& s) { return s.has_non_inferiority(); }},
    {"loosening", false, JudgeLoosening,
     [](const v1::GateSuite& s) { return s.has_non_inferiority(); }},
    {"horizon", true, JudgeHorizon, [](const v1::GateSuite& s) { return s.has_horizon(); }},
    {"separation", true, JudgeSeparation,
     [](const v1::GateSuite& s) { return s.has_separation(); }},
    {"closed_loop", true, JudgeClosedLoop,
     [](const v1::GateSuite& s) { return s.has_closed_loop(); }},
    {"coverage", true, JudgeCoverage, [](const v1::GateSuite& s) { return s.has_coverage(); }},
    {"uncertainty", true, JudgeUncertainty,
     [](const v1::GateSuite& s) { return s.has_uncertainty(); }},
    {"leakage", false, JudgeLeakage, [](const v1::GateSuite& s) { return s.has_leakage(); }},
    {"regression", false, JudgeRegression,
     [](const v1::GateSuite& s) { return s.has_regression(); }},
};

bool Planned(const Gate& gate, const v1::GateSuite& suite) {
  return gate.planned == nullptr || gate.planned(suite);
}

}  // namespace

int Badness(v1::GateOutcome outcome) {
  if (outcome == v1::FAIL) return 2;
  return outcome == v1::PASS ? 0 : 1;
}

std::span<const Gate> AllGates() { return kGates; }

std::vector<std::string> NotPlanned(const v1::GateSuite& suite) {
  std::vector<std::string> ids;
  for (const Gate& gate : kGates) {
    if (!Planned(gate, suite)) ids.emplace_back(gate.id);
  }
  return ids;
}

std::vector<v1::GateResult> JudgeAll(const Evidence& evidence) {
  std::vector<v1::GateResult> results;
  for (const Gate& gate : kGates) {
    if (!Planned(gate, evidence.suite)) continue;
    v1::GateResult result;
    if (gate.needs_replays && evidence.replays.empty()) {
      result.set_outcome(v1::INSUFFICIENT);
      result.set_summary("nothing was replayed: " + evidence.not_replayed);
    } else {
      result = gate.judge(evidence);
    }
    result.set_id(gate.id);
    results.push_back(std::move(result));
  }
  return results;
}

v1::GateOutcome Worst(const std::vector<v1::GateResult>& results) {
  if (results.empty()) return v1::INSUFFICIENT;
  v1::GateOutcome worst = v1::PASS;
  for (const v1::GateResult& result : results) {
    if (result.waived()) continue;
    if (Badness(result.outcome()) > Badness(worst)) worst = result.outcome();
  }
  return worst == v1::GATE_OUTCOME_UNSPECIFIED ? v1::INSUFFICIENT : worst;
}

v1::Finding FindingAt(const Replay& replay, int64_t at_ns, const std::string& message) {
  v1::Finding finding;
  finding.set_scenario(replay.id());
  finding.set_at_s(replay.Second(at_ns));
  finding.set_segment(TagsAt(replay.scenario->document, finding.at_s()));
  finding.set_message(message);
  return finding;
}

}  // namespace gatekeeper::gates
