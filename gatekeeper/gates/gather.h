#pragma once

#include "absl/status/statusor.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/preparation.h"

namespace gatekeeper::gates {

// Everything the gates look at. Documents or a model that cannot be used leave the replays empty.
absl::StatusOr<Evidence> Gather(const bundle::UngatedUnit& unit, const Prepared& prepared,
                                const agent::inference::OnnxRuntime& runtime,
                                const SuiteInput& input);

}  // namespace gatekeeper::gates
