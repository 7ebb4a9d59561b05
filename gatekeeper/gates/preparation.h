#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/attempts.h"
#include "gatekeeper/gates/run_suite.h"
#include "gatekeeper/gates/scenario_library.h"
#include "gatekeeper/gates/suite.h"
#include "gatekeeper/gates/waiver.h"
#include "proto/gates.pb.h"

namespace agent::inference {
class OnnxRuntime;
}

namespace gatekeeper::gates {

// All that stands before anything runs.
struct Prepared {
  Suite suite;
  std::vector<Scenario> scenarios;
  std::vector<Waiver> waivers;
  v1::GatePlan plan;
  std::optional<Attempt> attempt;  // nothing when nobody counts
};

// Reads the suite and the library, fixes the plan, and counts the attempt where somebody counts.
absl::StatusOr<Prepared> Prepare(const bundle::UngatedUnit& unit,
                                 const agent::inference::OnnxRuntime& runtime,
                                 const SuiteInput& input);

}  // namespace gatekeeper::gates
