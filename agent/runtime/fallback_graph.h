#pragma once

#include <string>

#include "absl/status/status.h"
#include "agent/runtime/fallback.h"

namespace agent::runtime {

// What must hold for fallback rules as a graph, once every state and trigger is sound by itself:
// the emergency stop button ends in a persistent latch, the highest rank holds the robot, every
// state is reachable, and every stop ends in a minimal risk condition within mrc_within. Moves are
// known to raise the rank.
absl::Status CheckMoves(const Fallback& rules);

// The chain of `then` from here ends in a persistent latch.
bool EndsInLatch(const Fallback& rules, StateIndex state);

// The trigger is the machine's own; documents may not name it.
bool IsMachines(const std::string& trigger);

inline std::string PathOf(const std::string& state) { return "states." + state; }

}  // namespace agent::runtime
