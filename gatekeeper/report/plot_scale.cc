#include "gatekeeper/report/plot_scale.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"

namespace gatekeeper::report {

void Extent::Take(double value) {
  if (!std::isfinite(value)) return;
  low = empty ? value : std::min(low, value);
  high = empty ? value : std::max(high, value);
  empty = false;
}

void Extent::Widen(double low_end, double high_end) {
  Take(low_end);
  Take(high_end);
}

std::string Ticks::Label(double value) const {
  if (std::abs(value) < step * 1e-6) value = 0;  // no "-0.0"
  if (step >= 1e5 || step < 1e-5) return absl::StrFormat("%g", value);
  const int decimals = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  return absl::StrFormat("%.*f", decimals, value);
}

Ticks RoundTicks(const Extent& extent) {
  constexpr double kWanted = 5;  // steps, or a few more
  double low = extent.empty ? 0 : extent.low;
  double high = extent.empty ? 1 : extent.high;
  const double least = std::max({std::abs(low), std::abs(high), 1e-9}) * 1e-6;
  if (high - low < least) {
    const double pad = low == 0 ? 1 : std::abs(low) / 2;
    low -= pad;
    high += pad;
  }
  const double rough = (high - low) / kWanted;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  Ticks ticks;
  ticks.step = power;
  for (const double factor : {2.0, 5.0, 10.0}) {
    if (rough > ticks.step * 1.0001) ticks.step = factor * power;
  }
  // Counted in steps, so that rounding does not add up.
  const double first = std::floor(low / ticks.step + 1e-9);
  const double last = std::ceil(high / ticks.step - 1e-9);
  ticks.low = first * ticks.step;
  ticks.high = last * ticks.step;
  for (double i = first; i <= last; ++i) ticks.at.push_back(i * ticks.step);
  return ticks;
}

}  // namespace gatekeeper::report
