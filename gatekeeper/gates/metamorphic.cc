#include <algorithm>
#include <map>
#include <string>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/statistics.h"

// Changes of the world whose effect is known without knowing the right command. Exact relations
// (what the policy enforces) may never be violated; of soft ones (what the model asks for) a clip
// holds when as many of its ticks do as must agree with a recording, and few clips may not.

namespace gatekeeper::gates {
namespace {

struct RelationTally {
  bool exact = false;
  uint64_t clips = 0;
  uint64_t violated = 0;
};

bool Holds(const RelationRun& run, const v1::GateSuite& suite) {
  if (run.planned.rule->exact) return run.check.worst() <= 1;
  return 1 - run.check.share() >= suite.agreement().clip_pass_fraction();
}

// Adds the relation's bound to the result.
v1::GateOutcome Judge(const std::string& id, const RelationTally& tally, double alpha,
                      const v1::MetamorphicGate& limits, v1::GateResult& result) {
  v1::SegmentBound& bound = *result.add_segments();
  bound.set_tag(id);
  bound.set_n(tally.clips);
  bound.set_value(tally.clips == 0
                      ? 0
                      : static_cast<double>(tally.violated) / static_cast<double>(tally.clips));
  bound.set_upper(UpperBound(tally.violated, tally.clips, alpha));
  bound.set_limit(tally.exact ? 0 : limits.max_soft_violations());
  bound.set_outcome(v1::PASS);
  if (tally.exact) {
    if (tally.violated > 0) bound.set_outcome(v1::FAIL);
  } else if (bound.upper() > limits.max_soft_violations()) {
    const bool enough = UpperBound(0, tally.clips, alpha) <= limits.max_soft_violations();
    bound.set_outcome(enough ? v1::FAIL : v1::INSUFFICIENT);
  }
  return bound.outcome();
}

}  // namespace

v1::GateResult JudgeMetamorphic(const Evidence& evidence) {
  v1::GateResult result;
  const v1::MetamorphicGate& limits = evidence.suite.metamorphic();
  std::map<std::string, RelationTally> tallies;
  bool failed = false;
  for (const RelationRun& run : evidence.relation_runs) {
    RelationTally& tally = tallies[run.planned.rule->id];
    tally.exact = run.planned.rule->exact;
    ++tally.clips;
    const bool broken = !run.check.error().empty();
    failed = failed || broken;
    if (!broken && Holds(run, evidence.suite)) continue;
    ++tally.violated;
    const Replay& replay = evidence.replays[run.planned.scenario];
    v1::Finding& finding = *result.add_findings() = FindingAt(
        replay, broken ? replay.first_ns : run.check.worst_ns(),
        broken ? "could not be compared: " + run.check.error()
               : absl::StrFormat("%.1f%% of %d ticks violate it; worst here: %s",
                                 100 * run.check.share(), run.check.ticks(), run.check.found()));
    finding.set_segment(run.planned.rule->id);
  }
  uint64_t soft = 0;
  for (const auto& [id, tally] : tallies) soft += tally.exact ? 0 : 1;
  const double alpha = evidence.suite.alpha() / static_cast<double>(std::max<uint64_t>(1, soft));
  bool enough = !tallies.empty();
  double worst = 0;
  for (const auto& [id, tally] : tallies) {
    const v1::GateOutcome outcome = Judge(id, tally, alpha, limits, result);
    failed = failed || outcome == v1::FAIL;
    enough = enough && outcome == v1::PASS && tally.clips >= limits.clips();
    if (!tally.exact) worst = std::max(worst, result.segments().rbegin()->upper());
  }
  result.set_n(evidence.relation_runs.size());
  result.set_n_eff(tallies.empty() ? 0 : static_cast<double>(tallies.begin()->second.clips));
  result.set_alpha(alpha);
  result.set_bound(worst);
  result.set_limit(limits.max_soft_violations());
  result.set_margin(limits.max_soft_violations() - worst);
  result.set_outcome(failed ? v1::FAIL : enough ? v1::PASS : v1::INSUFFICIENT);
  result.set_summary(absl::StrFormat(
      "%s on %s: %s; worst upper bound of a soft one %.3f, limit %.2f",
      agent::base::Counted(tallies.size(), "relation"),
      agent::base::Counted(limits.clips(), "clip"),
      agent::base::Counted(static_cast<uint64_t>(result.findings_size()), "violation"), worst,
      limits.max_soft_violations()));
  return result;
}

}  // namespace gatekeeper::gates
