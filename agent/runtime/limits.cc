#include "agent/runtime/limits.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace agent::runtime {
namespace {

// A negative zero would make equal ticks differ in their bits.
double PositiveZero(double value) { return value + 0.0; }

// Keeps `last + step` finite for every finite `last`.
constexpr double kLargestStep = 1e290;

double Allowance(double value) { return std::isfinite(value) ? std::max(0.0, value) : 0.0; }

}  // namespace

bool AllFinite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

double ClampInto(double wanted, double low, double high) {
  if (!std::isfinite(wanted)) return 0;
  return PositiveZero(wanted >= 0 ? std::min(wanted, Allowance(high))
                                  : std::max(wanted, -Allowance(-low)));
}

double ClampMagnitude(double wanted, double allowed) {
  return ClampInto(wanted, -allowed, allowed);
}

double ClampRate(double wanted, double last, double step) {
  const double from = std::isfinite(last) ? last : 0;
  const double room = std::min(Allowance(step), kLargestStep);
  return ClampInto(wanted, from - room, from + room);
}

double Curve::At(double x) const {
  if (!(x > points.front())) return values.front();
  for (size_t i = 1; i < points.size(); ++i) {
    if (x < points[i]) {
      const double span = points[i] - points[i - 1];
      const double share = (x - points[i - 1]) / span;
      return values[i - 1] + share * (values[i] - values[i - 1]);
    }
  }
  return values.back();
}

double Curve::Least() const { return *std::min_element(values.begin(), values.end()); }

}  // namespace agent::runtime
