#include <cmath>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"

// The `joints` part of a control policy, and the clamp budget of every one.

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr double kMaxWindowTicks = 100'000;

bool IsEmpty(const v1::LimitSet& set) { return set.ByteSizeLong() == 0; }

}  // namespace

absl::Status PolicyCompiler::Joints() {
  const v1::Limits& limits = document_.limits();
  if (!IsEmpty(limits.nominal()) || limits.has_transition() || limits.has_degraded()) {
    return Wrong("limits",
                 "may hold clamp_budget only for command type joints; the limits stand in "
                 "joints");
  }
  for (const std::string& name : policy_.command_.fields) {
    const auto found = document_.joints().find(name);
    if (found == document_.joints().end()) {
      return Wrong("joints", "must have an entry for '%s', which command.fields names", name);
    }
    const v1::JointLimit& written = found->second;
    const std::string path = absl::StrCat("joints.", name);
    const JointLimits joint{.q_min_rad = written.q_min_rad(),
                            .q_max_rad = written.q_max_rad(),
                            .qd_abs_max_radps = written.qd_abs_max_radps()};
    if (!(std::isfinite(joint.q_min_rad) && std::isfinite(joint.q_max_rad) &&
          joint.q_min_rad < joint.q_max_rad)) {
      return Wrong(path + ".q_max_rad", "must be above q_min_rad (%g), is %g", joint.q_min_rad,
                   joint.q_max_rad);
    }
    RETURN_IF_ERROR(CheckPositive(path + ".qd_abs_max_radps", joint.qd_abs_max_radps,
                                  "the joint could never move"));
    policy_.joints_.push_back(joint);
  }
  if (static_cast<size_t>(document_.joints_size()) != policy_.joints_.size()) {
    return Wrong("joints", "must not limit joints that command.fields does not name");
  }
  return absl::OkStatus();
}

absl::Status PolicyCompiler::ClampBudgetPart() {
  const v1::ClampBudget& written = document_.limits().clamp_budget();
  const std::string path = "limits.clamp_budget";
  RETURN_IF_ERROR(CheckPositive(path + ".window_s", written.window_s(),
                                "a model that lives off its limits must be noticed"));
  if (!(written.max_fraction() >= 0 && written.max_fraction() < 1)) {
    return Wrong(path + ".max_fraction", "must be at least 0 and below 1, is %g",
                 written.max_fraction());
  }
  const double ticks = std::floor(written.window_s() * policy_.command_.rate_hz + 0.5);
  if (!(ticks >= 1 && ticks <= kMaxWindowTicks)) {
    return Wrong(path + ".window_s", "must be 1 to %g ticks, is %g", kMaxWindowTicks, ticks);
  }
  ClampBudgetLimits& limits = policy_.clamp_budget_;
  limits.window_ticks = static_cast<uint32_t>(ticks);
  limits.max_clamped = static_cast<uint32_t>(std::floor(ticks * written.max_fraction()));
  ASSIGN_OR_RETURN(limits.trigger, Trigger(path + ".trigger", written.trigger()));
  return absl::OkStatus();
}

}  // namespace agent::runtime
