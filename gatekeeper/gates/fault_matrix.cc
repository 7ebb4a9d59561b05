#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/hurt_plan.h"
#include "gatekeeper/gates/hurt_reaction.h"
#include "gatekeeper/gates/statistics.h"

// Every fault of the catalogue, at several moments and for several durations, in real drives: what
// the policy says must be noticed is noticed in time and by the right trigger, the robot is safe in
// time, and no command in between is one that the policy should not have let through. The layer
// that the record points to must be the one where the fault was.

namespace gatekeeper::gates {
namespace {

constexpr int kMostComplaints = 50;
constexpr double kRightLayers = 0.95;  // at the lower bound

struct Judged {
  const HurtRun* run = nullptr;
  v1::FaultCell cell;
  std::string complaint;  // empty: it holds
  const faults::Entry* entry = nullptr;
  bool attributable = false;  // a wanted trigger came first: its layer is the record's first guess

  bool wrong_layer() const { return attributable && cell.layer() != entry->layer; }
};

std::string Complaint(const HurtRun& run, const Expectation& expected, const HurtReaction& reaction,
                      const v1::FaultMatrixGate& limits) {
  if (!run.drive.error().empty()) return "the drive ended: " + run.drive.error();
  if (!run.drive.unsafe().empty()) {
    return absl::StrFormat(
        "unsafe %.2f s after the onset: %s",
        static_cast<double>(run.drive.unsafe_ns() - run.planned.fault.onset_ns) * 1e-9,
        run.drive.unsafe());
  }
  if (run.drive.least_derate() > expected.most_derate + 1e-9) {
    return absl::StrFormat("derating left %.2f of the largest speed, the policy's rule %.2f",
                           run.drive.least_derate(), expected.most_derate);
  }
  if (expected.wanted.empty()) return "";
  const std::string wanted = absl::StrJoin(expected.wanted, " or ");
  const double detect_ms = limits.detect_within_ms() + expected.allowed_ms;
  if (!reaction.wanted_ms.has_value()) return absl::StrFormat("trigger %s never came", wanted);
  const bool right = std::find(expected.wanted.begin(), expected.wanted.end(), reaction.found) !=
                     expected.wanted.end();
  if (!right) return absl::StrFormat("trigger %s came first, wanted %s", reaction.found, wanted);
  if (*reaction.wanted_ms > detect_ms) {
    return absl::StrFormat("trigger %s came after %.0f ms, limit %g", wanted, *reaction.wanted_ms,
                           detect_ms);
  }
  const double safe_ms = limits.safe_within_ms() + expected.allowed_ms;
  if (!reaction.safe_ms.has_value() || *reaction.safe_ms > safe_ms) {
    return absl::StrFormat("safe %s, limit %g ms",
                           reaction.safe_ms ? absl::StrFormat("after %.0f ms", *reaction.safe_ms)
                                            : std::string("never"),
                           safe_ms);
  }
  return "";
}

Judged Judge(const HurtRun& run, const v1::HurtDrive* control, const Evidence& evidence,
             const agent::runtime::Policy& policy) {
  Judged judged{.run = &run};
  const faults::Spec& spec = run.planned.fault.spec;
  judged.entry = faults::Find(spec.id);
  const HurtRules rules{evidence.policy, evidence.fallback, evidence.suite.agreement()};
  const Expectation expected = ExpectationOf(*judged.entry, run, rules, policy);
  const HurtReaction reaction = ReactionOf(run, control, expected, evidence.fallback);
  judged.complaint = Complaint(run, expected, reaction, evidence.suite.fault_matrix());
  // What comes from outside the robot lies in no layer of it.
  const bool from_outside = spec.id == "wrong_frame" || spec.id == "pushed";
  judged.attributable = !expected.wanted.empty() && !from_outside &&
                        std::find(expected.wanted.begin(), expected.wanted.end(), reaction.found) !=
                            expected.wanted.end();

  constexpr double kNever = std::numeric_limits<double>::quiet_NaN();
  const Replay& replay = evidence.replays[run.planned.scenario];
  v1::FaultCell& cell = judged.cell;
  cell.set_fault(run.planned.id);
  cell.set_scenario(replay.id());
  cell.set_onset_s(replay.Second(spec.onset_ns));
  cell.set_duration_s(static_cast<double>(spec.end_ns - spec.onset_ns) * 1e-9);
  cell.set_wanted(absl::StrJoin(expected.wanted, "|"));
  cell.set_found(reaction.found);
  cell.set_layer(reaction.layer);
  cell.set_detect_ms(reaction.wanted_ms.value_or(reaction.found_ms.value_or(kNever)));
  cell.set_safe_ms(reaction.safe_ms.value_or(kNever));
  cell.set_outcome(judged.complaint.empty() ? v1::PASS : v1::FAIL);
  return judged;
}

// Every cell, in the order of the plan.
std::vector<Judged> JudgeCells(const Evidence& evidence, const agent::runtime::Policy& policy) {
  std::map<std::pair<size_t, int64_t>, const v1::HurtDrive*> controls;
  for (const HurtRun& run : evidence.matrix_runs) {
    if (run.planned.id == kControlDrive)
      controls[{run.planned.scenario, run.planned.fault.onset_ns}] = &run.drive;
  }
  std::vector<Judged> cells;
  for (const HurtRun& run : evidence.matrix_runs) {
    if (run.planned.id == kControlDrive) continue;
    const auto control = controls.find({run.planned.scenario, run.planned.fault.onset_ns});
    cells.push_back(
        Judge(run, control == controls.end() ? nullptr : control->second, evidence, policy));
  }
  return cells;
}

void AddFinding(const Judged& judged, const std::string& message, const Evidence& evidence,
                v1::GateResult& result) {
  const HurtRun& run = *judged.run;
  if (result.findings_size() >= kMostComplaints) return;
  v1::Finding finding =
      FindingAt(evidence.replays[run.planned.scenario], run.planned.fault.onset_ns, message);
  finding.set_segment(CellName(run.planned));
  *result.add_findings() = std::move(finding);
}

// How the first guesses of the layer did.
struct Attribution {
  uint64_t guesses = 0;
  uint64_t wrong = 0;
  uint64_t circuit_called_model = 0;
};

v1::GateOutcome Decide(uint64_t failed, const Attribution& layers, double alpha, bool enough) {
  if (failed > 0 || layers.circuit_called_model > 0) return v1::FAIL;
  const double right = LowerBound(layers.guesses - layers.wrong, layers.guesses, alpha);
  if (right >= kRightLayers) return enough ? v1::PASS : v1::INSUFFICIENT;
  return layers.wrong > 0 ? v1::FAIL : v1::INSUFFICIENT;
}

}  // namespace

std::string CellName(const PlannedFault& planned) {
  const faults::Spec& spec = planned.fault.spec;
  return absl::StrFormat("%s for %g s", planned.id,
                         static_cast<double>(spec.end_ns - spec.onset_ns) * 1e-9);
}

std::vector<size_t> FailingCells(const Evidence& evidence) {
  std::vector<size_t> failing;
  const auto policy = agent::runtime::Policy::Compile(evidence.policy);
  if (!policy.ok()) return failing;
  for (const Judged& judged : JudgeCells(evidence, *policy)) {
    if (failing.size() >= kMostShown) break;
    if (judged.complaint.empty() && !judged.wrong_layer()) continue;
    failing.push_back(static_cast<size_t>(judged.run - evidence.matrix_runs.data()));
  }
  return failing;
}

v1::GateResult JudgeFaultMatrix(const Evidence& evidence) {
  v1::GateResult result;
  const v1::FaultMatrixGate& limits = evidence.suite.fault_matrix();
  const auto policy = agent::runtime::Policy::Compile(evidence.policy);
  if (!policy.ok()) {
    result.set_outcome(v1::INSUFFICIENT);
    result.set_summary("the policy does not compile: " + std::string(policy.status().message()));
    return result;
  }
  std::set<std::string> recordings;
  std::set<std::string> kinds;
  Attribution layers;
  uint64_t failed = 0;
  double slowest_ms = 0;
  double latest_ms = 0;
  for (const Judged& judged : JudgeCells(evidence, *policy)) {
    recordings.insert(RecordingOf(evidence.replays[judged.run->planned.scenario]));
    kinds.insert(judged.run->planned.fault.spec.id);
    *result.add_cells() = judged.cell;
    if (!judged.complaint.empty()) {
      ++failed;
      AddFinding(judged, judged.complaint, evidence, result);
    }
    if (!judged.attributable) continue;
    slowest_ms = std::max(slowest_ms, judged.cell.detect_ms());
    if (judged.cell.safe_ms() > latest_ms) latest_ms = judged.cell.safe_ms();
    ++layers.guesses;
    if (!judged.wrong_layer()) continue;
    ++layers.wrong;
    const bool worst =
        std::string(judged.entry->layer) == "circuit" && judged.cell.layer() == "model";
    layers.circuit_called_model += worst ? 1 : 0;
    AddFinding(judged,
               absl::StrFormat("the fault lay in the %s, the record points to the %s",
                               judged.entry->layer, judged.cell.layer()),
               evidence, result);
  }
  const double alpha = evidence.suite.alpha();
  const uint64_t n = static_cast<uint64_t>(result.cells_size());
  const double right = LowerBound(layers.guesses - layers.wrong, layers.guesses, alpha);
  result.set_n(n);
  result.set_n_eff(static_cast<double>(recordings.size()));
  result.set_alpha(alpha);
  result.set_value(slowest_ms);
  result.set_bound(right);
  result.set_limit(kRightLayers);
  result.set_margin(right - kRightLayers);
  result.set_outcome(Decide(failed, layers, alpha, recordings.size() >= limits.clips()));
  result.set_summary(absl::StrFormat(
      "%d of %d cells went wrong (%d faults, %d of %d recordings); slowest trigger %.0f ms, latest "
      "safe state %.0f ms; %d of %d layers right, lower bound %.3f, wanted %.2f",
      failed, n, kinds.size(), recordings.size(), limits.clips(), slowest_ms, latest_ms,
      layers.guesses - layers.wrong, layers.guesses, right, kRightLayers));
  return result;
}

}  // namespace gatekeeper::gates
