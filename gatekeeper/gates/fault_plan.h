#pragma once

#include <string>
#include <vector>

#include "agent/runtime/unit_rules.h"
#include "gatekeeper/gates/replay.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// One fault put into one recording.
struct PlannedFault {
  std::string id;       // "drop:scan" or "link_down"
  size_t scenario = 0;  // index into the replays it was planned from
  Fault fault;
};

struct FaultRun {
  PlannedFault planned;
  Replay replay;
};

// Which recordings are hurt and when, drawn from the suite's seed and the recordings' digests: for
// each required channel, and for the link, up to suite.faults.clips recordings. A fault begins
// between 20 % and 60 % of the way, at the next tick on which the unhurt unit drove by its model
// without any trigger; a recording without such a tick is passed over.
std::vector<PlannedFault> PlanStaleInputs(const std::vector<Replay>& replays,
                                          const agent::runtime::UnitRules& rules,
                                          const v1::GateSuite& suite);
std::vector<PlannedFault> PlanNetworkDown(const std::vector<Replay>& replays,
                                          const agent::runtime::UnitRules& rules,
                                          const v1::GateSuite& suite);

}  // namespace gatekeeper::gates
