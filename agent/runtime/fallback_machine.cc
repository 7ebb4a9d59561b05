#include "agent/runtime/fallback_machine.h"

#include <algorithm>
#include <bit>
#include <optional>

namespace agent::runtime {
namespace {

// Calls `visit` with every trigger of the set, in their order.
template <class Visit>
void ForEach(TriggerMask set, const Visit& visit) {
  for (; set != 0; set &= set - 1) visit(static_cast<TriggerIndex>(std::countr_zero(set)));
}

StateIndex MostRestrictive(const FallbackStatus& status) {
  StateIndex most = 0;
  ForEach(status.active, [&](TriggerIndex i) { most = std::max(most, status.triggers[i].place); });
  return most;
}

// While a re-armed robot is on probation every trigger stops it. Waiting for the start is none.
bool OnProbation(const Fallback& rules, const FallbackInput& input, const FallbackStatus& status) {
  return status.probation > Nanos{0} && (input.raised & MaskOf(rules.awaiting_start())) == 0;
}

void Place(StateIndex place, Nanos now, TriggerStatus& trigger) {
  trigger.place = place;
  trigger.placed = now;
}

void Activate(const Fallback& rules, TriggerIndex trigger, const FallbackInput& input,
              FallbackStatus& status) {
  const bool on_probation = OnProbation(rules, input, status);
  const StateIndex to = rules.triggers()[trigger].to;
  status.active |= MaskOf(trigger);
  Place(on_probation ? std::max(to, rules.probation().to) : to, input.now,
        status.triggers[trigger]);
  if (on_probation) status.probation = rules.probation().duration;
}

void Raise(const Fallback& rules, const FallbackInput& input, FallbackStatus& status) {
  ForEach(input.raised, [&](TriggerIndex i) {
    TriggerStatus& trigger = status.triggers[i];
    if ((status.raised & MaskOf(i)) == 0) trigger.since = input.now;
    trigger.last_raised = input.now;
    if (status.IsActive(i)) return;
    const TriggerRule& rule = rules.triggers()[i];
    const Nanos waited = input.now - trigger.since - rule.after;
    const bool deferred = (input.zones & rule.defer_in) != 0 && waited < rule.defer_max;
    if (waited >= Nanos{0} && !deferred) Activate(rules, i, input, status);
  });
}

void Clear(const Fallback& rules, const FallbackInput& input, FallbackStatus& status) {
  ForEach(status.active & ~input.raised & ~status.held, [&](TriggerIndex i) {
    const TriggerRule& rule = rules.triggers()[i];
    TriggerStatus& trigger = status.triggers[i];
    if (rule.clear != ClearBy::kQuiet || input.now - trigger.last_raised < rule.quiet) return;
    if (rule.max_per_hour > 0) {
      if (status.clears[i].Within(kClearWindow, input.now) >= rule.max_per_hour) {
        status.held |= MaskOf(i);
        if (rule.otherwise > trigger.place) Place(rule.otherwise, input.now, trigger);
        return;
      }
      status.clears[i].Add(input.now);
    }
    status.active &= ~MaskOf(i);
  });
}

// Where a place leads on, whatever else is the matter. `dwelt`: how long the trigger has held it.
std::optional<StateIndex> Onwards(const StateRule& state, Nanos dwelt, const FallbackInput& input) {
  if (state.driver == Driver::kPreviousUnit && !input.previous_runs) return state.otherwise;
  if ((state.needs & ~input.fresh) != 0) return state.otherwise;
  if (dwelt == Nanos{0}) return std::nullopt;  // came there only now
  if (state.driver == Driver::kStop) {
    if (input.standing) return state.then;
    if (dwelt < state.complete_within) return std::nullopt;
    return state.otherwise ? state.otherwise : state.then;
  }
  // Without max_dwell there is no `else` either.
  return dwelt >= state.max_dwell ? state.otherwise : std::nullopt;
}

// Moves every place that gives way in this step. Ends because a move always raises the rank.
void MovePlaces(const Fallback& rules, const FallbackInput& input, FallbackStatus& status) {
  ForEach(status.active, [&](TriggerIndex i) {
    TriggerStatus& trigger = status.triggers[i];
    while (const std::optional<StateIndex> onwards =
               Onwards(rules.states()[trigger.place], input.now - trigger.placed, input)) {
      Place(*onwards, input.now, trigger);
    }
  });
}

}  // namespace

void Advance(const Fallback& rules, const FallbackInput& input, FallbackStatus& status) {
  Raise(rules, input, status);
  Clear(rules, input, status);
  status.raised = input.raised;
  if (MostRestrictive(status) > status.state) {
    status.rises.Add(input.now);
    const bool flaps =
        status.rises.Within(rules.flap().window, input.now) > rules.flap().max_transitions;
    if (flaps && !status.IsActive(rules.flapping())) {
      Activate(rules, rules.flapping(), input, status);
    }
  }
  MovePlaces(rules, input, status);
  status.state = MostRestrictive(status);
  if (status.active == 0) status.probation -= std::min(status.probation, input.driven);
}

FallbackStatus Next(const Fallback& rules, const FallbackStatus& before,
                    const FallbackInput& input) {
  FallbackStatus next = before;
  Advance(rules, input, next);
  return next;
}

StateIndex Demanded(const Fallback& rules, TriggerMask active, const FallbackInput& input) {
  FallbackStatus status;
  ForEach(active, [&](TriggerIndex i) { Activate(rules, i, input, status); });
  MovePlaces(rules, input, status);
  return MostRestrictive(status);
}

FallbackStatus CarriedOver(const Fallback& from, const FallbackStatus& status, const Fallback& to,
                           Nanos now) {
  FallbackStatus next;
  next.rises = status.rises;
  if (status.probation > Nanos{0}) next.probation = to.probation().duration;
  const auto state_named = [&](const std::string& name) -> std::optional<StateIndex> {
    const auto found = std::find_if(to.states().begin(), to.states().end(),
                                    [&](const StateRule& state) { return state.name == name; });
    if (found == to.states().end()) return std::nullopt;
    return static_cast<StateIndex>(found - to.states().begin());
  };
  for (const TriggerRule& rule : to.triggers()) {
    if (rule.layer == Layer::kModel) continue;
    const auto i = static_cast<TriggerIndex>(&rule - to.triggers().data());
    const auto old = std::find_if(from.triggers().begin(), from.triggers().end(),
                                  [&](const TriggerRule& known) { return known.id == rule.id; });
    if (old == from.triggers().end()) continue;
    const auto j = static_cast<TriggerIndex>(old - from.triggers().begin());
    for (auto [set, carried] : {std::pair{status.raised, &next.raised},
                                {status.active, &next.active},
                                {status.held, &next.held}}) {
      if ((set & MaskOf(j)) != 0) *carried |= MaskOf(i);
    }
    next.clears[i] = status.clears[j];
    next.triggers[i] = status.triggers[j];
    const std::optional<StateIndex> same =
        state_named(from.states()[status.triggers[j].place].name);
    Place(std::max(rule.to, same.value_or(rule.to)), now, next.triggers[i]);
  }
  next.state = MostRestrictive(next);
  return next;
}

void Hold(const Fallback& rules, const std::vector<std::string>& names, Nanos now,
          FallbackStatus& status) {
  for (const std::string& name : names) {
    const auto known = std::find_if(rules.triggers().begin(), rules.triggers().end(),
                                    [&](const TriggerRule& rule) { return rule.id == name; });
    const TriggerIndex i = known == rules.triggers().end()
                               ? rules.flapping()
                               : static_cast<TriggerIndex>(known - rules.triggers().begin());
    const TriggerRule& rule = rules.triggers()[i];
    const bool carried = status.IsActive(i);  // by other rules, where its place is known
    status.active |= MaskOf(i);
    if (!carried || rule.clear == ClearBy::kQuiet) status.held |= MaskOf(i);
    if (carried) continue;
    Place(std::max({rule.to, rule.otherwise, rules.flap().to}), now, status.triggers[i]);
  }
  status.state = MostRestrictive(status);
}

}  // namespace agent::runtime
