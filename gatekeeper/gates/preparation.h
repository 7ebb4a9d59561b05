#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/attempts.h"
#include "gatekeeper/gates/run_suite.h"
#include "gatekeeper/gates/scenario_library.h"
#include "gatekeeper/gates/suite.h"
#include "gatekeeper/gates/waiver.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// All that stands before anything runs.
struct Prepared {
  Suite suite;
  std::vector<Scenario> scenarios;
  std::vector<Waiver> waivers;
  v1::GatePlan plan;
  std::optional<Attempt> attempt;  // nothing when nobody counts
};

// Where the model runs.
struct Host {
  std::string engine;      // numerics key of the runtime
  std::string host_class;  // see GatePlan
};

// Reads the suite and the library, and fixes the plan.
absl::StatusOr<Prepared> Prepare(const Host& host, const SuiteInput& input);

// Counts the attempt, where somebody counts. After this, and not before, anything may run.
absl::Status CountAttempt(const bundle::UngatedUnit& unit, const SuiteInput& input,
                          Prepared& prepared);

}  // namespace gatekeeper::gates
