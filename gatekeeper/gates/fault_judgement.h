#pragma once

#include <optional>
#include <string>

#include "gatekeeper/gates/fault_plan.h"
#include "proto/fallback.pb.h"

namespace gatekeeper::gates {

// When a fault was noticed and when the robot was safe, in ms since its onset.
struct Reaction {
  std::optional<double> detected_ms;  // the trigger became active
  std::optional<double> safe_ms;      // first tick in a minimal risk condition
};
Reaction ReactionOf(const FaultRun& run, const std::string& trigger,
                    const v1::FallbackRules& rules);

// "412 ms", or "never" within what was watched.
std::string InWords(const std::optional<double>& ms);

// A finding at the fault's onset, with the fault's id where a segment would stand.
v1::Finding FaultFinding(const FaultRun& run, const std::string& message);

}  // namespace gatekeeper::gates
