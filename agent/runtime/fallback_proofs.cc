#include <algorithm>

#include "agent/base/status_macros.h"
#include "agent/runtime/fallback_compiler.h"
#include "agent/runtime/fallback_graph.h"
#include "agent/runtime/policy_compiler.h"
#include "agent/runtime/rule_id.h"

// What the FallbackCompiler proves about all parts together, once each is sound by itself. Moves
// are known to raise the rank.

namespace agent::runtime {
namespace {

double Ms(Nanos time) { return static_cast<double>(time.count()) * 1e-6; }

}  // namespace

absl::Status FallbackCompiler::Emergency() const {
  const StateIndex to = rules_.triggers_[rules_.estop_button_].to;
  if (EndsInLatch(rules_, to)) return absl::OkStatus();
  return Wrong(runtime::PathOf(rules_.states_[to].name),
               "must end in a state with latch: persistent, because estop_button leads here");
}

// Every state has a way to a minimal risk condition that needs no network, no model and no input
// whose loss would not itself lead onwards.
absl::Status FallbackCompiler::Paths() const {
  for (StateIndex i = rules_.states_.size(); i-- > 0;) {
    const StateRule& state = rules_.states_[i];
    const StateRule& rest = rules_.states_[RestOf(rules_, i)];
    // A model that fails, or is not asked, is left by a trigger: see LossPaths.
    if (rest.minimal_risk || rest.driver == Driver::kModel) continue;
    return Wrong(runtime::PathOf(state.name),
                 "must lead to a minimal risk condition without network, model and inputs, and "
                 "comes to rest in '%s'",
                 rest.name);
  }
  for (TriggerIndex i = 0; i < rules_.latched_; ++i) {
    const bool required =
        std::any_of(policy_.inputs().begin(), policy_.inputs().end(),
                    [&](const InputLimits& input) { return input.required && input.trigger == i; });
    if (required || i == rules_.model_failed_ || i == policy_.nonfinite_trigger() ||
        i == policy_.deadline().trigger) {
      RETURN_IF_ERROR(LossPaths(rules_.triggers_[i], PathOf(i) + ".to"));
    }
  }
  return absl::OkStatus();
}

// With this trigger raised no model drives: no state may wait for one.
absl::Status FallbackCompiler::LossPaths(const TriggerRule& lost, const std::string& path) const {
  const StateRule& rest = rules_.states_[RestOf(rules_, lost.to)];
  if (!rest.minimal_risk) {
    return Wrong(path,
                 "must lead to a minimal risk condition without a model, and comes to rest in "
                 "'%s'",
                 rest.name);
  }
  for (StateIndex i = lost.to + 1; i < rules_.states_.size(); ++i) {
    const StateRule& state = rules_.states_[i];
    if (state.driver != Driver::kModel || state.otherwise) continue;
    return Wrong(path, "must outrank '%s', which waits for the model that '%s' tells to be lost",
                 state.name, lost.id);
  }
  return absl::OkStatus();
}

absl::Status FallbackCompiler::Reached() const {
  const Reach reach = Explore(rules_, causes_);
  for (StateIndex i = 0; i < reach.held.size(); ++i) {
    if (reach.held[i]) continue;
    return Wrong(runtime::PathOf(rules_.states_[i].name), "must be reachable, nothing leads here");
  }
  for (TriggerIndex i = 0; i < reach.wins.size(); ++i) {
    if (reach.wins[i]) continue;
    return Wrong(
        PathOf(i) + ".to",
        "must be a state that can be held while '%s' is raised, '%s' needs the very inputs "
        "that it tells to be lost",
        rules_.triggers_[i].id, rules_.states_[rules_.triggers_[i].to].name);
  }
  return absl::OkStatus();
}

absl::Status FallbackCompiler::Bounds() const {
  const Nanos period = policy_.command().period;
  for (StateIndex i = rules_.states_.size(); i-- > 0;) {
    const StateRule& state = rules_.states_[i];
    if (state.driver != Driver::kStop) continue;
    const Nanos longest = LongestStop(rules_, i, period);
    if (longest <= rules_.mrc_within_) continue;
    return Wrong(runtime::PathOf(state.name) + ".complete_within_ms",
                 "must reach a minimal risk condition within mrc_within_ms (%g), takes up to %g "
                 "with all that follows",
                 Ms(rules_.mrc_within_), Ms(longest));
  }
  for (TriggerIndex i = 0; i < rules_.latched_; ++i) {
    const TriggerRule& trigger = rules_.triggers_[i];
    if (!IsStop(rules_.states_[trigger.to])) continue;
    const Nanos longest = trigger.detect + trigger.after + LongestStop(rules_, trigger.to, period);
    if (longest <= rules_.mrc_within_) continue;
    return Wrong(PathOf(i) + ".detect_ms",
                 "must, with after_ms and all that follows, be within mrc_within_ms (%g), is up to "
                 "%g",
                 Ms(rules_.mrc_within_), Ms(longest));
  }
  return absl::OkStatus();
}

}  // namespace agent::runtime
