#pragma once

#include <string>
#include <vector>

#include "agent/runtime/unit_rules.h"
#include "gatekeeper/gates/fault_plan.h"
#include "proto/fallback.pb.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// One link of the chain that begins where the unit's model is lost: what is taken from the robot,
// and the state that must hold then. Read from the rules' document.
struct ChainLink {
  std::string id;      // e.g. "previous_late", "blind:scan", "dwell:PREVIOUS_MODEL"
  std::string target;  // a state of at least this rank; of one that stops: a minimal risk condition
  double after_s = 0;  // that the rules themselves grant the state before it
  Fault::Previous previous = Fault::Previous::kAbsent;
  std::string silent = {};  // a channel that is lost too; empty: none
};

// In order of the chain: the model is lost with the previous unit sound, absent, failing, not
// finite and late; the simple controller loses each of the channels that it needs; every dwell runs
// out.
std::vector<ChainLink> LinksOf(const v1::FallbackRules& rules);

// Every link in up to suite.fallback_chain.clips recordings.
std::vector<PlannedFault> PlanFallbackChain(const std::vector<Replay>& replays,
                                            const agent::runtime::UnitRules& rules,
                                            const v1::FallbackRules& document,
                                            const v1::GateSuite& suite);

}  // namespace gatekeeper::gates
