#pragma once

#include <limits>
#include <numbers>
#include <random>

#include "gmock/gmock.h"

// The numbers that tests say often.

namespace agent::runtime {

inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
inline constexpr float kNanF = std::numeric_limits<float>::quiet_NaN();
inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr double kPi = std::numbers::pi;
inline constexpr double kPeriodS = 0.05;

inline double In(std::mt19937_64& random, double low, double high) {
  return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
}

inline auto Near(double value) { return ::testing::DoubleNear(value, 1e-6); }

}  // namespace agent::runtime
