#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "gatekeeper/gates/closed_drive.h"
#include "gatekeeper/gates/fault_plan.h"
#include "gatekeeper/gates/relation_check.h"
#include "gatekeeper/gates/replay_farm.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

struct Evidence;

// A drive with a fault, of a changed recording or in a rebuilt world that a finding speaks of:
// whole, where the gate judged what it came to. Clips show it.
struct FailingDrive {
  std::string gate;
  // Where its finding stands, and what it says. Of corruptions and relations a gate has one drive a
  // recording and no more is asked.
  std::string segment;
  std::optional<double> at_s;
  std::string message;  // empty: not two findings of one segment stand at one second
  PlannedFault planned;
  const RelationRule* relation = nullptr;  // null: of no changed recording
  std::optional<PlannedDrive> closed;      // in a rebuilt world
  Replay replay;
};

// Most drives a gate (of metamorphic, a relation) that are shown.
inline constexpr size_t kMostShown = 5;

// The drives that the findings of fault_matrix, fallback_chain, network_down, corruption,
// metamorphic and closed_loop speak of first, driven once more (`map`: what closed_loop drives in).
// They are chosen in the order of the plan, so that the shards of a run keep what its merge looks
// for.
std::vector<FailingDrive> DriveFailingAgain(ReplayFarm& farm, const MapOfSite* map,
                                            const Evidence& evidence);

// The drive that the finding speaks of, not another one with the same fault in the same recording.
// Null: there is none.
const FailingDrive* FindFailing(const Evidence& evidence, const std::string& gate,
                                const v1::Finding& finding);

// Which runs those are: places in matrix_runs, chain_runs, network_runs, corruption_runs,
// relation_runs and closed_loop. Each in its gate's file.
std::vector<size_t> FailingCells(const Evidence& evidence);
std::vector<size_t> FailingLinks(const Evidence& evidence);
std::vector<size_t> FailingCuts(const Evidence& evidence);
std::vector<size_t> WrongCorrupted(const Evidence& evidence);
std::vector<size_t> ViolatedRelations(const Evidence& evidence);
std::vector<size_t> FailingInWorlds(const Evidence& evidence);

// What is said of one of the failing cuts.
v1::Finding FindingOfCut(const Evidence& evidence, size_t place);
// The second of the recording at which such a drive ended, where its finding stands.
double SecondOfEnd(const v1::ClosedLoopRun& run);

// As findings of the fault matrix name it.
std::string CellName(const PlannedFault& planned);

}  // namespace gatekeeper::gates
