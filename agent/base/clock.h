#pragma once

#include <chrono>
#include <cstdint>

namespace agent::base {

// Monotonic time since an arbitrary start: the only time that decisions are made on.
using Nanos = std::chrono::nanoseconds;

inline double Seconds(Nanos time) { return static_cast<double>(time.count()) * 1e-9; }

// One of the four seams that tests replace. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Nanos Now() const = 0;
  // Milliseconds since 1970, for people and certificates; may jump.
  virtual int64_t WallMs() const = 0;
};

// CLOCK_MONOTONIC and CLOCK_REALTIME.
class SystemClock final : public Clock {
 public:
  Nanos Now() const override;
  int64_t WallMs() const override;
};

}  // namespace agent::base
