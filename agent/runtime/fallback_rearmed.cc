#include "absl/strings/str_format.h"
#include "agent/runtime/fallback_machine.h"

// The one move of the fallback machine that a person makes.

namespace agent::runtime {
namespace {

using base::Seconds;

}  // namespace

absl::StatusOr<FallbackStatus> Rearmed(const Fallback& rules, const FallbackStatus& before,
                                       Nanos standing_for) {
  FallbackStatus next = before;
  bool any = false;
  bool rearm = false;
  for (TriggerIndex i = 0; i < rules.triggers().size(); ++i) {
    const TriggerRule& rule = rules.triggers()[i];
    const bool waits = rule.clear != ClearBy::kQuiet || (before.held & MaskOf(i)) != 0;
    if (!before.IsActive(i) || !waits) continue;
    if ((before.raised & MaskOf(i)) != 0 && i != rules.latched()) {
      return absl::FailedPreconditionError(
          absl::StrFormat("'%s' still holds; remove its cause, then re-arm", rule.id));
    }
    next.active &= ~MaskOf(i);
    next.held &= ~MaskOf(i);
    next.raised &= ~MaskOf(i);
    next.clears[i] = {};
    any = true;
    rearm = rearm || rule.clear == ClearBy::kRearm;
  }
  if (!any) return absl::FailedPreconditionError("nothing waits for re-arm");
  if (!rearm) return next;
  if (standing_for < rules.standstill()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "the robot must have stood for %.1f s, it has for %.1f s; wait, then re-arm",
        Seconds(rules.standstill()), Seconds(standing_for)));
  }
  next.probation = rules.probation().duration;
  return next;
}

}  // namespace agent::runtime
