#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/statistics.h"

// Changes of the world whose effect is known without knowing the right command. Exact relations
// (what the policy enforces) may never be violated; of soft ones (what the model asks for) a clip
// holds when as many of its ticks do as must agree with a recording, and few clips may not.

namespace gatekeeper::gates {
namespace {

struct RelationTally {
  bool exact = false;
  FailingShare share;  // of recordings, that violate it
  v1::GateOutcome outcome = v1::PASS;
};

bool Holds(const RelationRun& run, const v1::GateSuite& suite) {
  if (!run.check.error().empty()) return false;
  if (run.planned.rule->exact) return run.check.worst() <= 1;
  return 1 - run.check.share() >= suite.agreement().clip_pass_fraction();
}

v1::Finding Violation(const RelationRun& run, const Evidence& evidence) {
  const Replay& replay = evidence.replays[run.planned.scenario];
  const bool broken = !run.check.error().empty();
  v1::Finding finding = FindingAt(
      replay, broken ? replay.first_ns : run.check.worst_ns(),
      broken ? "could not be compared: " + run.check.error()
             : absl::StrFormat("%.1f%% of %d ticks violate it; worst here: %s",
                               100 * run.check.share(), run.check.ticks(), run.check.found()));
  finding.set_segment(run.planned.rule->id);
  return finding;
}

// Those of relations that do not hold come first: they are what has to be looked at.
void AddViolations(const Evidence& evidence, const std::map<std::string, RelationTally>& tallies,
                   v1::GateResult& result) {
  for (const bool decides : {true, false}) {
    for (const RelationRun& run : evidence.relation_runs) {
      if (Holds(run, evidence.suite)) continue;
      const bool fails = tallies.at(run.planned.rule->id).outcome == v1::FAIL;
      if (fails == decides) *result.add_findings() = Violation(run, evidence);
    }
  }
}

// Adds the relation's bound to the result.
v1::GateOutcome Judge(const std::string& id, const RelationTally& tally, double alpha,
                      const v1::MetamorphicGate& limits, v1::GateResult& result) {
  v1::SegmentBound& bound = *result.add_segments();
  bound.set_tag(id);
  const uint64_t n = tally.share.recordings();
  const uint64_t violated = tally.share.failed();
  bound.set_n(n);
  bound.set_value(n == 0 ? 0 : static_cast<double>(violated) / static_cast<double>(n));
  bound.set_upper(UpperBound(violated, n, alpha));
  bound.set_limit(tally.exact ? 0 : limits.max_soft_violations());
  bound.set_outcome(v1::PASS);
  if (tally.exact) {
    if (violated > 0) bound.set_outcome(v1::FAIL);
  } else if (bound.upper() > limits.max_soft_violations()) {
    const bool enough = UpperBound(0, n, alpha) <= limits.max_soft_violations();
    bound.set_outcome(enough ? v1::FAIL : v1::INSUFFICIENT);
  }
  return bound.outcome();
}

// An exact relation that is violated, else the soft one with the highest bound.
v1::SegmentBound Deciding(const std::map<std::string, RelationTally>& tallies,
                          const v1::GateResult& result) {
  v1::SegmentBound deciding;
  for (const v1::SegmentBound& row : result.segments()) {
    const RelationTally& tally = tallies.at(row.tag());
    if (tally.exact && tally.share.failed() > 0) return row;
    if (!tally.exact && row.upper() >= deciding.upper()) deciding = row;
  }
  return deciding;
}

}  // namespace

std::vector<size_t> ViolatedRelations(const Evidence& evidence) {
  std::map<std::string, size_t> shown;  // by relation
  std::vector<size_t> violated;
  for (size_t i = 0; i < evidence.relation_runs.size(); ++i) {
    const RelationRun& run = evidence.relation_runs[i];
    if (!Holds(run, evidence.suite) && shown[run.planned.rule->id]++ < kMostShown)
      violated.push_back(i);
  }
  return violated;
}

v1::GateResult JudgeMetamorphic(const Evidence& evidence) {
  v1::GateResult result;
  const v1::MetamorphicGate& limits = evidence.suite.metamorphic();
  std::map<std::string, RelationTally> tallies;
  bool failed = false;
  for (const RelationRun& run : evidence.relation_runs) {
    RelationTally& tally = tallies[run.planned.rule->id];
    tally.exact = run.planned.rule->exact;
    failed = failed || !run.check.error().empty();
    tally.share.Add(evidence.replays[run.planned.scenario], !Holds(run, evidence.suite));
  }
  uint64_t soft = 0;
  for (const auto& [id, tally] : tallies) soft += tally.exact ? 0 : 1;
  const double alpha = evidence.suite.alpha() / static_cast<double>(std::max<uint64_t>(1, soft));
  bool enough = !tallies.empty();
  double worst = 0;
  for (auto& [id, tally] : tallies) {
    tally.outcome = Judge(id, tally, alpha, limits, result);
    failed = failed || tally.outcome == v1::FAIL;
    enough = enough && tally.outcome == v1::PASS && tally.share.recordings() >= limits.clips();
    if (!tally.exact) worst = std::max(worst, result.segments().rbegin()->upper());
  }
  AddViolations(evidence, tallies, result);
  result.set_n(evidence.relation_runs.size());
  result.set_n_eff(
      tallies.empty() ? 0 : static_cast<double>(tallies.begin()->second.share.recordings()));
  const v1::SegmentBound decides = Deciding(tallies, result);
  result.set_alpha(alpha);
  result.set_value(decides.value());
  result.set_bound(decides.upper());
  result.set_limit(decides.limit());
  result.set_margin(decides.limit() - decides.upper());
  result.set_outcome(failed ? v1::FAIL : enough ? v1::PASS : v1::INSUFFICIENT);
  result.set_summary(absl::StrFormat(
      "%s on %s: %s; worst upper bound of a soft one %.3f, limit %.2f",
      agent::base::Counted(tallies.size(), "relation"),
      agent::base::Counted(limits.clips(), "recording"),
      agent::base::Counted(static_cast<uint64_t>(result.findings_size()), "violation"), worst,
      limits.max_soft_violations()));
  return result;
}

}  // namespace gatekeeper::gates
