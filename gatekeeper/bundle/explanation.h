#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/runtime/fallback.h"
#include "agent/runtime/policy.h"

namespace gatekeeper::bundle {

// What fallback rules do, found by running the robot's own fallback machine: in every state, under
// every trigger, pair and set of triggers.

// What happens when a trigger becomes active while the machine stands in a state. There is a
// previous unit and every input is fresh; `stands_within` is the worst over all of that.
struct Reaction {
  size_t state = 0;    // where the machine stood; index into Fallback::states()
  size_t trigger = 0;  // index into Fallback::triggers()
  size_t next = 0;     // where it stands at the next tick
  size_t place = 0;    // what this trigger holds; next is more restrictive if another holds more
  // From the trigger's cause to a minimal risk condition, when no stop ever completes early.
  std::optional<agent::runtime::Nanos> stands_within;  // none: it may drive on for ever
};

struct Pair {
  size_t first = 0;
  size_t second = 0;
  size_t state = 0;             // where both together lead from the nominal state
  std::vector<size_t> winners;  // whose place that is
};

// All sets of triggers that lead to a state: at least one of `any_of`, none of `none_of`.
struct SetsTo {
  size_t state = 0;
  std::vector<size_t> any_of;
  std::vector<size_t> none_of;
  uint64_t sets = 0;  // how many of those that were tried
};

struct Explanation {
  std::vector<Reaction> reactions;  // by state, then trigger; of the document's triggers
  std::vector<Pair> pairs;
  std::vector<SetsTo> sets;  // by state, from the most restrictive one
  bool every_set = true;     // false: too many triggers; all single ones and pairs were tried
};

Explanation Explain(const agent::runtime::Policy& policy, const agent::runtime::Fallback& rules);

// As people write it: model, unit:previous, follow_gap, stop, hold.
std::string ControllerName(agent::runtime::Driver driver);

// Graphviz: states by rank, triggers as edges from the nominal one, dashed where a state gives way,
// dotted where triggers clear.
std::string DotOf(const agent::runtime::Fallback& rules);

}  // namespace gatekeeper::bundle
