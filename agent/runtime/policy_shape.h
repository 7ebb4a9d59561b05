#pragma once

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/runtime/geometry.h"
#include "agent/runtime/policy_compiler.h"
#include "proto/policy.pb.h"

namespace agent::runtime {

// A region as it is written: polygon_m or circle_m, exactly one of them (`circle`: null).
absl::StatusOr<Region> CompileShape(
    const std::string& path,
    const google::protobuf::RepeatedPtrField<gatekeeper::v1::Point>& polygon,
    const gatekeeper::v1::Circle* circle);

// Finite and 0 or above.
absl::Status CheckNotNegative(const std::string& path, double value);

template <class Zones, class Zone>
absl::Status CheckId(const std::string& path, const Zones& zones, const Zone& zone) {
  if (zone.id().empty()) return Wrong(path + ".id", "must be given");
  const auto same = std::count_if(zones.begin(), zones.end(),
                                  [&](const auto& other) { return other.id() == zone.id(); });
  if (same > 1) return Wrong(path + ".id", "must be unique, '%s' is used twice", zone.id());
  return absl::OkStatus();
}

}  // namespace agent::runtime
