#include "agent/runtime/tool_point.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace agent::runtime {
namespace {

// Distance to the border of the zone's prism, positive inside.
double Depth(const MapZone& zone, const Vec3& p) {
  const double across = zone.region.Depth({p.x, p.y});
  const double along = std::min(p.z - zone.low_m, zone.high_m - p.z);
  const double beside = std::min(across, 0.0);
  const double beyond = std::min(along, 0.0);
  // At most one of the two differs from 0.
  return std::max(0.0, std::min(across, along)) - std::sqrt(beside * beside + beyond * beyond);
}

}  // namespace

double ToolRoomM(const MapZone& zone, const Vec3& tool) {
  const double depth = Depth(zone, tool);
  return zone.kind == ZoneKind::kInclusion ? depth : -depth;
}

double ToolClearanceM(const Policy& policy, std::span<const double> q_rad) {
  const Vec3 tool = ToolPoint(policy.arm().chain, q_rad);
  double least = std::numeric_limits<double>::quiet_NaN();
  for (const MapZone& zone : policy.envelope()) {
    if (zone.kind == ZoneKind::kSpeed) continue;
    const double room = ToolRoomM(zone, tool);
    if (!(least <= room)) least = room;  // also replaces the NaN
  }
  return least;
}

TriggerMask ToolBreaches(const Policy& policy, std::span<const double> q_rad,
                         std::vector<std::string_view>& reasons) {
  const Vec3 tool = ToolPoint(policy.arm().chain, q_rad);
  TriggerMask raised = 0;
  for (const MapZone& zone : policy.envelope()) {
    // Written so that a room that is not a number is a breach.
    if (zone.kind == ZoneKind::kSpeed || ToolRoomM(zone, tool) >= 0) continue;
    raised |= MaskOf(zone.trigger);
    reasons.push_back(zone.breach_reason);
  }
  return raised;
}

}  // namespace agent::runtime
