#include "gatekeeper/gates/failing_drive.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/gate.h"

namespace gatekeeper::gates {
namespace {

// Before they are driven.
struct WantedDrives {
  std::vector<FailingDrive> drives;

  FailingDrive& Add(const char* gate, const PlannedFault& planned) {
    FailingDrive& drive = drives.emplace_back();
    drive.gate = gate;
    drive.planned = planned;
    drive.segment = planned.id;
    return drive;
  }
  // Those whose findings stand where the fault begins.
  void AddAtOnset(const char* gate, const Evidence& evidence, const std::vector<HurtRun>& runs,
                  const std::vector<size_t>& places) {
    for (const size_t i : places) {
      FailingDrive& drive = Add(gate, runs[i].planned);
      drive.at_s = evidence.replays[drive.planned.scenario].Second(drive.planned.fault.onset_ns);
    }
  }
  void AddCells(const Evidence& evidence) {
    const size_t before = drives.size();
    AddAtOnset("fault_matrix", evidence, evidence.matrix_runs, FailingCells(evidence));
    for (size_t i = before; i < drives.size(); ++i) drives[i].segment = CellName(drives[i].planned);
  }
  void AddCuts(const Evidence& evidence) {
    for (const size_t i : FailingCuts(evidence)) {
      FailingDrive& drive = Add("network_down", evidence.network_runs[i].planned);
      const v1::Finding finding = FindingOfCut(evidence, i);
      drive.at_s = finding.at_s();
      drive.message = finding.message();
    }
  }
  void AddCorrupted(const Evidence& evidence) {
    for (const size_t i : WrongCorrupted(evidence))
      Add("corruption", evidence.corruption_runs[i].planned);
  }
  void AddInWorlds(const std::vector<Scenario>& scenarios, const Evidence& evidence) {
    const std::vector<size_t> places = FailingInWorlds(evidence);
    if (places.empty()) return;
    const std::vector<PlannedDrive> planned = PlanDrives(scenarios, evidence.suite);
    for (const size_t i : places) {
      const v1::ClosedLoopRun& run = evidence.closed_loop[i];
      const auto found = std::find_if(planned.begin(), planned.end(), [&](const PlannedDrive& one) {
        return one.seed == run.seed() && scenarios[one.scenario].document.id() == run.scenario();
      });
      if (found == planned.end()) continue;
      FailingDrive& drive =
          Add("closed_loop", {.id = "", .scenario = found->scenario, .fault = {}});
      drive.closed = *found;
      drive.at_s = SecondOfEnd(run);
    }
  }
  void Add(const std::vector<RelationRun>& runs, const std::vector<size_t>& places) {
    for (const size_t i : places) {
      FailingDrive& drive = drives.emplace_back();
      drive.gate = "metamorphic";
      drive.relation = runs[i].planned.rule;
      drive.segment = drive.relation->id;
      drive.planned = {.id = drive.segment,
                       .scenario = runs[i].planned.scenario,
                       .fault = ChangeOf(*drive.relation)};
    }
  }
};

bool HasFault(const FailingDrive& drive) { return drive.relation == nullptr && !drive.closed; }

void DriveFaults(ReplayFarm& farm, std::vector<FailingDrive>& drives) {
  std::vector<ReplayJob> jobs;
  for (const FailingDrive& drive : drives) {
    if (!HasFault(drive)) continue;
    jobs.push_back({.scenario = drive.planned.scenario, .fault = drive.planned.fault});
  }
  std::vector<Replay> replays = farm.Replays(jobs);
  size_t next = 0;
  for (FailingDrive& drive : drives) {
    if (HasFault(drive)) drive.replay = std::move(replays[next++]);
  }
}

void DriveRelations(ReplayFarm& farm, const RelationLimits& limits,
                    std::vector<FailingDrive>& drives) {
  std::vector<Job> jobs;
  std::vector<FailingDrive*> changed;
  for (FailingDrive& drive : drives) {
    if (drive.relation == nullptr) continue;
    changed.push_back(&drive);
    jobs.push_back({.scenario = drive.planned.scenario,
                    .variant = absl::StrFormat("drive of relation %s", drive.segment)});
  }
  std::vector<Replay> replays =
      farm.Do<Replay>(jobs, [&](size_t i, const Scenario& scenario, TestBench& bench) {
        return DriveChanged(*changed[i]->relation, scenario, bench, limits);
      });
  for (size_t i = 0; i < changed.size(); ++i) changed[i]->replay = std::move(replays[i]);
}

void DriveInWorlds(ReplayFarm& farm, const MapOfSite* map, const Evidence& evidence,
                   std::vector<FailingDrive>& drives) {
  const DriveRules rules{evidence.suite.closed_loop(), map};
  std::vector<Job> jobs;
  std::vector<FailingDrive*> closed;
  for (FailingDrive& drive : drives) {
    if (!drive.closed) continue;
    closed.push_back(&drive);
    jobs.push_back(
        {.scenario = drive.planned.scenario, .variant = "ticks of " + Text(*drive.closed, rules)});
  }
  std::vector<Replay> replays =
      farm.Do<Replay>(jobs, [&](size_t i, const Scenario& scenario, TestBench& bench) {
        return ReplayClosedLoop(scenario, bench, *closed[i]->closed, rules);
      });
  for (size_t i = 0; i < closed.size(); ++i) {
    const Replay& clean = evidence.replays[closed[i]->planned.scenario];
    closed[i]->replay = std::move(replays[i]);
    closed[i]->replay.first_ns = clean.first_ns;  // seconds are the recording's
    closed[i]->replay.last_ns = clean.last_ns;
  }
}

}  // namespace

std::vector<FailingDrive> DriveFailingAgain(ReplayFarm& farm, const MapOfSite* map,
                                            const Evidence& evidence) {
  WantedDrives wanted;
  wanted.AddCells(evidence);
  wanted.AddAtOnset("fallback_chain", evidence, evidence.chain_runs, FailingLinks(evidence));
  wanted.AddCuts(evidence);
  wanted.AddCorrupted(evidence);
  wanted.Add(evidence.relation_runs, ViolatedRelations(evidence));
  wanted.AddInWorlds(farm.scenarios(), evidence);
  DriveFaults(farm, wanted.drives);
  DriveRelations(farm, {evidence.policy, evidence.fallback, evidence.suite}, wanted.drives);
  DriveInWorlds(farm, map, evidence, wanted.drives);
  return std::move(wanted.drives);
}

const FailingDrive* FindFailing(const Evidence& evidence, const std::string& gate,
                                const v1::Finding& finding) {
  for (const FailingDrive& drive : evidence.failing) {
    const bool there = drive.gate == gate && drive.segment == finding.segment() &&
                       evidence.replays[drive.planned.scenario].id() == finding.scenario();
    const bool then = !drive.at_s.has_value() || *drive.at_s == finding.at_s();
    const bool says = drive.message.empty() || drive.message == finding.message();
    if (there && then && says) return &drive;
  }
  return nullptr;
}

}  // namespace gatekeeper::gates
