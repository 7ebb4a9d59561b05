#pragma once

#include <span>

#include "agent/runtime/enforce.h"

namespace agent::runtime {

// Enforce for command type joints; `wanted` is finite and has a value for every joint.
void EnforceJoints(const Policy& policy, std::span<const double> wanted, const Situation& at,
                   Enforcement& result);

}  // namespace agent::runtime
