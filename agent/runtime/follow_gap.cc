#include "agent/runtime/follow_gap.h"

#include <algorithm>
#include <cmath>

namespace agent::runtime {
namespace {

// Bearings that differ by less are one: beams are laid by repeated rounding.
constexpr double kSameBearingRad = 1e-9;
constexpr double kQuarterTurn = 1.5707963267948966;

// Never below asin(x) for x in [0, 1], and equal at both ends: (asin(x) - x) / x^3 rises to
// pi/2 - 1. At most 0.06 rad too large, and bit-identical everywhere, which asin is not.
double ArcSineBound(double x) { return x + (kQuarterTurn - 1) * x * x * x; }

}  // namespace

void FollowGap::Steer(const FollowGapLimits& limits, const gatekeeper::v1::LaserScan& scan,
                      std::vector<double>& twist) {
  LayBeams(scan);
  BlockBearings(limits, scan);
  const Gap gap = WidestGap(limits);
  twist.assign(2, 0);
  if (gap.beams == 0) return;
  const double ahead_m = FreeAheadM(limits, scan);
  const double share = (ahead_m - limits.half_width_m) / (limits.free_m - limits.half_width_m);
  twist[0] = limits.vx_mps * std::clamp(share, 0.0, 1.0);
  twist[1] = limits.wz_abs_max_radps * std::clamp(gap.middle_rad / limits.field_rad, -1.0, 1.0);
}

void FollowGap::LayBeams(const gatekeeper::v1::LaserScan& scan) {
  const size_t beams = static_cast<size_t>(scan.ranges_m_size());
  if (beams == angles_rad_.size() && scan.angle_min_rad() == angle_min_rad_ &&
      scan.angle_increment_rad() == angle_increment_rad_) {
    return;
  }
  angle_min_rad_ = scan.angle_min_rad();
  angle_increment_rad_ = scan.angle_increment_rad();
  angles_rad_.resize(beams);
  directions_.resize(beams);
  for (size_t i = 0; i < beams; ++i) {
    angles_rad_[i] = angle_min_rad_ + static_cast<double>(i) * angle_increment_rad_;
    directions_[i] = ExactSinCos(angles_rad_[i]);
  }
  blocks_.resize(beams + 1);
}

// A return blocks every bearing that would pass it nearer than half_width_m.
void FollowGap::BlockBearings(const FollowGapLimits& limits,
                              const gatekeeper::v1::LaserScan& scan) {
  std::fill(blocks_.begin(), blocks_.end(), 0);
  const int beams = scan.ranges_m_size();
  const double step_rad = std::abs(angle_increment_rad_);
  for (int i = 0; i < beams; ++i) {
    const float range_m = scan.ranges_m(i);
    if (!(range_m > 0) || range_m >= limits.free_m) continue;
    const double spread_rad = ArcSineBound(std::min(1.0, limits.half_width_m / range_m));
    // Beams of a scan that does not turn all look the same way: each return blocks them all.
    const int spread =
        spread_rad < step_rad * beams ? static_cast<int>(std::ceil(spread_rad / step_rad)) : beams;
    ++blocks_[static_cast<size_t>(std::max(0, i - spread))];
    --blocks_[static_cast<size_t>(std::min(beams, i + spread + 1))];
  }
}

// Of equally wide gaps the one nearest to straight ahead, of those the first.
FollowGap::Gap FollowGap::WidestGap(const FollowGapLimits& limits) const {
  Gap widest;
  int blocked = 0;
  size_t begin = 0;  // of the run of free bearings that ends before i
  const auto end_run = [&](size_t end) {
    if (begin == end) return;
    const Gap gap{.middle_rad = (angles_rad_[begin] + angles_rad_[end - 1]) / 2,
                  .beams = end - begin};
    const bool nearer = std::abs(gap.middle_rad) < std::abs(widest.middle_rad);
    if (gap.beams > widest.beams || (gap.beams == widest.beams && nearer)) widest = gap;
  };
  for (size_t i = 0; i < angles_rad_.size(); ++i) {
    blocked += blocks_[i];
    if (blocked == 0 && std::abs(angles_rad_[i]) <= limits.field_rad + kSameBearingRad) {
      continue;
    }
    end_run(i);
    begin = i + 1;
  }
  end_run(angles_rad_.size());
  return widest;
}

double FollowGap::FreeAheadM(const FollowGapLimits& limits,
                             const gatekeeper::v1::LaserScan& scan) const {
  double free_m = limits.free_m;
  for (int i = 0; i < scan.ranges_m_size(); ++i) {
    const float range_m = scan.ranges_m(i);
    if (!(range_m > 0)) continue;
    const SinCos& direction = directions_[static_cast<size_t>(i)];
    const double x = range_m * direction.cos;
    if (x > 0 && std::abs(range_m * direction.sin) < limits.half_width_m) {
      free_m = std::min(free_m, x);
    }
  }
  return free_m;
}

}  // namespace agent::runtime
