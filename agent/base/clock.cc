#include "agent/base/clock.h"

namespace agent::base {

Nanos SystemClock::Now() const { return std::chrono::steady_clock::now().time_since_epoch(); }

int64_t SystemClock::WallMs() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace agent::base
