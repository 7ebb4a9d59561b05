#pragma once

#include <vector>

#include "absl/status/status.h"
#include "agent/recording/observation_reader.h"
#include "agent/runtime/policy.h"
#include "gatekeeper/gates/fault.h"
#include "gatekeeper/gates/scenario_library.h"
#include "proto/verdict.pb.h"

namespace gatekeeper::gates {

// What reached the controller in a replay with `fault`, and what was recorded as driven, in order
// of time; `log_time_ns` of an observation is its arrival. Made again without any model from the
// recording, the fault and what the replay commanded (`ticks`). The link's state, which no packet
// carries, is told as the radio's, so that a replay of these observations has it too.
// An error of `hear` ends it.
absl::Status ForEachHeard(const Scenario& scenario, const agent::runtime::Policy& policy,
                          const Fault& fault, const std::vector<v1::TickRecord>& ticks,
                          const agent::recording::ObservationReader::Callback& hear);

}  // namespace gatekeeper::gates
