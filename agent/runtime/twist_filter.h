#pragma once

#include <span>

#include "agent/runtime/enforce.h"

namespace agent::runtime {

// Enforce for command type twist2d; `wanted` is finite and has both values.
void EnforceTwist(const Policy& policy, const Separation& separation,
                  std::span<const double> wanted, const Situation& situation, Enforcement& result);

}  // namespace agent::runtime
