#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

namespace gatekeeper::faults {

// A parameter in severities 1 to 5.
using BySeverity = std::array<double, 5>;
inline double At(const BySeverity& values, int severity) {
  return values[static_cast<size_t>(std::clamp(severity, 1, 5) - 1)];
}

}  // namespace gatekeeper::faults
