#include "gatekeeper/gates/replay_farm.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

namespace gatekeeper::gates {
namespace {

Replay NotReplayed(const Scenario& scenario) {
  Replay replay;
  replay.scenario = &scenario;
  replay.status =
      absl::DataLossError("not replayed: the recording is not the one the scenario names");
  return replay;
}

// What is left of a replay of which only the digest will be looked at.
Replay VerdictsOf(const Replay& replay) {
  Replay kept;
  kept.scenario = replay.scenario;
  kept.status = replay.status;
  kept.first_ns = replay.first_ns;
  kept.last_ns = replay.last_ns;
  kept.verdicts = replay.verdicts;
  return kept;
}

}  // namespace

std::vector<Replay> ReplayFarm::Replays(const std::vector<ReplayJob>& jobs, unsigned threads) {
  std::vector<Job> names;
  names.reserve(jobs.size());
  for (const ReplayJob& job : jobs) names.push_back(job.Name());
  const auto play = [&](size_t i, const Scenario& scenario, TestBench& bench) {
    if (!intact_[jobs[i].scenario]) return NotReplayed(scenario);
    Replay replay = RunReplay(scenario, bench, jobs[i].fault);
    return jobs[i].keep == ReplayJob::Keep::kAll ? replay : VerdictsOf(replay);
  };
  return Do<Replay>(names, play, threads);
}

void ReplayFarm::ForEach(const std::vector<Job>& jobs, unsigned threads,
                         const std::function<void(size_t, TestBench&)>& work) {
  std::atomic<size_t> next{0};
  const auto worker = [&](size_t number) {
    for (size_t i = next++; i < jobs.size(); i = next++)
      work(i, *CrewOf(jobs[i].subject).benches[number]);
  };
  const size_t most = std::min<size_t>(threads, candidate_.benches.size());
  std::vector<std::jthread> pool;
  for (size_t number = 1; number < std::min(most, jobs.size()); ++number)
    pool.emplace_back(worker, number);
  worker(0);
}

}  // namespace gatekeeper::gates
