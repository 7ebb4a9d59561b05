#pragma once

#include <span>
#include <vector>

namespace agent::runtime {

// Limits are pure functions of (wanted, allowed). Each of them, for any bit pattern of its
// arguments,
//  - returns a finite number (a NaN or infinite argument gives 0: standing still),
//  - never returns a larger magnitude than wanted, and never the other sign,
//  - is monotone in wanted and in allowed, and idempotent.
// It follows that a limit never holds a model back from braking.

// Into [low, high], where low <= 0 <= high.
double ClampInto(double wanted, double low, double high);

// Into [-allowed, allowed]; a negative allowance counts as 0.
double ClampMagnitude(double wanted, double allowed);

// At most `step` further from zero than `last`. Changing sign passes through zero first.
double ClampRate(double wanted, double last, double step);

// A function of speed or of a signal: linear between points, flat outside. Points ascend; both
// vectors have the same length >= 1.
struct Curve {
  std::vector<double> points;
  std::vector<double> values;

  double At(double x) const;
  double Least() const;
};

// A model is not held to more than float32 can say.
inline constexpr double kNoise = 1e-6;

bool AllFinite(std::span<const double> values);

}  // namespace agent::runtime
