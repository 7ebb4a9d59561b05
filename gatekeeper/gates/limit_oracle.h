#pragma once

#include <optional>
#include <string>

#include "gatekeeper/gates/replay.h"
#include "proto/policy.pb.h"

namespace gatekeeper::gates {

// A second opinion on enforced commands, read from the policy's document and not from the code that
// enforced them: every value finite and within its absolute bound, and (twist2d) no speed rising
// faster than the policy's highest acceleration allows, no rise growing faster than its highest
// jerk does, and none further ahead of the measured speed than it may be.
struct LimitBreach {
  size_t tick = 0;
  std::string message;
};
std::optional<LimitBreach> FirstBreach(const Replay& replay, const v1::ControlPolicy& policy);

// The largest raw excess over an absolute bound, as a sentence; empty when the model kept all of
// them.
std::string WorstRawExcess(const Replay& replay, const v1::ControlPolicy& policy);

}  // namespace gatekeeper::gates
