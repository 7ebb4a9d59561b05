#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "gatekeeper/gates/fault_plan.h"
#include "gatekeeper/gates/relation_check.h"
#include "gatekeeper/gates/replay_farm.h"

namespace gatekeeper::gates {

struct Evidence;

// A drive with a fault, or of a changed recording, that a finding speaks of: whole, where the gate
// judged what it came to. Clips show it.
struct FailingDrive {
  std::string gate;
  std::string segment;  // as the finding names it
  PlannedFault planned;
  const RelationRule* relation = nullptr;  // null: of a fault
  Replay replay;
};

// Most drives a gate (of metamorphic, a relation) that are shown.
inline constexpr size_t kMostShown = 5;

// The drives that the findings of fault_matrix, fallback_chain, network_down, corruption and
// metamorphic speak of first, driven once more. They are chosen in the order of the plan, so that
// the shards of a run keep what its merge looks for.
std::vector<FailingDrive> DriveFailingAgain(ReplayFarm& farm, const Evidence& evidence);

// Null: there is none. Of several, the one whose fault begins at the finding's second.
const FailingDrive* FindFailing(const Evidence& evidence, const std::string& gate,
                                const v1::Finding& finding);

// Which runs those are: places in matrix_runs, chain_runs, network_runs, corruption_runs and
// relation_runs. Each in its gate's file.
std::vector<size_t> FailingCells(const Evidence& evidence);
std::vector<size_t> FailingLinks(const Evidence& evidence);
std::vector<size_t> FailingCuts(const Evidence& evidence);
std::vector<size_t> WrongCorrupted(const Evidence& evidence);
std::vector<size_t> ViolatedRelations(const Evidence& evidence);

// As findings of the fault matrix name it.
std::string CellName(const PlannedFault& planned);

}  // namespace gatekeeper::gates
