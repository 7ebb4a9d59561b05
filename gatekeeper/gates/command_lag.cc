#include "gatekeeper/gates/command_lag.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace gatekeeper::gates {
namespace {

constexpr int64_t kMostLag_ns = 1'000'000'000;
constexpr int64_t kHold_ns = 500'000'000;  // beyond it the last command was not held but gone
constexpr int64_t kLeastSpan_ns = 1'000'000'000;
constexpr double kLeastDeviation = 0.01;  // m/s and rad/s: less is no manoeuvre
constexpr double kWellExplained = 0.9;
constexpr double kClearly = 0.5;  // of what stays unexplained without an impossible lag

struct Sample {
  int64_t at_ns = 0;
  double value = 0;  // measured
};

// Correlation squared of two series, as sums.
struct Sums {
  double n = 0, x = 0, y = 0, xx = 0, yy = 0, xy = 0;
  void Add(double a, double b) {
    n += 1;
    x += a;
    y += b;
    xx += a * a;
    yy += b * b;
    xy += a * b;
  }
  double Explained() const {
    const double vx = n * xx - x * x;
    const double vy = n * yy - y * y;
    const double cov = n * xy - x * y;
    return vx <= 0 || vy <= 0 ? 0 : std::min(1.0, cov * cov / (vx * vy));
  }
};

double Deviation(const std::vector<Sample>& samples) {
  double sum = 0;
  for (const Sample& sample : samples) sum += sample.value;
  const double mean = sum / static_cast<double>(samples.size());
  double squares = 0;
  for (const Sample& sample : samples) squares += (sample.value - mean) * (sample.value - mean);
  return std::sqrt(squares / static_cast<double>(samples.size()));
}

// What was measured where every lag can be asked about: one of vx (0) and wz (1).
std::vector<Sample> Measured(const Replay& replay, size_t field) {
  std::vector<Sample> samples;
  const int64_t first_ns = replay.commands.front().at_ns;
  const int64_t last_ns = replay.commands.back().at_ns;
  for (size_t i = 0; i < std::min(replay.ticks.size(), replay.measured.size()); ++i) {
    const int64_t at_ns = replay.ticks[i].now_ns();
    const MeasuredMotion& motion = replay.measured[i];
    const double value = field == 0 ? motion.vx_mps : motion.wz_radps;
    if (at_ns - first_ns < kMostLag_ns || last_ns - at_ns < kMostLag_ns || !std::isfinite(value))
      continue;
    samples.push_back({at_ns, value});
  }
  return samples;
}

// Commands are held until the next one.
double ExplainedAt(const std::vector<RecordedCommand>& commands, const std::vector<Sample>& samples,
                   size_t field, int64_t lag_ns) {
  Sums sums;
  size_t next = 0;
  for (const Sample& sample : samples) {
    const int64_t given_ns = sample.at_ns - lag_ns;
    while (next < commands.size() && commands[next].at_ns <= given_ns) ++next;
    if (next == 0 || given_ns - commands[next - 1].at_ns > kHold_ns) continue;
    sums.Add(commands[next - 1].values[field], sample.value);
  }
  return 2 * sums.n < static_cast<double>(samples.size()) ? 0 : sums.Explained();
}

bool CanTell(const std::vector<Sample>& samples) {
  return !samples.empty() && samples.back().at_ns - samples.front().at_ns >= kLeastSpan_ns &&
         Deviation(samples) >= kLeastDeviation;
}

}  // namespace

std::optional<CommandLag> CommandLagOf(const Replay& replay) {
  if (replay.commands.empty() || replay.ticks.size() < 2) return std::nullopt;
  for (const RecordedCommand& command : replay.commands) {
    if (command.values.size() != 2) return std::nullopt;
  }
  std::vector<std::pair<size_t, std::vector<Sample>>> telling;
  for (const size_t field : {size_t{0}, size_t{1}}) {
    std::vector<Sample> samples = Measured(replay, field);
    if (CanTell(samples)) telling.emplace_back(field, std::move(samples));
  }
  const int64_t step_ns = replay.ticks[1].now_ns() - replay.ticks[0].now_ns();
  if (telling.empty() || step_ns <= 0) return std::nullopt;
  CommandLag lag;
  const int64_t most = kMostLag_ns / step_ns;
  for (int64_t steps = -most; steps <= most; ++steps) {
    double explained = 0;
    for (const auto& [field, samples] : telling)
      explained += ExplainedAt(replay.commands, samples, field, steps * step_ns);
    explained /= static_cast<double>(telling.size());
    if (steps >= 0) lag.at_best_later = std::max(lag.at_best_later, explained);
    if (explained <= lag.explained) continue;
    lag.explained = explained;
    lag.seconds = static_cast<double>(steps * step_ns) * 1e-9;
  }
  return lag;
}

bool IsImpossible(const CommandLag& lag, double period_s) {
  return lag.seconds < -2.5 * period_s && lag.explained >= kWellExplained &&
         1 - lag.explained <= kClearly * (1 - lag.at_best_later);
}

}  // namespace gatekeeper::gates
