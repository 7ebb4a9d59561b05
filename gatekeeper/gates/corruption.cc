#include "gatekeeper/faults/corruption.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/statistics.h"

// What sensors show gets worse in five severities. At the third the unit must still drive well on
// most clips; at the fourth and fifth it must drive well or notice that it does not: a clip that is
// wrong without a trigger is silently wrong, and few may be. Alpha is shared out over the
// corruptions.

namespace gatekeeper::gates {
namespace {

constexpr int kFloorSeverity = 3;
// Means of few clips move by chance; a rise above this with more corruption is told.
constexpr double kNoise = 0.1;

struct SeverityCell {
  std::vector<double> agreeing;  // by clip
  uint64_t passed = 0;
  double mean() const {
    double sum = 0;
    for (const double share : agreeing) sum += share;
    return agreeing.empty() ? 0 : sum / static_cast<double>(agreeing.size());
  }
};

struct Kind {
  std::map<int, SeverityCell> severities;
  std::set<size_t> clips;
  std::set<size_t> silent;  // clips that were wrong without a trigger at severity 4 or 5
};

std::set<std::string> TriggersOf(const Replay& replay) {
  std::set<std::string> triggers;
  for (const v1::TickRecord& tick : replay.ticks)
    triggers.insert(tick.triggers().begin(), tick.triggers().end());
  return triggers;
}

bool RaisesMoreThan(const v1::HurtDrive& drive, const Replay& clean) {
  const std::set<std::string> usual = TriggersOf(clean);
  for (const v1::HurtDrive::Change& change : drive.changes()) {
    for (const std::string& trigger : change.triggers()) {
      if (usual.count(trigger) == 0) return true;
    }
  }
  return false;
}

std::map<std::string, Kind> Sort(const Evidence& evidence, v1::GateResult& result) {
  std::map<std::string, Kind> kinds;
  for (const HurtRun& run : evidence.corruption_runs) {
    const Replay& clean = evidence.replays[run.planned.scenario];
    if (!run.drive.error().empty() || !run.drive.unsafe().empty()) {
      v1::Finding& finding = *result.add_findings() =
          FindingAt(clean, run.drive.unsafe().empty() ? clean.first_ns : run.drive.unsafe_ns(),
                    run.drive.error().empty() ? "unsafe: " + run.drive.unsafe()
                                              : "the drive ended: " + run.drive.error());
      finding.set_segment(run.planned.id);
      continue;
    }
    if (std::isnan(run.drive.agreeing())) continue;  // nobody recorded what was right
    const faults::Spec& spec = run.planned.fault.spec;
    Kind& kind = kinds[spec.id];
    kind.clips.insert(run.planned.scenario);
    SeverityCell& cell = kind.severities[spec.severity];
    cell.agreeing.push_back(run.drive.agreeing());
    const bool right = run.drive.agreeing() >= evidence.suite.agreement().clip_pass_fraction();
    cell.passed += right ? 1 : 0;
    if (!right && spec.severity > kFloorSeverity && !RaisesMoreThan(run.drive, clean))
      kind.silent.insert(run.planned.scenario);
  }
  return kinds;
}

// One corruption's answer; its bounds are added to the result's segments.
v1::GateOutcome Judge(const std::string& id, const Kind& kind, double alpha,
                      const v1::CorruptionGate& limits, v1::GateResult& result) {
  const auto n = static_cast<uint64_t>(kind.clips.size());
  for (const auto& [severity, cell] : kind.severities) {
    v1::SegmentBound& bound = *result.add_segments();
    bound.set_tag(absl::StrFormat("%s/%d", id, severity));
    bound.set_n(cell.agreeing.size());
    bound.set_value(cell.mean());
    bound.set_lower(LowerBound(cell.passed, cell.agreeing.size(), alpha));
    bound.set_upper(UpperBound(cell.passed, cell.agreeing.size(), alpha));
    bound.set_outcome(v1::PASS);
    if (severity != kFloorSeverity) continue;
    bound.set_limit(limits.floor_at_3());
    if (bound.lower() >= limits.floor_at_3()) continue;
    const bool hopeless = LowerBound(bound.n(), bound.n(), alpha) >= limits.floor_at_3();
    bound.set_outcome(hopeless ? v1::FAIL : v1::INSUFFICIENT);
  }
  const double silent = UpperBound(kind.silent.size(), n, alpha);
  v1::SegmentBound& bound = *result.add_segments();
  bound.set_tag(id + "/silent");
  bound.set_n(n);
  bound.set_value(n == 0 ? 0 : static_cast<double>(kind.silent.size()) / static_cast<double>(n));
  bound.set_upper(silent);
  bound.set_limit(limits.max_silent_wrong());
  const bool enough = UpperBound(0, n, alpha) <= limits.max_silent_wrong();
  bound.set_outcome(silent <= limits.max_silent_wrong() ? v1::PASS
                    : enough                            ? v1::FAIL
                                                        : v1::INSUFFICIENT);
  v1::GateOutcome outcome = v1::PASS;
  for (const v1::SegmentBound& segment : result.segments()) {
    if (segment.tag().rfind(id + "/", 0) != 0 || segment.outcome() == v1::PASS) continue;
    if (outcome != v1::FAIL) outcome = segment.outcome();
  }
  return outcome;
}

bool Rises(const Kind& kind) {
  double least = 1;
  for (const auto& [severity, cell] : kind.severities) {
    if (cell.mean() > least + kNoise) return true;
    least = std::min(least, cell.mean());
  }
  return false;
}

void Explain(const std::string& id, const Kind& kind, v1::GateOutcome outcome,
             v1::GateResult& result) {
  std::string curve;
  for (const auto& [severity, cell] : kind.severities)
    curve += absl::StrFormat("%s%.2f", curve.empty() ? "" : " ", cell.mean());
  v1::Finding& finding = *result.add_findings();
  finding.set_segment(id);
  finding.set_message(
      absl::StrFormat("%s %s: agreement by severity %s; silently wrong on %d of %s%s", id,
                      outcome == v1::FAIL ? "below what is wanted" : "too few clips", curve,
                      kind.silent.size(), agent::base::Counted(kind.clips.size(), "clip"),
                      Rises(kind) ? "; rises with more corruption" : ""));
}

}  // namespace

v1::GateResult JudgeCorruption(const Evidence& evidence) {
  v1::GateResult result;
  const v1::CorruptionGate& limits = evidence.suite.corruption();
  const std::map<std::string, Kind> kinds = Sort(evidence, result);
  bool failed = result.findings_size() > 0;
  bool enough = !kinds.empty();
  const double alpha =
      evidence.suite.alpha() / static_cast<double>(std::max<size_t>(1, kinds.size()));
  double worst = 1;
  size_t clips = 0;
  int rises = 0;
  for (const auto& [id, kind] : kinds) {
    const v1::GateOutcome outcome = Judge(id, kind, alpha, limits, result);
    failed = failed || outcome == v1::FAIL;
    enough = enough && outcome == v1::PASS && kind.clips.size() >= limits.clips();
    if (outcome != v1::PASS) Explain(id, kind, outcome, result);
    rises += Rises(kind) ? 1 : 0;
    clips = std::max(clips, kind.clips.size());
    const auto at_floor = kind.severities.find(kFloorSeverity);
    if (at_floor == kind.severities.end()) continue;
    worst = std::min(worst,
                     LowerBound(at_floor->second.passed, at_floor->second.agreeing.size(), alpha));
  }
  if (kinds.empty()) worst = 0;
  result.set_n(evidence.corruption_runs.size());
  result.set_n_eff(static_cast<double>(clips));
  result.set_alpha(alpha);
  result.set_bound(worst);
  result.set_limit(limits.floor_at_3());
  result.set_margin(worst - limits.floor_at_3());
  result.set_outcome(failed ? v1::FAIL : enough ? v1::PASS : v1::INSUFFICIENT);
  result.set_summary(kinds.empty()
                         ? std::string("no clip could be scored under any corruption that fits the "
                                       "unit's inputs")
                         : absl::StrFormat("%s on %d of %s: least lower bound at "
                                           "severity 3 %.3f, wanted %.2f; %d curves rise",
                                           agent::base::Counted(kinds.size(), "corruption"), clips,
                                           agent::base::Counted(limits.clips(), "clip"), worst,
                                           limits.floor_at_3(), rises));
  return result;
}

}  // namespace gatekeeper::gates
