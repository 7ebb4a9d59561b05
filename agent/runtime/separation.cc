#include "agent/runtime/separation.h"

#include <algorithm>
#include <cmath>

namespace agent::runtime {
namespace {

constexpr double kCornerRounding = 1e-9;  // of a zone's corners; as in Region::Contains

}  // namespace

Separation::Separation(const Policy& policy)
    : policy_(&policy), zones_(policy.separation().size()) {
  for (const ScanZone& zone : policy.separation()) {
    far_m_ = std::max(far_m_, zone.region.reach_m());
  }
}

void Separation::See(const gatekeeper::v1::LaserScan& scan, uint64_t message) {
  if (message == seen_) return;
  seen_ = message;
  AimBeams(scan);
  Look(scan);
  Count();
}

void Separation::AimBeams(const gatekeeper::v1::LaserScan& scan) {
  const auto count = static_cast<size_t>(scan.ranges_m_size());
  if (count == beams_.size() && scan.angle_min_rad() == angle_min_rad_ &&
      scan.angle_increment_rad() == angle_increment_rad_) {
    return;
  }
  angle_min_rad_ = scan.angle_min_rad();
  angle_increment_rad_ = scan.angle_increment_rad();
  beams_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    beams_[i] = ExactSinCos(angle_min_rad_ + angle_increment_rad_ * static_cast<double>(i));
  }
}

void Separation::Look(const gatekeeper::v1::LaserScan& scan) {
  for (Zone& zone : zones_) zone.points = 0;
  const Footprint& footprint = policy_->footprint();
  const double reach_m = footprint.region().reach_m();
  double nearest_m = std::numeric_limits<double>::infinity();
  double matters_m = nearest_m;  // nothing farther is in a zone or the nearest
  const double zones_end_m = far_m_ * (1 + kCornerRounding);
  const float* ranges = scan.ranges_m().data();
  for (size_t i = 0; i < beams_.size(); ++i) {
    const auto range_m = static_cast<double>(ranges[i]);
    if (!(range_m > 0 && range_m <= matters_m)) continue;
    const Vec2 point{range_m * beams_[i].cos, range_m * beams_[i].sin};
    if (range_m - reach_m < nearest_m) {
      nearest_m = std::min(nearest_m, footprint.DistanceM(point));
      matters_m = std::max(far_m_, nearest_m + reach_m);
    }
    if (range_m > zones_end_m) continue;
    for (size_t z = 0; z < zones_.size(); ++z) {
      if (policy_->separation()[z].region.Contains(point)) ++zones_[z].points;
    }
  }
  nearest_m_ = std::isfinite(nearest_m) ? nearest_m : std::numeric_limits<double>::quiet_NaN();
}

void Separation::Count() {
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

double Separation::SsmCapMps() const {
  constexpr double kNoCap = std::numeric_limits<double>::infinity();
  if (!policy_->ssm()) return kNoCap;
  if (seen_ == 0) return 0;
  return SsmSpeedMps(*policy_->ssm(), std::isnan(nearest_m_) ? kNoCap : nearest_m_);
}

}  // namespace agent::runtime
