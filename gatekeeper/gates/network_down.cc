#include <algorithm>
#include <cmath>
#include <optional>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/fault_judgement.h"
#include "gatekeeper/gates/gate.h"

// The link to the gatekeeper is cut in the middle of a drive. The rule for it must fire, and the
// robot must go on getting commands from what it has on board.

namespace gatekeeper::gates {
namespace {

constexpr char kTrigger[] = "network_down";

const v1::Trigger* RuleFor(const v1::FallbackRules& rules) {
  for (const v1::Trigger& trigger : rules.triggers()) {
    if (trigger.id() == kTrigger) return &trigger;
  }
  return nullptr;
}

uint32_t RankOf(const v1::FallbackRules& rules, const std::string& state) {
  const auto found = rules.states().find(state);
  return found == rules.states().end() ? 0 : found->second.rank();
}

// First tick after the onset without a whole, finite command.
const v1::TickRecord* Speechless(const FaultRun& run, int fields) {
  for (const v1::TickRecord& tick : run.replay.ticks) {
    if (tick.now_ns() < run.planned.fault.onset_ns) continue;
    const bool finite = std::all_of(tick.enforced().begin(), tick.enforced().end(),
                                    [](double value) { return std::isfinite(value); });
    if (tick.enforced_size() != fields || !finite) return &tick;
  }
  return nullptr;
}

// First tick on which the rule is active but the state is less restrictive than the rule demands.
const v1::TickRecord* Disobedient(const FaultRun& run, const v1::Trigger& rule,
                                  const v1::FallbackRules& rules) {
  for (const v1::TickRecord& tick : run.replay.ticks) {
    const auto& active = tick.triggers();
    if (std::find(active.begin(), active.end(), kTrigger) == active.end()) continue;
    if (RankOf(rules, tick.state()) < RankOf(rules, rule.to())) return &tick;
  }
  return nullptr;
}

std::optional<v1::Finding> Judge(const FaultRun& run, const v1::Trigger& rule,
                                 const Evidence& evidence) {
  if (!run.replay.status.ok() || run.replay.ticks.empty()) {
    return FaultFinding(run, "the replay ended: " + std::string(run.replay.status.message()));
  }
  const double limit_ms = rule.after_ms() + evidence.suite.faults().detect_within_ms();
  const Reaction reaction = ReactionOf(run, kTrigger, evidence.fallback);
  if (!reaction.detected_ms.has_value() || *reaction.detected_ms > limit_ms) {
    return FaultFinding(run, absl::StrFormat("the link went down: trigger %s came %s (limit %g ms)",
                                             kTrigger, InWords(reaction.detected_ms), limit_ms));
  }
  const int fields = evidence.policy.command().fields_size();
  if (const v1::TickRecord* tick = Speechless(run, fields); tick != nullptr) {
    v1::Finding finding =
        FindingAt(run.replay, tick->now_ns(), "without the link the robot got no command");
    finding.set_segment(run.planned.id);
    return finding;
  }
  if (const v1::TickRecord* tick = Disobedient(run, rule, evidence.fallback); tick != nullptr) {
    v1::Finding finding =
        FindingAt(run.replay, tick->now_ns(),
                  absl::StrFormat("state %s is less restrictive than %s, which the rule demands",
                                  tick->state(), rule.to()));
    finding.set_segment(run.planned.id);
    return finding;
  }
  return std::nullopt;
}

}  // namespace

v1::GateResult JudgeNetworkDown(const Evidence& evidence) {
  v1::GateResult result;
  result.set_n(evidence.network_runs.size());
  const v1::Trigger* rule = RuleFor(evidence.fallback);
  if (rule == nullptr) {
    result.set_outcome(v1::FAIL);
    result.set_summary(absl::StrFormat("the fallback rules have no trigger %s", kTrigger));
    return result;
  }
  double slowest_ms = 0;
  for (const FaultRun& run : evidence.network_runs) {
    const Reaction reaction = ReactionOf(run, kTrigger, evidence.fallback);
    slowest_ms = std::max(slowest_ms, reaction.detected_ms.value_or(0));
    const auto finding = Judge(run, *rule, evidence);
    if (finding.has_value()) *result.add_findings() = *finding;
  }
  result.set_value(slowest_ms);
  result.set_limit(rule->after_ms() + evidence.suite.faults().detect_within_ms());
  const bool enough = evidence.network_runs.size() >= evidence.suite.faults().clips();
  result.set_outcome(result.findings_size() > 0 ? v1::FAIL : enough ? v1::PASS : v1::INSUFFICIENT);
  result.set_summary(
      absl::StrFormat("%d of %d drives with a cut link went wrong (%d are wanted); slowest trigger "
                      "%.0f ms (limit %g)",
                      result.findings_size(), evidence.network_runs.size(),
                      evidence.suite.faults().clips(), slowest_ms, result.limit()));
  return result;
}

}  // namespace gatekeeper::gates
