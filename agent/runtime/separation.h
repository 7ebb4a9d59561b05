#pragma once

#include <limits>
#include <string_view>
#include <vector>

#include "agent/runtime/policy.h"
#include "proto/robot.pb.h"

namespace agent::runtime {

// Stop and slow zones around the body and the distance to whatever is nearest, judged on scan
// returns in the body frame. A zone is occupied after trigger_consecutive scans with at least
// min_points returns in it, free after release_consecutive without.
class Separation {
 public:
  explicit Separation(const Policy& policy);

  // Counts a scan once: `message` is its number on the board.
  void See(const gatekeeper::v1::LaserScan& scan, uint64_t message);

  bool MustStop(std::vector<std::string_view>& reasons) const;
  double CapMps(
      std::vector<std::string_view>& reasons) const;  // infinite: no slow zone is occupied
  // The largest speed of the footprint's fastest point by speed and separation monitoring; infinite
  // without it, 0 before the first scan.
  double SsmCapMps() const;
  // From the footprint to the nearest valid return of the newest scan; 0 for a return inside it.
  // NaN when there is none.
  double nearest_m() const { return nearest_m_; }

 private:
  struct Zone {
    uint32_t hits = 0;
    uint32_t misses = 0;
    bool occupied = false;
    uint32_t points = 0;
  };

  void AimBeams(const gatekeeper::v1::LaserScan& scan);
  void Look(const gatekeeper::v1::LaserScan& scan);
  void Count();

  const Policy* policy_;
  double far_m_ = 0;  // no zone reaches farther
  std::vector<Zone> zones_;
  // Directions of the newest scan's beams: they hardly ever change.
  std::vector<SinCos> beams_;
  double angle_min_rad_ = 0;
  double angle_increment_rad_ = 0;
  double nearest_m_ = std::numeric_limits<double>::quiet_NaN();
  uint64_t seen_ = 0;
};

}  // namespace agent::runtime
