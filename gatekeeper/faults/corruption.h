#pragma once

#include <memory>
#include <span>
#include <string>

#include "gatekeeper/faults/spec.h"
#include "gatekeeper/faults/stream.h"

namespace gatekeeper::faults {

inline constexpr int kSeverities = 5;

// A way in which what a sensor shows gets worse, in five severities. Those of pictures that have a
// namesake in ImageNet-C (Hendrycks and Dietterich, ICLR 2019) have its parameters.
struct Corruption {
  const char* id;
  const char* channel;  // image | scan
  const char* what;
  std::unique_ptr<Transform> (*make)(const Spec& spec);  // spec.severity is 1 to 5
};

std::span<const Corruption> Corruptions();
const Corruption* FindCorruption(const std::string& id);  // null: no such

}  // namespace gatekeeper::faults
