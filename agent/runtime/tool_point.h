#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "agent/runtime/policy.h"

namespace agent::runtime {

// Room of an arm's tool point on its side of a zone with heights: distance to the border, negative
// on the wrong side. For a speed zone: distance from it, negative inside. 1-Lipschitz.
double ToolRoomM(const MapZone& zone, const Vec3& tool);

// Least room to any inclusion or exclusion zone at these joint angles, one for every joint. NaN
// when the policy draws none.
double ToolClearanceM(const Policy& policy, std::span<const double> q_rad);

// Triggers of the zones over whose edge the tool point is.
TriggerMask ToolBreaches(const Policy& policy, std::span<const double> q_rad,
                         std::vector<std::string_view>& reasons);

}  // namespace agent::runtime
