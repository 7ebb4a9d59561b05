#pragma once

#include <string>
#include <vector>

#include "agent/runtime/fallback.h"
#include "agent/runtime/fallback_causes.h"

namespace agent::runtime {

// Fallback rules as a graph of states. Every move raises the rank, so every walk ends.

inline std::string PathOf(const std::string& state) { return "states." + state; }

// The trigger is the machine's own; documents may not name it.
bool IsMachines(const std::string& trigger);

// It brakes, or it stands as a minimal risk condition: what mrc_within bounds.
inline bool IsStop(const StateRule& state) {
  return state.driver == Driver::kStop || state.minimal_risk;
}

// The chain of `then` from here ends in a persistent latch.
bool EndsInLatch(const Fallback& rules, StateIndex state);

// Where a place comes to rest while there is no network, no model and no input: what needs one of
// them gives way, a stop is completed, time passes.
StateIndex RestOf(const Fallback& rules, StateIndex state);

// Decisions fall on ticks: a time rounded up to whole periods.
Nanos WholePeriods(Nanos time, Nanos period);

// The longest time from entering this state, which neither model nor input drives, until a minimal
// risk condition is reached: each stop fails and gives way to the slower of its ways. Every
// stage is rounded up to whole periods.
Nanos LongestStop(const Fallback& rules, StateIndex state, Nanos period);

// Which states can be held and which triggers can win. Each trigger is explored by itself. That
// says everything about all sets of them: places are independent, so a set stands where the most
// restrictive of its triggers does, and more triggers only leave fewer inputs (a test holds that
// over all sets).
struct Reach {
  std::vector<bool> held;  // by state
  std::vector<bool> wins;  // by trigger: the machine stands where its rule says
};
Reach Explore(const Fallback& rules, const std::vector<TriggerCause>& causes);

}  // namespace agent::runtime
