#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "agent/runtime/limits.h"

namespace agent::runtime {

// How a mobile base may move. Curves run over the magnitude of the speed.
struct TwistLimits {
  double vx_max_mps = 0;
  double vx_min_mps = 0;  // 0 or below
  Curve wz_abs_max_radps;
  Curve acc_max_mps2;
  Curve dec_max_mps2;  // braking the robot is sure to have; the same in every situation
  double wz_acc_max_radps2 = 0;
  Curve jerk_max_mps3;             // how fast the acceleration may grow
  double cmd_vs_measured_mps = 0;  // how far a command may run ahead of the measured speed
};

// Which limit sets hold beside the nominal one.
enum class LimitSituation { kNominal, kTransition, kDegraded, kBoth };
inline constexpr size_t kLimitSituations = 4;

inline constexpr LimitSituation SituationOf(bool transition, bool degraded) {
  if (transition) return degraded ? LimitSituation::kBoth : LimitSituation::kTransition;
  return degraded ? LimitSituation::kDegraded : LimitSituation::kNominal;
}

// By LimitSituation, each the tightest of its sets at every speed.
using LimitTable = std::array<TwistLimits, kLimitSituations>;

// At every speed the tighter of the two.
Curve Tightest(const Curve& a, const Curve& b);
TwistLimits Tightest(const TwistLimits& a, const TwistLimits& b);

}  // namespace agent::runtime
