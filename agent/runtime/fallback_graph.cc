#include "agent/runtime/fallback_graph.h"

#include <algorithm>
#include <vector>

#include "agent/base/status_macros.h"
#include "agent/runtime/policy_compiler.h"

namespace agent::runtime {
namespace {

absl::Status CheckEstop(const Fallback& rules) {
  const StateIndex to = rules.triggers()[rules.estop_button()].to;
  if (!EndsInLatch(rules, to)) {
    return Wrong(PathOf(rules.states()[to].name),
                 "must end in a state with latch: persistent, because estop_button leads here");
  }
  const StateRule& strongest = rules.states()[rules.strongest()];
  if (strongest.driver != Driver::kHold) {
    return Wrong(PathOf(strongest.name) + ".controller",
                 "must be hold: the highest rank is what a broken invariant selects");
  }
  return absl::OkStatus();
}

absl::Status CheckReached(const Fallback& rules) {
  std::vector<bool> reached(rules.states().size(), false);
  reached[0] = true;
  reached[rules.flap().to] = true;
  for (const TriggerRule& trigger : rules.triggers()) {
    if (!IsMachines(trigger.id)) reached[trigger.to] = true;
  }
  // Moves only lead upwards, so one pass in the order of rank is enough.
  for (StateIndex i = 0; i < rules.states().size(); ++i) {
    const StateRule& state = rules.states()[i];
    if (!reached[i]) return Wrong(PathOf(state.name), "must be reachable, nothing leads here");
    if (state.then) reached[*state.then] = true;
    if (state.otherwise) reached[*state.otherwise] = true;
  }
  return absl::OkStatus();
}

double Ms(Nanos t) { return static_cast<double>(t.count()) * 1e-6; }

// Moves lead upwards, so walking from the highest rank down sees ends first.
absl::Status CheckStops(const Fallback& rules) {
  std::vector<Nanos> worst(rules.states().size(), Nanos{0});
  for (StateIndex i = rules.states().size(); i-- > 0;) {
    const StateRule& state = rules.states()[i];
    if (state.driver != Driver::kStop) continue;
    for (const std::optional<StateIndex>& next : {state.then, state.otherwise}) {
      if (!next) continue;
      const StateRule& target = rules.states()[*next];
      if (target.driver != Driver::kStop && !target.minimal_risk) {
        return Wrong(PathOf(state.name),
                     "must lead to a stop or a minimal risk condition, '%s' is neither",
                     target.name);
      }
      worst[i] = std::max(worst[i], worst[*next]);
    }
    worst[i] += state.complete_within;
    if (worst[i] > rules.mrc_within()) {
      return Wrong(PathOf(state.name) + ".complete_within_ms",
                   "must reach a minimal risk condition within mrc_within_ms (%g), takes up to %g "
                   "with all that follows",
                   Ms(rules.mrc_within()), Ms(worst[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckMoves(const Fallback& rules) {
  RETURN_IF_ERROR(CheckEstop(rules));
  RETURN_IF_ERROR(CheckReached(rules));
  return CheckStops(rules);
}

bool EndsInLatch(const Fallback& rules, StateIndex state) {
  while (rules.states()[state].then) state = *rules.states()[state].then;
  return rules.states()[state].persistent_latch;
}

bool IsMachines(const std::string& trigger) {
  return trigger == kLatched || trigger == kAwaitingStart || trigger == kFlapping ||
         trigger == kInvariantBroken;
}

}  // namespace agent::runtime
