#pragma once

#include <string>
#include <vector>

namespace gatekeeper::report {

// Least and greatest of the finite values it has seen.
struct Extent {
  double low = 0;
  double high = 0;
  bool empty = true;

  void Take(double value);
  void Widen(double low_end, double high_end);  // to take in both
};

// Where round numbers stand on an axis that shows `extent`: 1, 2 or 5 times a power of ten apart,
// four to nine of them. An extent of no width gets some.
struct Ticks {
  double low = 0;  // of the axis
  double high = 1;
  double step = 1;
  std::vector<double> at;
  std::string Label(double value) const;  // with as many decimals as the step has
};
Ticks RoundTicks(const Extent& extent);

}  // namespace gatekeeper::report
