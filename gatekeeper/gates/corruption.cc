#include "gatekeeper/faults/corruption.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/failing_share.h"
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
  FailingShare wrong;            // by recording
  uint64_t passed() const { return wrong.recordings() - wrong.failed(); }
  double mean() const {
    double sum = 0;
    for (const double share : agreeing) sum += share;
    return agreeing.empty() ? 0 : sum / static_cast<double>(agreeing.size());
  }
};

struct Kind {
  std::map<int, SeverityCell> severities;
  // Recordings of which a clip was wrong without a trigger at severity 4 or 5.
  FailingShare silence;
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

// What one drive of a corrupted recording shows.
enum class Shown { kNothing, kUnsafe, kRight, kWrong, kSilentlyWrong };

Shown ShownBy(const HurtRun& run, const Evidence& evidence) {
  if (!run.drive.error().empty() || !run.drive.unsafe().empty()) return Shown::kUnsafe;
  if (std::isnan(run.drive.agreeing())) return Shown::kNothing;  // nobody recorded what was right
  if (run.drive.agreeing() >= evidence.suite.agreement().clip_pass_fraction()) return Shown::kRight;
  const bool told = run.planned.fault.spec.severity <= kFloorSeverity ||
                    RaisesMoreThan(run.drive, evidence.replays[run.planned.scenario]);
  return told ? Shown::kWrong : Shown::kSilentlyWrong;
}

std::map<std::string, Kind> Sort(const Evidence& evidence, v1::GateResult& result) {
  std::map<std::string, Kind> kinds;
  for (const HurtRun& run : evidence.corruption_runs) {
    const Replay& clean = evidence.replays[run.planned.scenario];
    const Shown shown = ShownBy(run, evidence);
    if (shown == Shown::kUnsafe) {
      v1::Finding& finding = *result.add_findings() =
          FindingAt(clean, run.drive.unsafe().empty() ? clean.first_ns : run.drive.unsafe_ns(),
                    run.drive.error().empty() ? "unsafe: " + run.drive.unsafe()
                                              : "the drive ended: " + run.drive.error());
      finding.set_segment(run.planned.id);
      continue;
    }
    if (shown == Shown::kNothing) continue;
    const faults::Spec& spec = run.planned.fault.spec;
    Kind& kind = kinds[spec.id];
    SeverityCell& cell = kind.severities[spec.severity];
    cell.agreeing.push_back(run.drive.agreeing());
    cell.wrong.Add(clean, shown != Shown::kRight);
    kind.silence.Add(clean, shown == Shown::kSilentlyWrong);
  }
  return kinds;
}

// One corruption's answer; its bounds are added to the result's segments.
v1::GateOutcome Judge(const std::string& id, const Kind& kind, double alpha,
                      const v1::CorruptionGate& limits, v1::GateResult& result) {
  const uint64_t n = kind.silence.recordings();
  for (const auto& [severity, cell] : kind.severities) {
    v1::SegmentBound& bound = *result.add_segments();
    bound.set_tag(absl::StrFormat("%s/%d", id, severity));
    bound.set_n(cell.wrong.recordings());
    bound.set_value(cell.mean());
    bound.set_lower(LowerBound(cell.passed(), bound.n(), alpha));
    bound.set_upper(UpperBound(cell.passed(), bound.n(), alpha));
    bound.set_outcome(v1::PASS);
    if (severity != kFloorSeverity) continue;
    bound.set_limit(limits.floor_at_3());
    if (bound.lower() >= limits.floor_at_3()) continue;
    const bool hopeless = LowerBound(bound.n(), bound.n(), alpha) >= limits.floor_at_3();
    bound.set_outcome(hopeless ? v1::FAIL : v1::INSUFFICIENT);
  }
  const uint64_t silently = kind.silence.failed();
  const double silent = UpperBound(silently, n, alpha);
  v1::SegmentBound& bound = *result.add_segments();
  bound.set_tag(id + "/silent");
  bound.set_n(n);
  bound.set_value(n == 0 ? 0 : static_cast<double>(silently) / static_cast<double>(n));
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
  finding.set_message(absl::StrFormat(
      "%s %s: agreement by severity %s; silently wrong on %d of %s%s", id,
      outcome == v1::FAIL ? "below what is wanted" : "too few recordings", curve,
      kind.silence.failed(), agent::base::Counted(kind.silence.recordings(), "recording"),
      Rises(kind) ? "; rises with more corruption" : ""));
}

// Of every kind the first drive that is wrong where the floor is asked, and the first that is
// silently wrong.
std::vector<size_t> FirstWrong(const Evidence& evidence) {
  std::set<std::pair<std::string, Shown>> known;
  std::vector<size_t> wrong;
  for (size_t i = 0; i < evidence.corruption_runs.size(); ++i) {
    const HurtRun& run = evidence.corruption_runs[i];
    const Shown shown = ShownBy(run, evidence);
    const faults::Spec& spec = run.planned.fault.spec;
    const bool at_floor = shown == Shown::kWrong && spec.severity == kFloorSeverity;
    if (!at_floor && shown != Shown::kSilentlyWrong) continue;
    if (known.insert({spec.id, shown}).second) wrong.push_back(i);
  }
  return wrong;
}

bool RowHolds(const std::string& tag, const v1::GateResult& result) {
  return std::any_of(result.segments().begin(), result.segments().end(), [&](const auto& row) {
    return row.tag() == tag && row.outcome() == v1::PASS;
  });
}

// The clips to look at of a kind that does not hold, at the second that is furthest off.
void AddExamples(const std::string& id, const Evidence& evidence, v1::GateResult& result) {
  for (const size_t i : FirstWrong(evidence)) {
    const HurtRun& run = evidence.corruption_runs[i];
    const bool silent = ShownBy(run, evidence) == Shown::kSilentlyWrong;
    if (run.planned.fault.spec.id != id) continue;
    if (RowHolds(silent ? id + "/silent" : run.planned.id, result)) continue;
    const Replay& clean = evidence.replays[run.planned.scenario];
    v1::Finding& finding = *result.add_findings() = FindingAt(clean, clean.first_ns, "");
    finding.set_segment(run.planned.id);
    std::string message =
        absl::StrFormat("%.1f%% of the ticks agree, wanted %.1f%%%s", 100 * run.drive.agreeing(),
                        100 * evidence.suite.agreement().clip_pass_fraction(),
                        silent ? ", and nothing is noticed" : "");
    if (const FailingDrive* drive = FindFailing(evidence, "corruption", finding)) {
      TickScore worst;
      for (const TickScore& score :
           ScoreTicks(drive->replay, evidence.policy, evidence.suite.agreement())) {
        if (worst.field.empty() || score.deviation > worst.deviation) worst = score;
      }
      if (!worst.field.empty()) {
        finding.set_at_s(clean.Second(drive->replay.ticks[worst.tick].now_ns()));
        message += absl::StrFormat("; worst here: %s %.3f, recorded %.3f", worst.field, worst.found,
                                   worst.wanted);
      }
    }
    finding.set_message(message);
  }
}

}  // namespace

std::vector<size_t> WrongCorrupted(const Evidence& evidence) {
  std::vector<size_t> wrong;
  for (size_t i = 0; i < evidence.corruption_runs.size() && wrong.size() < kMostShown; ++i) {
    if (ShownBy(evidence.corruption_runs[i], evidence) == Shown::kUnsafe) wrong.push_back(i);
  }
  const std::vector<size_t> first = FirstWrong(evidence);
  wrong.insert(wrong.end(), first.begin(), first.end());
  return wrong;
}

v1::GateResult JudgeCorruption(const Evidence& evidence) {
  v1::GateResult result;
  const v1::CorruptionGate& limits = evidence.suite.corruption();
  const std::map<std::string, Kind> kinds = Sort(evidence, result);
  bool failed = result.findings_size() > 0;
  bool enough = !kinds.empty();
  const double alpha =
      evidence.suite.alpha() / static_cast<double>(std::max<size_t>(1, kinds.size()));
  double worst = 1;
  uint64_t recordings = 0;
  int rises = 0;
  for (const auto& [id, kind] : kinds) {
    const v1::GateOutcome outcome = Judge(id, kind, alpha, limits, result);
    failed = failed || outcome == v1::FAIL;
    enough = enough && outcome == v1::PASS && kind.silence.recordings() >= limits.clips();
    if (outcome != v1::PASS) {
      Explain(id, kind, outcome, result);
      AddExamples(id, evidence, result);
    }
    rises += Rises(kind) ? 1 : 0;
    recordings = std::max(recordings, kind.silence.recordings());
    const auto at_floor = kind.severities.find(kFloorSeverity);
    if (at_floor == kind.severities.end()) continue;
    const SeverityCell& cell = at_floor->second;
    const uint64_t n = cell.wrong.recordings();
    const double lower = LowerBound(cell.passed(), n, alpha);
    if (lower > worst) continue;
    worst = lower;
    result.set_value(static_cast<double>(cell.passed()) / static_cast<double>(n));
  }
  if (kinds.empty()) worst = 0;
  result.set_n(evidence.corruption_runs.size());
  result.set_n_eff(static_cast<double>(recordings));
  result.set_alpha(alpha);
  result.set_bound(worst);
  result.set_limit(limits.floor_at_3());
  result.set_margin(worst - limits.floor_at_3());
  result.set_outcome(failed ? v1::FAIL : enough ? v1::PASS : v1::INSUFFICIENT);
  result.set_summary(
      kinds.empty() ? std::string("no clip could be scored under any corruption that fits the "
                                  "unit's inputs")
                    : absl::StrFormat("%s on %d of %s: least lower bound at "
                                      "severity 3 %.3f, wanted %.2f; %d curves rise",
                                      agent::base::Counted(kinds.size(), "corruption"), recordings,
                                      agent::base::Counted(limits.clips(), "recording"), worst,
                                      limits.floor_at_3(), rises));
  return result;
}

}  // namespace gatekeeper::gates
