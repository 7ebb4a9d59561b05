#include "gatekeeper/gates/failing_drive.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/gate.h"

namespace gatekeeper::gates {
namespace {

// Before they are driven.
struct WantedDrives {
  std::vector<FailingDrive> drives;

  void Add(const char* gate, const std::vector<HurtRun>& runs, const std::vector<size_t>& places) {
    for (const size_t i : places) {
      FailingDrive& drive = drives.emplace_back();
      drive.gate = gate;
      drive.planned = runs[i].planned;
      drive.segment = drive.gate == "fault_matrix" ? CellName(drive.planned) : drive.planned.id;
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

void DriveFaults(ReplayFarm& farm, std::vector<FailingDrive>& drives) {
  std::vector<ReplayJob> jobs;
  for (const FailingDrive& drive : drives) {
    if (drive.relation != nullptr) continue;
    jobs.push_back({.scenario = drive.planned.scenario, .fault = drive.planned.fault});
  }
  std::vector<Replay> replays = farm.Replays(jobs);
  size_t next = 0;
  for (FailingDrive& drive : drives) {
    if (drive.relation == nullptr) drive.replay = std::move(replays[next++]);
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

}  // namespace

std::vector<FailingDrive> DriveFailingAgain(ReplayFarm& farm, const Evidence& evidence) {
  WantedDrives wanted;
  wanted.Add("fault_matrix", evidence.matrix_runs, FailingCells(evidence));
  wanted.Add("fallback_chain", evidence.chain_runs, FailingLinks(evidence));
  wanted.Add("network_down", evidence.network_runs, FailingCuts(evidence));
  wanted.Add("corruption", evidence.corruption_runs, WrongCorrupted(evidence));
  wanted.Add(evidence.relation_runs, ViolatedRelations(evidence));
  DriveFaults(farm, wanted.drives);
  DriveRelations(farm, {evidence.policy, evidence.fallback, evidence.suite}, wanted.drives);
  return std::move(wanted.drives);
}

const FailingDrive* FindFailing(const Evidence& evidence, const std::string& gate,
                                const v1::Finding& finding) {
  const FailingDrive* found = nullptr;
  for (const FailingDrive& drive : evidence.failing) {
    const Replay& clean = evidence.replays[drive.planned.scenario];
    if (drive.gate != gate || drive.segment != finding.segment() ||
        clean.id() != finding.scenario()) {
      continue;
    }
    if (found == nullptr || clean.Second(drive.planned.fault.onset_ns) == finding.at_s())
      found = &drive;
  }
  return found;
}

}  // namespace gatekeeper::gates
