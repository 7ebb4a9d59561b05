#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <vector>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/statistics.h"

// The early-stopping rule of MLPerf LoadGen, with a third answer: what neither passes nor is shown
// to fail at the same confidence has too few frames. Times are those of the run without neighbours.

namespace gatekeeper::gates {
namespace {

double Milliseconds(agent::base::Nanos time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

std::vector<double> LongestFirst(const std::vector<Replay>& replays) {
  std::vector<double> times;
  for (const Replay& replay : replays) {
    for (const Frame& frame : replay.frames) times.push_back(Milliseconds(frame.took));
  }
  std::sort(times.begin(), times.end(), std::greater<>());
  return times;
}

// Most frames over the limit that still pass; -1 when even none would not do.
int64_t MostOver(uint64_t n, double quantile, double confidence) {
  int64_t over = -1;
  while (FramesNeeded(static_cast<uint64_t>(over + 1), quantile, confidence) <= n) ++over;
  return over;
}

// The slowest frame of all.
void AddSlowest(const Evidence& evidence, v1::GateResult& result) {
  const Replay* slowest = nullptr;
  Frame longest;
  for (const Replay& replay : evidence.replays) {
    for (const Frame& frame : replay.frames) {
      if (slowest != nullptr && frame.took <= longest.took) continue;
      slowest = &replay;
      longest = frame;
    }
  }
  if (slowest == nullptr) return;
  *result.add_findings() =
      FindingAt(*slowest, slowest->ticks[longest.tick].now_ns(),
                absl::StrFormat("the slowest frame took %.3f ms", Milliseconds(longest.took)));
}

}  // namespace

v1::GateResult JudgeLatency(const Evidence& evidence) {
  const v1::LatencyGate& limits = evidence.suite.latency();
  const std::vector<double> times = LongestFirst(evidence.replays);
  const uint64_t n = times.size();
  const auto over = static_cast<uint64_t>(std::count_if(
      times.begin(), times.end(), [&](double t) { return t > limits.deadline_ms(); }));
  const uint64_t needed = FramesNeeded(over, limits.quantile(), limits.confidence());

  v1::GateResult result;
  result.set_n(n);
  result.set_limit(limits.deadline_ms());
  if (n > 0) {
    const auto rank =
        static_cast<uint64_t>(std::floor((1 - limits.quantile()) * static_cast<double>(n)));
    result.set_value(times[std::min(rank, n - 1)]);
  }
  const int64_t allowed = MostOver(n, limits.quantile(), limits.confidence());
  if (allowed >= 0) result.set_bound(times[static_cast<size_t>(allowed)]);

  if (n >= needed) {
    result.set_outcome(v1::PASS);
  } else if (LowerBound(over, n, 1 - limits.confidence()) > 1 - limits.quantile()) {
    result.set_outcome(v1::FAIL);
    AddSlowest(evidence, result);
  } else {
    result.set_outcome(v1::INSUFFICIENT);
  }
  result.set_summary(
      absl::StrFormat("%d of %d frames took longer than %g ms; P%g measured %.3f ms; %d frames are "
                      "needed to say so with "
                      "%g%% confidence",
                      over, n, limits.deadline_ms(), 100 * limits.quantile(), result.value(),
                      needed, 100 * limits.confidence()));
  return result;
}

}  // namespace gatekeeper::gates
