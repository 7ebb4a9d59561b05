#pragma once

#include "agent/base/clock.h"

namespace tests {

// Stands still until a test moves it.
class FakeClock final : public agent::base::Clock {
 public:
  agent::base::Nanos Now() const override { return now_; }
  int64_t WallMs() const override {
    return kStartWallMs + std::chrono::duration_cast<std::chrono::milliseconds>(now_).count();
  }
  void Advance(agent::base::Nanos by) { now_ += by; }

 private:
  static constexpr int64_t kStartWallMs = 1'767'225'600'000;  // 2026-01-01T00:00:00Z
  agent::base::Nanos now_{std::chrono::hours(1)};
};

}  // namespace tests
