#include <chrono>
#include <cstdint>
#include <set>
#include <string>

#include "agent/base/clock.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/fallback_compiler.h"
#include "agent/runtime/fallback_graph.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"

// The part of the FallbackCompiler that knows what a person must do, and what holds afterwards.

namespace agent::runtime {

namespace v1 = ::gatekeeper::v1;

absl::Status FallbackCompiler::FlapPart() {
  const v1::Flap& flap = document_.flap();
  ASSIGN_OR_RETURN(rules_.flap_.window,
                   LongS("flap.window_s", flap.window_s(), base::Seconds(policy_.command().period),
                         "flapping must end in a safe stop"));
  if (flap.max_transitions() == 0 || flap.max_transitions() >= kMaxFlapTransitions) {
    return Wrong("flap.max_transitions", "must be 1 to %d, is %d", kMaxFlapTransitions - 1,
                 flap.max_transitions());
  }
  rules_.flap_.max_transitions = flap.max_transitions();
  ASSIGN_OR_RETURN(rules_.flap_.to, Named("flap.to", flap.to()));
  const StateRule& rest = rules_.states_[rules_.flap_.to];
  if (!rest.minimal_risk || rest.persistent_latch) {
    return Wrong("flap.to", "must be a minimal risk condition without a latch, '%s' is not",
                 flap.to());
  }
  return absl::OkStatus();
}

// A window that is over before what clears the soonest has been raised so often counts nothing.
// Every episode of it waits, is quiet, and takes a tick to be raised anew, and one more where ticks
// come early or late. What no window is long enough for is not asked for.
absl::Status FallbackCompiler::FlapCounts() const {
  const Nanos period = policy_.command().period;
  const std::string* of = nullptr;
  Nanos soonest = std::chrono::seconds(static_cast<int64_t>(kDayS));
  for (const TriggerRule& rule : rules_.triggers_) {
    if (rule.quiet == Nanos{0}) continue;  // waits for a person
    const Nanos episode =
        WholePeriods(rule.after, period) + WholePeriods(rule.quiet, period) + 2 * period;
    const Nanos takes = episode * rules_.flap_.max_transitions;
    if (takes >= soonest) continue;
    soonest = takes;
    of = &rule.id;
  }
  if (of == nullptr || rules_.flap_.window > soonest) return absl::OkStatus();
  return Under("S14", Wrong("flap.window_s",
                            "must be above %.10g, is %.10g: '%s', which clears the soonest, takes "
                            "as long to be raised max_transitions (%d) times more",
                            base::Seconds(soonest), document_.flap().window_s(), *of,
                            rules_.flap_.max_transitions));
}

absl::Status FallbackCompiler::RearmPart() {
  const v1::RearmRule& rearm = document_.rearm();
  ASSIGN_OR_RETURN(rules_.standstill_,
                   LongMs("rearm.standstill_ms", rearm.standstill_ms(), kLeastStandstillMs,
                          "a moving robot may not be re-armed"));
  std::set<std::string> distinct;
  for (const std::string& role : rearm.approvals()) {
    if (role.empty() || role.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") != role.npos) {
      return Wrong("rearm.approvals", "must be words of a-z and _, one is '%s'", role);
    }
    if (!distinct.insert(role).second) {
      return Wrong("rearm.approvals", "must name every role once, '%s' stands twice", role);
    }
    rules_.rearm_roles_.push_back(role);
  }
  if (distinct.size() < 2) {
    return Wrong("rearm.approvals", "must be two roles or more: nobody re-arms a robot alone");
  }
  ASSIGN_OR_RETURN(rules_.rearm_ttl_,
                   PositiveS("rearm.ttl_s", rearm.ttl_s(),
                             "an approval that never ends is found by somebody else", kMostTtlS));
  return ProbationPart();
}

absl::Status FallbackCompiler::ProbationPart() {
  const v1::Probation& probation = document_.rearm().probation();
  ASSIGN_OR_RETURN(rules_.probation_.duration,
                   LongS("rearm.probation.for_s", probation.for_s(), kLeastProbationS,
                         "what stopped the robot once may be there still"));
  ASSIGN_OR_RETURN(rules_.probation_.to, Named("rearm.probation.to", probation.to()));
  const StateRule& to = rules_.states_[rules_.probation_.to];
  if (to.driver != Driver::kStop && !to.minimal_risk) {
    return Wrong("rearm.probation.to",
                 "must be a stop or a minimal risk condition, '%s' is neither", to.name);
  }
  return absl::OkStatus();
}

}  // namespace agent::runtime
