#include "agent/runtime/fallback_causes.h"

#include <algorithm>

namespace agent::runtime {
namespace {

// Collects causes; a trigger with several is raised as late as the slowest of them.
class Causes {
 public:
  Causes(size_t triggers, Nanos period) : causes_(triggers), period_(period) {}

  TriggerCause& Other(TriggerIndex trigger, Nanos waits) {
    TriggerCause& cause = causes_[trigger];
    cause.others = true;
    cause.detect = std::max(cause.detect, waits + period_);
    return cause;
  }
  void Input(TriggerIndex trigger, const InputLimits& input, size_t index) {
    TriggerCause& cause = causes_[trigger];
    cause.inputs |= InputMask{1} << index;
    cause.detect = std::max({cause.detect, input.max_age + period_, input.stuck_after + period_});
  }
  std::vector<TriggerCause> Take() { return std::move(causes_); }

 private:
  std::vector<TriggerCause> causes_;
  Nanos period_;
};

}  // namespace

std::vector<TriggerCause> CausesOf(const Fallback& rules, const Policy& policy) {
  const Nanos period = policy.command().period;
  Causes causes(rules.triggers().size(), period);
  for (size_t i = 0; i < policy.inputs().size(); ++i) {
    causes.Input(policy.inputs()[i].trigger, policy.inputs()[i], i);
  }
  // A model that stops answering: each miss shows at the end of the tick's budget.
  const DeadlineLimits& deadline = policy.deadline();
  const uint32_t misses = std::min(deadline.max_consecutive, deadline.window_max + 1);
  causes.Other(deadline.trigger, (misses - 1) * period + deadline.hard).events = true;
  causes.Other(policy.nonfinite_trigger(), Nanos{0}).events = true;
  for (const auto& doubt : {policy.confidence(), policy.uncertainty()}) {
    if (doubt) causes.Other(doubt->trigger, Nanos{0});
  }
  // Judged over the whole window, and acted upon in the tick after.
  causes.Other(policy.clamp_budget().trigger, policy.clamp_budget().window_ticks * period).events =
      true;
  // Where the robot, or its tool, is: what an envelope is judged by, and therefore required with
  // one.
  const bool twist = policy.command().type == CommandType::kTwist2d;
  const InputLimits* place = policy.FindInput(twist ? "odom" : "joints");
  for (const MapZone& zone : policy.envelope()) {
    if (zone.kind == ZoneKind::kSpeed) continue;
    causes.Other(zone.trigger, place->max_age).envelope = true;
  }
  if (policy.arm().contact_trigger) {
    causes.Other(*policy.arm().contact_trigger, place->max_age);
  }
  for (const DerateLimits& derate : policy.derate()) {
    // From the measurement on; how often that is made is the sampler's matter. Where nobody
    // measures nothing is raised, unless absence itself stops the robot.
    const Nanos waits = derate.absent_scale > 0 ? Nanos{0} : derate.max_age;
    if (derate.trigger) causes.Other(*derate.trigger, waits);
  }
  // The verdict on a sample comes its horizon later, and is acted upon in the tick after.
  for (const RequirementRule& requirement : policy.requirements()) {
    const monitor::Formula& formula = requirement.formula;
    const Nanos waits = formula.sampling().min_gap + formula.root().horizon + period;
    causes.Other(requirement.trigger, waits).events = true;
  }
  causes.Other(rules.model_failed(), Nanos{0}).events = true;
  causes.Other(rules.estop_button(), Nanos{0});
  causes.Other(rules.network_down(), Nanos{0});
  return causes.Take();
}

}  // namespace agent::runtime
