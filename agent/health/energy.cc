#include "agent/health/energy.h"

#include <algorithm>

namespace agent::health {
namespace {

using base::Seconds;

constexpr Nanos kPeakOver = std::chrono::seconds(1);

}  // namespace

std::optional<double> EnergyAccount::Step(Source source, Nanos now) {
  const Nanos passed = now - last_;
  const bool goes_on = running_ && source == source_ && passed <= kLongestPause;
  if (!goes_on && begun_) {
    ++gaps_;
    missed_s_ += Seconds(passed);
  }
  if (!goes_on) Break();
  begun_ = running_ = true;
  source_ = source;
  last_ = now;
  if (window_size_ == 0) window_[window_size_++] = {now, joules_};
  return goes_on && passed > Nanos{0} ? std::optional(Seconds(passed)) : std::nullopt;
}

void EnergyAccount::Break() {
  running_ = false;
  last_watts_.reset();
  window_size_ = 0;
}

Reading EnergyAccount::AddJoules(Source source, double joules, Nanos now) {
  const std::optional<double> seconds = Step(source, now);
  if (!seconds) return Absent(State::kPending);
  Advance(joules, *seconds, now);
  return Available(joules / *seconds);
}

void EnergyAccount::AddWatts(Source source, double watts, Nanos now) {
  const std::optional<double> seconds = Step(source, now);
  if (seconds && last_watts_) Advance((*last_watts_ + watts) / 2 * *seconds, *seconds, now);
  last_watts_ = watts;
}

void EnergyAccount::Advance(double joules, double seconds, Nanos now) {
  joules_ += joules;
  covered_s_ += seconds;
  // The newest point that is a second old or older is where the mean begins; those before it go.
  size_t first = 0;
  while (first + 1 < window_size_ && now - window_[first + 1].at >= kPeakOver) ++first;
  if (window_size_ - first == kWindow) ++first;
  std::copy(window_.begin() + first, window_.begin() + window_size_, window_.begin());
  window_size_ -= first;
  const Point begin = window_[0];
  window_[window_size_++] = {now, joules_};
  if (now - begin.at < kPeakOver) return;
  const double mean = (joules_ - begin.joules) / Seconds(now - begin.at);
  if (!peak_.available() || mean > peak_.value) peak_ = Available(mean);
}

}  // namespace agent::health
