#include "gatekeeper/gates/failing_drive.h"

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
  wanted.AddCells(evidence);
  wanted.AddAtOnset("fallback_chain", evidence, evidence.chain_runs, FailingLinks(evidence));
  wanted.AddCuts(evidence);
  wanted.AddCorrupted(evidence);
  wanted.Add(evidence.relation_runs, ViolatedRelations(evidence));
  DriveFaults(farm, wanted.drives);
  DriveRelations(farm, {evidence.policy, evidence.fallback, evidence.suite}, wanted.drives);
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
