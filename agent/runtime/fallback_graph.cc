#include "agent/runtime/fallback_graph.h"

#include <algorithm>

namespace agent::runtime {

Nanos WholePeriods(Nanos time, Nanos period) {
  return (time + period - Nanos{1}) / period * period;
}

bool IsMachines(const std::string& trigger) {
  return trigger == kLatched || trigger == kAwaitingStart || trigger == kFlapping ||
         trigger == kInvariantBroken;
}

bool EndsInLatch(const Fallback& rules, StateIndex state) {
  while (rules.states()[state].then) state = *rules.states()[state].then;
  return rules.states()[state].persistent_latch;
}

StateIndex RestOf(const Fallback& rules, StateIndex state) {
  const StateRule& rule = rules.states()[state];
  const std::optional<StateIndex>& next = rule.then ? rule.then : rule.otherwise;
  return next ? RestOf(rules, *next) : state;
}

Nanos LongestStop(const Fallback& rules, StateIndex state, Nanos period) {
  const StateRule& rule = rules.states()[state];
  if (rule.minimal_risk) return Nanos{0};
  Nanos longest{0};
  for (const std::optional<StateIndex>& next : {rule.then, rule.otherwise}) {
    if (next) longest = std::max(longest, LongestStop(rules, *next, period));
  }
  return longest + WholePeriods(std::max(rule.complete_within, rule.max_dwell), period);
}

}  // namespace agent::runtime
