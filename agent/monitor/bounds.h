#pragma once

#include <cmath>
#include <limits>

namespace agent::monitor {

// What is known of a robustness: it lies between low and high; never NaN. The sign bit is the
// truth, also of zero: `x < 3` at 3 is -0.0 (does not hold), `x <= 3` at 3 is +0.0 (holds).
struct Bounds {
  double low = 0;
  double high = 0;

  bool operator==(const Bounds&) const = default;
};

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
inline constexpr Bounds kUnknown{-kInfinity, kInfinity};
inline constexpr Bounds kSurelyTrue{kInfinity, kInfinity};
inline constexpr Bounds kSurelyFalse{-kInfinity, -kInfinity};

// An order in which -0.0 stands before +0.0.
inline bool Before(double a, double b) {
  return a < b || (a == b && std::signbit(a) && !std::signbit(b));
}
inline double Least(double a, double b) { return Before(b, a) ? b : a; }
inline double Most(double a, double b) { return Before(a, b) ? b : a; }

inline Bounds Least(const Bounds& a, const Bounds& b) {
  return {Least(a.low, b.low), Least(a.high, b.high)};
}
inline Bounds Most(const Bounds& a, const Bounds& b) {
  return {Most(a.low, b.low), Most(a.high, b.high)};
}
inline Bounds Negated(const Bounds& a) { return {-a.high, -a.low}; }

}  // namespace agent::monitor
