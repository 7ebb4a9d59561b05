#include "gatekeeper/gates/fault_judgement.h"

#include <algorithm>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/gate.h"

namespace gatekeeper::gates {

Reaction ReactionOf(const FaultRun& run, const std::string& trigger,
                    const v1::FallbackRules& rules) {
  Reaction reaction;
  for (const v1::TickRecord& tick : run.replay.ticks) {
    const int64_t since = tick.now_ns() - run.planned.fault.onset_ns;
    if (since < 0) continue;
    const double ms = static_cast<double>(since) * 1e-6;
    const auto& triggers = tick.triggers();
    if (!reaction.detected_ms &&
        std::find(triggers.begin(), triggers.end(), trigger) != triggers.end()) {
      reaction.detected_ms = ms;
    }
    const auto state = rules.states().find(tick.state());
    const bool safe = state != rules.states().end() && state->second.minimal_risk_condition();
    if (!reaction.safe_ms && safe) reaction.safe_ms = ms;
  }
  return reaction;
}

std::string InWords(const std::optional<double>& ms) {
  return ms.has_value() ? absl::StrFormat("after %.0f ms", *ms) : "never";
}

v1::Finding FaultFinding(const FaultRun& run, const std::string& message) {
  v1::Finding finding = FindingAt(run.replay, run.planned.fault.onset_ns, message);
  finding.set_segment(run.planned.id);
  return finding;
}

}  // namespace gatekeeper::gates
