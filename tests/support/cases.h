#pragma once

#include <algorithm>
#include <cstdlib>

namespace tests {

// How many random cases to try of `all`: a twentieth under sanitizers, which are some twenty times
// slower, and PROPERTY_RUNS=N at most, with which tests/mutation asks every test about every
// mutant.
inline int Cases(int all) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  all /= 20;
#endif
  const char* const most = std::getenv("PROPERTY_RUNS");
  return most == nullptr ? all : std::clamp(std::atoi(most), 1, all);
}

}  // namespace tests
