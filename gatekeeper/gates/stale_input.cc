#include <algorithm>
#include <map>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/fault_judgement.h"
#include "gatekeeper/gates/gate.h"

// Each required channel falls silent in the middle of a drive: the trigger that the policy declares
// for it must come in time, and the robot must reach a minimal risk condition in time.

namespace gatekeeper::gates {
namespace {

bool Within(const std::optional<double>& ms, double limit_ms) {
  return ms.has_value() && *ms <= limit_ms;
}

}  // namespace

v1::GateResult JudgeStaleInput(const Evidence& evidence) {
  const v1::FaultGate& limits = evidence.suite.faults();
  v1::GateResult result;
  std::map<std::string, uint32_t> clips;  // by channel
  for (const auto& [channel, rule] : evidence.policy.inputs()) {
    if (rule.required()) clips[channel] = 0;
  }
  double slowest_ms = 0;
  double latest_safe_ms = 0;
  for (const FaultRun& run : evidence.stale_runs) {
    const std::string& channel = run.planned.fault.channel;
    const auto rule = evidence.policy.inputs().find(channel);
    if (rule == evidence.policy.inputs().end()) continue;
    ++clips[channel];
    const std::string& trigger = rule->second.trigger();
    const Reaction reaction = ReactionOf(run, trigger, evidence.fallback);
    slowest_ms = std::max(slowest_ms, reaction.detected_ms.value_or(0));
    latest_safe_ms = std::max(latest_safe_ms, reaction.safe_ms.value_or(0));
    if (Within(reaction.detected_ms, limits.detect_within_ms()) &&
        Within(reaction.safe_ms, limits.safe_within_ms())) {
      continue;
    }
    *result.add_findings() = FaultFinding(
        run, absl::StrFormat(
                 "%s fell silent: trigger %s came %s (limit %g ms), minimal risk condition %s "
                 "(limit %g ms)",
                 channel, trigger, InWords(reaction.detected_ms), limits.detect_within_ms(),
                 InWords(reaction.safe_ms), limits.safe_within_ms()));
  }
  bool enough = !clips.empty();
  const int failures = result.findings_size();
  for (const auto& [channel, count] : clips) {
    if (count >= limits.clips()) continue;
    enough = false;
    result.add_findings()->set_message(
        absl::StrFormat("channel %s could be silenced in %s, %d are wanted", channel,
                        agent::base::Counted(count, "recording"), limits.clips()));
  }
  result.set_n(evidence.stale_runs.size());
  result.set_value(slowest_ms);
  result.set_bound(latest_safe_ms);
  result.set_limit(limits.detect_within_ms());
  result.set_outcome(failures > 0 ? v1::FAIL : enough ? v1::PASS : v1::INSUFFICIENT);
  result.set_summary(
      absl::StrFormat("%d of %d silenced channels were handled wrongly; slowest trigger %.0f ms "
                      "(limit %g), latest minimal "
                      "risk condition %.0f ms (limit %g)",
                      failures, evidence.stale_runs.size(), slowest_ms, limits.detect_within_ms(),
                      latest_safe_ms, limits.safe_within_ms()));
  return result;
}

}  // namespace gatekeeper::gates
