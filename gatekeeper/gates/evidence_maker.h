#pragma once

#include <vector>

#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/policy_files.h"
#include "gatekeeper/gates/replay_farm.h"

namespace gatekeeper::gates {

// Fills everything that needs replays: the run that is judged (one thread, so that its times are
// worth something), the repeated runs side by side, and the runs with faults.
//
// Every kind of evidence is made here by the same three lines: plan jobs, have the farm do them,
// keep the results in `evidence`. A plan that takes some scenarios and not others must go by an
// order that each scenario's own digest, the seed and that scenario's own results decide (draw,
// sort, take the first so many): then what any part of the library would choose by itself contains
// what the whole library chooses from that part.
// `map`: the suite's of the closed loop; null: it names none.
void GatherReplays(ReplayFarm& farm, const MapOfSite* map, Evidence& evidence);

// The replays of planned faults, in their order.
std::vector<FaultRun> RunFaults(ReplayFarm& farm, std::vector<PlannedFault> planned);

}  // namespace gatekeeper::gates
