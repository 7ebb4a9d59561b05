#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "agent/health/reading.h"

namespace agent::health {

// Two readings further apart than this say nothing of the time between them.
inline constexpr Nanos kLongestPause = std::chrono::seconds(1);

// Adds up energy from what sensors tell: counted joules, or watts by the trapezoidal rule. A pause
// of more than a second, a sensor that fell silent and a change of sensor break the integral: what
// was used meanwhile is not guessed, only the pauses are counted.
class EnergyAccount {
 public:
  // A counter was read for the first time (again): its growth counts from here.
  void Begin(Source source, Nanos now) { Step(source, now); }
  // A counter's growth since its last reading. The mean power of that time; kPending when the time
  // is not part of the integral.
  Reading AddJoules(Source source, double joules, Nanos now);
  void AddWatts(Source source, double watts, Nanos now);
  // Nothing could be read now.
  void Break();

  double joules() const { return joules_; }
  double covered_s() const { return covered_s_; }
  uint32_t gaps() const { return gaps_; }
  double missed_s() const { return missed_s_; }
  // Highest mean over one second; pending before a whole second is covered.
  Reading peak_watts() const { return peak_; }

 private:
  // Seconds since the last addition when the integral goes on over them.
  std::optional<double> Step(Source source, Nanos now);
  void Advance(double joules, double seconds, Nanos now);

  struct Point {
    Nanos at{};
    double joules = 0;
  };
  static constexpr size_t kWindow =
      64;  // additions in a second at most; more often is not looked at

  bool begun_ = false;    // at any time
  bool running_ = false;  // since `last_`
  Source source_ = Source::kRapl;
  Nanos last_{};
  std::optional<double> last_watts_;
  double joules_ = 0;
  double covered_s_ = 0;
  uint32_t gaps_ = 0;
  double missed_s_ = 0;
  Reading peak_{.state = State::kPending};
  std::array<Point, kWindow> window_;  // oldest first
  size_t window_size_ = 0;
};

}  // namespace agent::health
