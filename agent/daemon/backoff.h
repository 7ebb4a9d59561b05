#pragma once

#include <algorithm>
#include <random>

#include "agent/base/clock.h"

namespace agent::daemon {

using base::Nanos;

// How long to wait before the next try: doubles from 0.2 s to 10 s, each time a random part between
// half and the whole of it, so that a fleet does not come back in step.
class Backoff {
 public:
  Nanos Next() {
    std::uniform_real_distribution<double> part(0.5, 1.0);
    const double wait = part(random_) * static_cast<double>(ceiling_.count());
    ceiling_ = std::min(2 * ceiling_, kLongest);
    return Nanos(static_cast<Nanos::rep>(wait));
  }
  void Reset() { ceiling_ = kShortest; }

 private:
  static constexpr Nanos kShortest = std::chrono::milliseconds(200);
  static constexpr Nanos kLongest = std::chrono::seconds(10);
  Nanos ceiling_ = kShortest;
  std::minstd_rand random_{std::random_device()()};
};

}  // namespace agent::daemon
