#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/fault_judgement.h"
#include "gatekeeper/gates/gate.h"

// Each required channel falls silent in the middle of a drive: the trigger that the policy declares
// for it must come in time, and the robot must reach a minimal risk condition in time.

namespace gatekeeper::gates {
namespace {

bool Within(const std::optional<double>& ms, double limit_ms) {
  return ms.has_value() && *ms <= limit_ms;
}

// What never came within what was watched took at least that long.
double AtLeastMs(const std::optional<double>& ms, const FaultRun& run) {
  const Fault& fault = run.planned.fault;
  return ms.value_or(static_cast<double>(fault.until_ns - fault.onset_ns) * 1e-6);
}

// Of the two limits the one that is nearer, or further exceeded.
WorstSeen Nearer(double slowest_ms, double latest_safe_ms, const v1::FaultGate& limits) {
  const WorstSeen detect{.value = slowest_ms,
                         .limit = limits.detect_within_ms(),
                         .margin = limits.detect_within_ms() - slowest_ms};
  const WorstSeen safe{.value = latest_safe_ms,
                       .limit = limits.safe_within_ms(),
                       .margin = limits.safe_within_ms() - latest_safe_ms};
  return detect.margin <= safe.margin ? detect : safe;
}

}  // namespace

v1::GateResult JudgeStaleInput(const Evidence& evidence) {
  const v1::FaultGate& limits = evidence.suite.faults();
  v1::GateResult result;
  std::map<std::string, std::set<std::string>> recordings;  // by channel
  for (const auto& [channel, rule] : evidence.policy.inputs()) {
    if (rule.required()) recordings[channel] = {};
  }
  double slowest_ms = 0;
  double latest_safe_ms = 0;
  FailingShare share;
  for (const FaultRun& run : evidence.stale_runs) {
    const std::string& channel = run.planned.fault.channel;
    const auto rule = evidence.policy.inputs().find(channel);
    if (rule == evidence.policy.inputs().end()) continue;
    recordings[channel].insert(RecordingOf(run.replay));
    const std::string& trigger = rule->second.trigger();
    const Reaction reaction = ReactionOf(run, trigger, evidence.fallback);
    slowest_ms = std::max(slowest_ms, AtLeastMs(reaction.detected_ms, run));
    latest_safe_ms = std::max(latest_safe_ms, AtLeastMs(reaction.safe_ms, run));
    const bool holds = Within(reaction.detected_ms, limits.detect_within_ms()) &&
                       Within(reaction.safe_ms, limits.safe_within_ms());
    share.Add(run.replay, !holds);
    if (holds) continue;
    *result.add_findings() = FaultFinding(
        run, absl::StrFormat(
                 "%s fell silent: trigger %s came %s (limit %g ms), minimal risk condition %s "
                 "(limit %g ms)",
                 channel, trigger, InWords(reaction.detected_ms), limits.detect_within_ms(),
                 InWords(reaction.safe_ms), limits.safe_within_ms()));
  }
  bool enough = !recordings.empty();
  const int failures = result.findings_size();
  for (const auto& [channel, silenced] : recordings) {
    if (silenced.size() >= limits.clips()) continue;
    enough = false;
    result.add_findings()->set_message(
        absl::StrFormat("channel %s could be silenced in %s, %d are wanted", channel,
                        agent::base::Counted(silenced.size(), "recording"), limits.clips()));
  }
  result.set_n(evidence.stale_runs.size());
  if (share.recordings() > 0)
    DecideByWorst(Nearer(slowest_ms, latest_safe_ms, limits), share, evidence.suite.alpha(),
                  result);
  result.set_outcome(failures > 0 ? v1::FAIL : enough ? v1::PASS : v1::INSUFFICIENT);
  result.set_summary(
      absl::StrFormat("%d of %d silenced channels were handled wrongly; slowest trigger %.0f ms "
                      "(limit %g), latest minimal risk condition %.0f ms (limit %g); %s",
                      failures, evidence.stale_runs.size(), slowest_ms, limits.detect_within_ms(),
                      latest_safe_ms, limits.safe_within_ms(), share.Text(evidence.suite.alpha())));
  return result;
}

}  // namespace gatekeeper::gates
