#pragma once

#include <cstdint>
#include <vector>

#include "agent/runtime/policy.h"

namespace agent::runtime {

// Of the last `window` events, how many were hits. No allocation after construction.
class HitWindow {
 public:
  explicit HitWindow(uint32_t window) : hits_(window, 0) {}
  void Add(bool hit);
  void Reset();
  uint32_t count() const { return count_; }

 private:
  std::vector<uint8_t> hits_;
  size_t next_ = 0;
  uint32_t count_ = 0;
};

// Raised on a tick that misses the deadline and is one too many, in a row or within the window.
class DeadlineWatch {
 public:
  explicit DeadlineWatch(const DeadlineLimits& limits)
      : limits_(limits), window_(limits.window_ticks) {}
  bool Missed(bool missed);

 private:
  DeadlineLimits limits_;
  HitWindow window_;
  uint32_t in_a_row_ = 0;
};

// Low below enter_below; no longer low once above leave_above for leave_hold without a break.
class ConfidenceWatch {
 public:
  explicit ConfidenceWatch(const ConfidenceLimits& limits) : limits_(limits) {}
  bool Low(double confidence, Nanos now);
  bool low() const { return low_; }

 private:
  ConfidenceLimits limits_;
  bool low_ = false;
  bool recovering_ = false;
  Nanos recovering_since_{};
};

// Raised when the policy had to hold the model back on too many ticks of the window.
class ClampBudget {
 public:
  explicit ClampBudget(const ClampBudgetLimits& limits)
      : limits_(limits), window_(limits.window_ticks) {}
  bool Spent(bool clamped);
  void Reset() { window_.Reset(); }

 private:
  ClampBudgetLimits limits_;
  HitWindow window_;
};

}  // namespace agent::runtime
