#include "gatekeeper/gates/evidence_maker.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "absl/strings/str_format.h"

namespace gatekeeper::gates {
namespace {

// Calls job(worker, i) for each i below `count`, on up to `threads` threads.
void ForEachIndex(size_t count, size_t threads, const std::function<void(size_t, size_t)>& job) {
  std::atomic<size_t> next{0};
  const auto work = [&](size_t worker) {
    for (size_t i = next++; i < count; i = next++) job(worker, i);
  };
  std::vector<std::jthread> pool;
  for (size_t worker = 1; worker < std::min(threads, count); ++worker)
    pool.emplace_back(work, worker);
  work(0);
}

}  // namespace

std::vector<Replay> ReplayFarm::ReplayAll(unsigned threads) {
  std::vector<Replay> replays(scenarios_.size());
  ForEachIndex(
      replays.size(), std::min<size_t>(threads, benches_.size()), [&](size_t worker, size_t i) {
        if (intact_[i]) {
          replays[i] = RunReplay(scenarios_[i], *benches_[worker]);
        } else {
          replays[i].scenario = &scenarios_[i];
          replays[i].status =
              absl::DataLossError("not replayed: the recording is not the one the scenario names");
        }
      });
  return replays;
}

std::vector<FaultRun> ReplayFarm::RunFaults(std::vector<PlannedFault> planned, unsigned threads) {
  std::vector<FaultRun> runs(planned.size());
  ForEachIndex(
      runs.size(), std::min<size_t>(threads, benches_.size()), [&](size_t worker, size_t i) {
        runs[i].planned = planned[i];
        runs[i].replay =
            RunReplay(scenarios_[planned[i].scenario], *benches_[worker], planned[i].fault);
      });
  return runs;
}

void GatherReplays(ReplayFarm& farm, unsigned threads, Evidence& evidence) {
  evidence.replays = farm.ReplayAll(1);
  for (uint32_t run = 0; run < evidence.suite.determinism().runs(); ++run) {
    const std::vector<Replay> again = run == 0 ? std::vector<Replay>() : farm.ReplayAll(threads);
    for (size_t i = 0; i < evidence.replays.size(); ++i) {
      evidence.streams.push_back(
          {.scenario = i,
           .run = run,
           .threads = run == 0 ? 1 : threads,
           .verdicts = run == 0 ? evidence.replays[i].verdicts : again[i].verdicts});
    }
  }
  evidence.stale_runs =
      farm.RunFaults(PlanStaleInputs(evidence.replays, farm.rules(), evidence.suite), threads);
  evidence.network_runs =
      farm.RunFaults(PlanNetworkDown(evidence.replays, farm.rules(), evidence.suite), threads);
}

}  // namespace gatekeeper::gates
