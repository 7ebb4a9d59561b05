#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/runtime/unit_rules.h"
#include "gatekeeper/gates/fault_plan.h"
#include "proto/gates.pb.h"

// Which recordings are driven with which faults and changes. Everything is drawn from the suite's
// seed and the recordings' digests: of the recordings that can be used, those with the least draws
// are taken.

namespace gatekeeper::gates {

// Fault matrix: every fault of the suite's list (the whole catalogue when it is empty) x onset x
// duration on up to `clips` recordings, and for each onset one drive without a fault, id
// kControlDrive. A fault begins at the first tick after its share of the way before which the
// unhurt unit drove by its model and without any trigger for as long as a start's effects last.
// Faults of channels take turns over the required channels that they fit.
inline constexpr char kControlDrive[] = "none";
std::vector<PlannedFault> PlanFaultMatrix(const std::vector<Replay>& replays,
                                          const agent::runtime::UnitRules& rules,
                                          const v1::GateSuite& suite);

// Corruption: every one of the suite's list (all when it is empty) that fits a required input, in
// all severities, over the whole of up to `clips` recordings.
std::vector<PlannedFault> PlanCorruptions(const std::vector<Replay>& replays,
                                          const agent::runtime::UnitRules& rules,
                                          const v1::GateSuite& suite);

// Up to `clips` of the clips that could be replayed and are usable. One of every recording comes
// first, then the second ones; among them the least draw. A part of the library draws of its own
// clips at least those that the whole library draws.
using Usable = std::function<bool(const Replay&)>;
std::vector<size_t> DrawClips(const std::vector<Replay>& replays, const v1::GateSuite& suite,
                              const std::string& gate, uint32_t clips, const Usable& usable);
bool AnyClip(const Replay& replay);

// The tick at which a fault may begin: see PlanFaultMatrix. `calm`: how long before.
std::optional<int64_t> CalmOnset(const Replay& replay, double share, const std::string& nominal,
                                 agent::base::Nanos calm);
agent::base::Nanos CalmBefore(const agent::runtime::Policy& policy);

}  // namespace gatekeeper::gates
