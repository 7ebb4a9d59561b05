#include "agent/runtime/separation.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace agent::runtime {

void Separation::See(const gatekeeper::v1::LaserScan& scan, uint64_t message) {
  if (zones_.empty() || message == seen_) return;
  seen_ = message;
  for (Zone& zone : zones_) zone.points = 0;
  double far_m = 0;
  for (const ScanZone& zone : policy_->separation()) far_m = std::max(far_m, zone.region.reach_m());

  for (int i = 0; i < scan.ranges_m_size(); ++i) {
    const double range = static_cast<double>(scan.ranges_m(i));
    if (!(range > 0 && range <= far_m)) continue;
    const SinCos bearing = ExactSinCos(scan.angle_min_rad() + scan.angle_increment_rad() * i);
    const Vec2 point{range * bearing.cos, range * bearing.sin};
    for (size_t z = 0; z < zones_.size(); ++z) {
      if (policy_->separation()[z].region.Contains(point)) ++zones_[z].points;
    }
  }
  for (size_t z = 0; z < zones_.size(); ++z) {
    const ScanZone& limits = policy_->separation()[z];
    Zone& zone = zones_[z];
    const bool hit = zone.points >= limits.min_points;
    zone.hits = hit ? std::min(zone.hits + 1, limits.trigger_consecutive) : 0;
    zone.misses = hit ? 0 : std::min(zone.misses + 1, limits.release_consecutive);
    if (zone.hits >= limits.trigger_consecutive) zone.occupied = true;
    if (zone.misses >= limits.release_consecutive) zone.occupied = false;
  }
}

bool Separation::MustStop(std::vector<std::string_view>& reasons) const {
  bool stop = false;
  for (size_t z = 0; z < zones_.size(); ++z) {
    const ScanZone& limits = policy_->separation()[z];
    if (!limits.stop || !zones_[z].occupied) continue;
    stop = true;
    reasons.push_back(limits.reason);
  }
  return stop;
}

double Separation::CapMps(std::vector<std::string_view>& reasons) const {
  double cap = std::numeric_limits<double>::infinity();
  for (size_t z = 0; z < zones_.size(); ++z) {
    const ScanZone& limits = policy_->separation()[z];
    if (limits.stop || !zones_[z].occupied) continue;
    cap = std::min(cap, limits.vx_max_mps);
    reasons.push_back(limits.reason);
  }
  return cap;
}

}  // namespace agent::runtime
