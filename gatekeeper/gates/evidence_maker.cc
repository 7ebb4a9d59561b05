#include "gatekeeper/gates/evidence_maker.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <utility>

#include "gatekeeper/gates/chain_link.h"
#include "gatekeeper/gates/closed_drive.h"
#include "gatekeeper/gates/failing_drive.h"
#include "gatekeeper/gates/horizon.h"
#include "gatekeeper/gates/hurt_plan.h"

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

// One replay in so many is made again although its result is kept.
constexpr size_t kLookAgain = 20;

// A kept stream is a true record of one run, and the repeated runs are kept each by itself; but
// taken over all together they would say nothing of the computer that takes them over. So some of
// them really run again, and are held against the kept ones. Which: not by the plan's seed, or the
// others would never be looked at again. Where all is well the report does not depend on it.
void LookAgain(std::vector<ReplayJob>& jobs) {
  std::random_device device;
  std::vector<size_t> order(jobs.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::shuffle(order.begin(), order.end(), device);
  order.resize((order.size() + kLookAgain - 1) / kLookAgain);
  for (const size_t i : order) jobs[i].fresh = true;
}

std::vector<v1::ClosedLoopRun> RunDrives(ReplayFarm& farm, const MapOfSite* map,
                                         const v1::GateSuite& suite) {
  const DriveRules rules{suite.closed_loop(), map};
  std::vector<PlannedDrive> planned = PlanDrives(farm.scenarios(), suite);
  std::erase_if(planned, [&](const PlannedDrive& drive) { return !farm.intact(drive.scenario); });
  std::vector<Job> jobs;
  for (const PlannedDrive& drive : planned)
    jobs.push_back({.scenario = drive.scenario, .variant = Text(drive, rules)});
  return farm.Do<v1::ClosedLoopRun>(jobs,
                                    [&](size_t i, const Scenario& scenario, TestBench& bench) {
                                      return DriveClosedLoop(scenario, bench, planned[i], rules);
                                    });
}

// Drives with faults and of changed recordings that are kept as what they came to.
void GatherHurtDrives(ReplayFarm& farm, Evidence& evidence) {
  const v1::GateSuite& suite = evidence.suite;
  const HurtRules rules{evidence.policy, evidence.fallback, suite.agreement()};
  const auto& replays = evidence.replays;
  evidence.network_runs = RunHurt(farm, PlanNetworkDown(replays, farm.rules(), suite), rules);
  if (suite.has_fault_matrix())
    evidence.matrix_runs = RunHurt(farm, PlanFaultMatrix(replays, farm.rules(), suite), rules);
  if (suite.has_fallback_chain()) {
    evidence.chain_runs =
        RunHurt(farm, PlanFallbackChain(replays, farm.rules(), evidence.fallback, suite), rules);
  }
  if (suite.has_corruption())
    evidence.corruption_runs = RunHurt(farm, PlanCorruptions(replays, farm.rules(), suite), rules);
  if (suite.has_metamorphic()) {
    evidence.relation_runs =
        RunRelations(farm, replays, PlanRelations(replays, farm.rules(), suite),
                     {evidence.policy, evidence.fallback, suite});
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

void GatherReplays(ReplayFarm& farm, const MapOfSite* map, Evidence& evidence) {
  evidence.replays = farm.Replays(ForAll(farm, {.timed = true}), 1);
  if (evidence.suite.determinism().runs() > 0) AddStreams(evidence.replays, 0, 1, evidence);
  const uint32_t runs = evidence.suite.determinism().runs();
  for (uint32_t run = 1; run < runs; ++run) {
    auto jobs = ForAll(farm, {.run = run, .keep = ReplayJob::Keep::kVerdicts});
    if (run + 1 == runs && farm.keeps()) LookAgain(jobs);
    AddStreams(farm.Replays(jobs), run, farm.threads(), evidence);
  }
  if (evidence.deployed.has_value())
    evidence.deployed->replays = farm.Replays(ForAll(farm, {.subject = Subject::kDeployed}));
  SetHorizons(evidence);
  evidence.closed_loop = RunDrives(farm, map, evidence.suite);
  evidence.stale_runs =
      RunFaults(farm, PlanStaleInputs(evidence.replays, farm.rules(), evidence.suite));
  GatherHurtDrives(farm, evidence);
  evidence.failing = DriveFailingAgain(farm, map, evidence);
}

}  // namespace gatekeeper::gates
