#include <cmath>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"

// The `limits.clamp_budget` part of a control policy.

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

}  // namespace

absl::Status PolicyCompiler::ClampBudgetPart() {
  const v1::ClampBudget& written = document_.limits().clamp_budget();
  const std::string path = "limits.clamp_budget";
  RETURN_IF_ERROR(CheckPositive(path + ".window_s", written.window_s(),
                                "a model that lives off its limits must be noticed"));
  if (!(written.max_fraction() >= 0 && written.max_fraction() <= kMostClampedShare)) {
    return Wrong(path + ".max_fraction", "must be 0 to %g, is %g", kMostClampedShare,
                 written.max_fraction());
  }
  const double ticks = std::floor(written.window_s() * policy_.command_.rate_hz + 0.5);
  if (!(ticks >= 1 && ticks <= MostWindowTicks())) {
    return Wrong(path + ".window_s", "must be 1 to %d ticks, is %g", MostWindowTicks(), ticks);
  }
  ClampBudgetLimits& limits = policy_.clamp_budget_;
  limits.window_ticks = static_cast<uint32_t>(ticks);
  limits.max_clamped = static_cast<uint32_t>(std::floor(ticks * written.max_fraction()));
  ASSIGN_OR_RETURN(limits.trigger, Trigger(path + ".trigger", written.trigger()));
  return absl::OkStatus();
}

}  // namespace agent::runtime
