#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/bootstrap.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/statistics.h"

// The early-stopping rule of MLPerf LoadGen, with a third answer: what neither passes nor is shown
// to fail at the same confidence has too few frames. Times are those of the run without neighbours.

namespace gatekeeper::gates {
namespace {

// While the caches still hold what read the recording, times say nothing about the model.
constexpr size_t kWarmUpFrames = 5;  // of each replay

struct Percentile {
  const char* name;
  double quantile;
};
constexpr Percentile kReported[] = {{"P50", 0.50}, {"P95", 0.95}, {"P99", 0.99}, {"P99.9", 0.999}};

double Milliseconds(agent::base::Nanos time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

struct Times {
  std::vector<Series> clips;          // ms, in order of time
  std::vector<double> longest_first;  // of all clips
  size_t warm_up = 0;                 // frames left out
  double warm_up_longest_ms = 0;
  const Replay* slowest = nullptr;
  Frame slowest_frame;
};

Times Measured(const std::vector<Replay>& replays) {
  Times times;
  for (const Replay& replay : replays) {
    Series& clip = times.clips.emplace_back();
    for (size_t i = 0; i < replay.frames.size(); ++i) {
      const Frame& frame = replay.frames[i];
      if (i < kWarmUpFrames) {
        ++times.warm_up;
        times.warm_up_longest_ms = std::max(times.warm_up_longest_ms, Milliseconds(frame.took));
        continue;
      }
      clip.push_back(Milliseconds(frame.took));
      if (times.slowest != nullptr && frame.took <= times.slowest_frame.took) continue;
      times.slowest = &replay;
      times.slowest_frame = frame;
    }
    times.longest_first.insert(times.longest_first.end(), clip.begin(), clip.end());
  }
  std::sort(times.longest_first.begin(), times.longest_first.end(), std::greater<>());
  return times;
}

double Empirical(const std::vector<double>& longest_first, double quantile) {
  const size_t n = longest_first.size();
  if (n == 0) return 0;
  const auto rank = static_cast<size_t>(std::floor((1 - quantile) * static_cast<double>(n)));
  return longest_first[std::min(rank, n - 1)];
}

// NaN: too few frames for one.
double UpperBoundOf(const std::vector<double>& longest_first, double quantile, double confidence) {
  const int64_t above = SamplesAboveBound(longest_first.size(), quantile, confidence);
  return above < 0 ? std::numeric_limits<double>::quiet_NaN()
                   : longest_first[static_cast<size_t>(above)];
}

// The same from below; 0 where too few frames leave everything open.
double LowerBoundOf(const std::vector<double>& longest_first, double quantile, double confidence) {
  const size_t n = longest_first.size();
  const int64_t below = SamplesAboveBound(n, 1 - quantile, confidence);
  return below < 0 ? 0 : longest_first[n - 1 - static_cast<size_t>(below)];
}

void AddPercentiles(const std::vector<double>& longest_first, const v1::LatencyGate& limits,
                    v1::GateResult& result) {
  for (const Percentile& percentile : kReported) {
    v1::SegmentBound& row = *result.add_segments();
    row.set_tag(percentile.name);
    row.set_n(longest_first.size());
    row.set_value(Empirical(longest_first, percentile.quantile));
    row.set_lower(LowerBoundOf(longest_first, percentile.quantile, limits.confidence()));
    row.set_upper(UpperBoundOf(longest_first, percentile.quantile, limits.confidence()));
    row.set_limit(limits.deadline_ms());
    // Beyond the quantile that the suite asks for, these inform and do not decide.
    row.set_outcome(std::isnan(row.upper())               ? v1::INSUFFICIENT
                    : row.upper() <= limits.deadline_ms() ? v1::PASS
                                                          : v1::FAIL);
  }
}

std::string Sentence(const v1::LatencyGate& limits, const Times& times, uint64_t over,
                     const v1::GateResult& result) {
  const uint64_t needed = FramesNeeded(over, limits.quantile(), limits.confidence());
  std::string sentence =
      absl::StrFormat("%d of %d frames took longer than %g ms; P%g measured %.3f ms", over,
                      result.n(), limits.deadline_ms(), 100 * limits.quantile(), result.value());
  if (result.bound() > 0) sentence += absl::StrFormat(", at most %.3f ms", result.bound());
  sentence += absl::StrFormat("; %d frames are needed to say so with %g%% confidence", needed,
                              100 * limits.confidence());
  if (times.warm_up > 0) {
    sentence += absl::StrFormat("; %d of warm-up are left out, the slowest %.3f ms", times.warm_up,
                                times.warm_up_longest_ms);
  }
  return sentence;
}

v1::GateOutcome Decide(const v1::LatencyGate& limits, uint64_t over, uint64_t n) {
  if (n >= FramesNeeded(over, limits.quantile(), limits.confidence())) return v1::PASS;
  const bool too_slow = LowerBound(over, n, 1 - limits.confidence()) > 1 - limits.quantile();
  return too_slow ? v1::FAIL : v1::INSUFFICIENT;
}

}  // namespace

v1::GateResult JudgeLatency(const Evidence& evidence) {
  const v1::LatencyGate& limits = evidence.suite.latency();
  const Times times = Measured(evidence.replays);
  const std::vector<double>& all = times.longest_first;
  const uint64_t n = all.size();
  const auto over = static_cast<uint64_t>(
      std::count_if(all.begin(), all.end(), [&](double t) { return t > limits.deadline_ms(); }));

  v1::GateResult result;
  result.set_n(n);
  result.set_n_eff(DependenceOf(times.clips).n_eff);
  result.set_alpha(1 - limits.confidence());
  result.set_limit(limits.deadline_ms());
  result.set_value(Empirical(all, limits.quantile()));
  const double bound = UpperBoundOf(all, limits.quantile(), limits.confidence());
  if (!std::isnan(bound)) {
    result.set_bound(bound);
    result.set_margin(limits.deadline_ms() - bound);
  }
  AddPercentiles(all, limits, result);
  result.set_outcome(Decide(limits, over, n));
  result.set_marginal(result.outcome() == v1::PASS &&
                      n < FramesNeeded(over + 1, limits.quantile(), limits.confidence()));
  result.set_summary(Sentence(limits, times, over, result));
  if (result.outcome() == v1::FAIL && times.slowest != nullptr) {
    *result.add_findings() = FindingAt(
        *times.slowest, times.slowest->ticks[times.slowest_frame.tick].now_ns(),
        absl::StrFormat("the slowest frame took %.3f ms", Milliseconds(times.slowest_frame.took)));
  }
  const std::string& wanted = evidence.suite.host_class();
  if (!wanted.empty() && wanted != evidence.host_class) {
    result.set_outcome(v1::INSUFFICIENT);
    result.set_marginal(false);
    result.set_summary(absl::StrFormat(
        "the suite wants times from a computer of class %s, these are from %s: run the gates there",
        wanted, evidence.host_class.empty() ? "none" : evidence.host_class));
  }
  return result;
}

}  // namespace gatekeeper::gates
