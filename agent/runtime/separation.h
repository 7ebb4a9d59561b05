#pragma once

#include <string_view>
#include <vector>

#include "agent/runtime/policy.h"
#include "proto/robot.pb.h"

namespace agent::runtime {

// Stop and slow zones around the body, judged on scan returns in the body frame. A zone is occupied
// after trigger_consecutive scans with at least min_points returns in it, free after
// release_consecutive without.
class Separation {
 public:
  explicit Separation(const Policy& policy)
      : policy_(&policy), zones_(policy.separation().size()) {}

  // Counts a scan once: `message` is its number on the board.
  void See(const gatekeeper::v1::LaserScan& scan, uint64_t message);

  bool MustStop(std::vector<std::string_view>& reasons) const;
  double CapMps(
      std::vector<std::string_view>& reasons) const;  // infinite: no slow zone is occupied

 private:
  struct Zone {
    uint32_t hits = 0;
    uint32_t misses = 0;
    bool occupied = false;
    uint32_t points = 0;
  };
  const Policy* policy_;
  std::vector<Zone> zones_;
  uint64_t seen_ = 0;
};

}  // namespace agent::runtime
