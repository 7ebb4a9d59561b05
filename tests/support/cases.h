#pragma once

#include <algorithm>
#include <cstdlib>

namespace tests {

// How many random cases to try of `all`: a twentieth under sanitizers, which are some twenty times
// slower, and an Nth of them with PROPERTY_SHARE=N, by which tests/mutation asks every test about
// every mutant.
inline int Cases(int all) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  all /= 20;
#endif
  const char* const share = std::getenv("PROPERTY_SHARE");
  return std::max(1, share == nullptr ? all : all / std::max(1, std::atoi(share)));
}

}  // namespace tests
