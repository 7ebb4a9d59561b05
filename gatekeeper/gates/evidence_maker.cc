#include "gatekeeper/gates/evidence_maker.h"

#include <utility>

namespace gatekeeper::gates {
namespace {

// The same job for every scenario.
std::vector<ReplayJob> ForAll(const ReplayFarm& farm, const ReplayJob& pattern) {
  std::vector<ReplayJob> jobs(farm.scenarios().size(), pattern);
  for (size_t i = 0; i < jobs.size(); ++i) jobs[i].scenario = i;
  return jobs;
}

void AddStreams(const std::vector<Replay>& replays, uint32_t run, unsigned threads,
                Evidence& evidence) {
  for (size_t i = 0; i < replays.size(); ++i) {
    evidence.streams.push_back(
        {.scenario = i, .run = run, .threads = threads, .verdicts = replays[i].verdicts});
  }
}

}  // namespace

std::vector<FaultRun> RunFaults(ReplayFarm& farm, std::vector<PlannedFault> planned) {
  std::vector<ReplayJob> jobs;
  jobs.reserve(planned.size());
  for (const PlannedFault& fault : planned)
    jobs.push_back({.scenario = fault.scenario, .fault = fault.fault});
  std::vector<Replay> replays = farm.Replays(jobs);
  std::vector<FaultRun> runs(planned.size());
  for (size_t i = 0; i < runs.size(); ++i)
    runs[i] = {.planned = std::move(planned[i]), .replay = std::move(replays[i])};
  return runs;
}

void GatherReplays(ReplayFarm& farm, Evidence& evidence) {
  evidence.replays = farm.Replays(ForAll(farm, {}), 1);
  if (evidence.suite.determinism().runs() > 0) AddStreams(evidence.replays, 0, 1, evidence);
  for (uint32_t run = 1; run < evidence.suite.determinism().runs(); ++run) {
    const auto again = farm.Replays(ForAll(farm, {.run = run, .keep = ReplayJob::Keep::kVerdicts}));
    AddStreams(again, run, farm.threads(), evidence);
  }
  if (evidence.deployed.has_value())
    evidence.deployed->replays = farm.Replays(ForAll(farm, {.subject = Subject::kDeployed}));
  evidence.stale_runs =
      RunFaults(farm, PlanStaleInputs(evidence.replays, farm.rules(), evidence.suite));
  evidence.network_runs =
      RunFaults(farm, PlanNetworkDown(evidence.replays, farm.rules(), evidence.suite));
}

}  // namespace gatekeeper::gates
