#pragma once

#include <algorithm>
#include <cstdlib>

#include "agent/base/sanitized.h"

namespace tests {

// How many random cases to try of `all`: a twentieth under sanitizers, which are some twenty times
// slower, and an Nth of them with PROPERTY_SHARE=N, by which tests/mutation asks every test about
// every mutant.
inline int Cases(int all) {
  if (agent::base::kSanitized) all /= 20;
  const char* const share = std::getenv("PROPERTY_SHARE");
  return std::max(1, share == nullptr ? all : all / std::max(1, std::atoi(share)));
}

}  // namespace tests
