#pragma once

#include <vector>

#include "agent/runtime/fallback.h"

namespace agent::runtime {

// What can raise a trigger.
struct TriggerCause {
  Nanos detect{};        // how late it can be raised, at worst
  InputMask inputs = 0;  // inputs whose loss raises it
  bool others = false;   // something else than the loss of an input raises it too
  bool envelope = false;
  bool events = false;  // raised for single ticks by something that has counted already
};

// By trigger index of the rules. Worst case: the cause comes about just after a tick has looked, so
// every figure holds one period more than the check itself waits.
std::vector<TriggerCause> CausesOf(const Fallback& rules, const Policy& policy);

}  // namespace agent::runtime
