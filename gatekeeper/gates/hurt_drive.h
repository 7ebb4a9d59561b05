#pragma once

#include <string>
#include <vector>

#include "gatekeeper/gates/fault_plan.h"
#include "gatekeeper/gates/replay_farm.h"
#include "proto/evidence.pb.h"
#include "proto/fallback.pb.h"
#include "proto/gates.pb.h"
#include "proto/policy.pb.h"

namespace gatekeeper::gates {

// What a drive with a fault is judged by.
struct HurtRules {
  const v1::ControlPolicy& policy;
  const v1::FallbackRules& fallback;
  const v1::Agreement& agreement;  // of changes that leave the loop open
};

// One drive with a fault, and what it came to. A command is unsafe when the limits' second opinion
// says so (limit_oracle.h), when it does not slow the robot down although the way it leads to
// leaves the envelope as far as the robot can know, when the state is less restrictive than the
// rule of an active trigger demands, or when there is no whole, finite command at all.
v1::HurtDrive DriveHurt(const Scenario& scenario, TestBench& bench, const Fault& fault,
                        const HurtRules& rules);

struct HurtRun {
  PlannedFault planned;
  v1::HurtDrive drive;
};

// The drives of planned faults, in their order.
std::vector<HurtRun> RunHurt(ReplayFarm& farm, std::vector<PlannedFault> planned,
                             const HurtRules& rules);

// The reduction of DriveHurt, for a replay that is at hand.
v1::HurtDrive Summary(const Replay& replay, const Fault& fault, const HurtRules& rules);

}  // namespace gatekeeper::gates
