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
// each required channel up to suite.faults.clips recordings. A fault begins between 20 % and 60 %
// of the way, at the next tick on which the unhurt unit drove by its model without any trigger; a
// recording without such a tick is passed over.
std::vector<PlannedFault> PlanStaleInputs(const std::vector<Replay>& replays,
                                          const agent::runtime::UnitRules& rules,
                                          const v1::GateSuite& suite);

// How many cuts of the link without a failure show that suite.faults.network_floor of all are
// survived, at the suite's alpha: 299 for 0.99 at 0.05. 0 where the suite hurts no recording.
uint64_t CutsNeeded(const v1::GateSuite& suite);
double NetworkFloor(const v1::GateSuite& suite);

// So many cuts, as far as the library has moments for them: once in every recording, then once more
// in each, and so on, every cut of a recording at a tick of its own between 10 % and 90 % of the
// way. By turns the link is lost for good, comes and goes first, or is down from the start.
inline constexpr char kCut[] = "link_cut";
inline constexpr char kFlapping[] = "link_flapping";
inline constexpr char kNeverUp[] = "link_never_up";
std::vector<PlannedFault> PlanNetworkDown(const std::vector<Replay>& replays,
                                          const agent::runtime::UnitRules& rules,
                                          const v1::GateSuite& suite);

}  // namespace gatekeeper::gates
