#pragma once

#include <span>
#include <vector>

#include "agent/runtime/enforce.h"

namespace agent::runtime {

// Enforce for command type joints; `wanted` is finite and has a target for every joint. Every joint
// keeps its position, speed, acceleration (braking too) and jerk limits, and can always stop before
// the end of its range. The tool point keeps its speed and its zones on the step and on the stop
// that could follow it: where it would not, the whole step gives way towards braking all joints,
// which is always open.
void EnforceJoints(const Policy& policy, std::span<const double> wanted, const Situation& at,
                   Enforcement& result);

// The targets after a tick of braking, each joint as hard as it may; as they were once it stands.
void BrakeJoints(const Policy& policy, std::span<const double> last,
                 std::span<const double> speeds_radps, double seconds, std::vector<double>& values);

}  // namespace agent::runtime
