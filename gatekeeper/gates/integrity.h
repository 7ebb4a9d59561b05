#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/scenario_library.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// What was found by reading every byte once more.
struct IntegrityCheck {
  std::vector<v1::Finding> broken;
  size_t digests = 0;                // of unit files and recordings that were compared
  std::vector<bool> intact;          // one a scenario: its recording is what the scenario names
  std::optional<std::string> model;  // the model's bytes, when they may be given to a runtime
};

// The unit's files against its manifest, the recordings against their scenarios, and the bounded
// scan of the model.
IntegrityCheck CheckIntegrity(const bundle::UngatedUnit& unit,
                              const std::vector<Scenario>& scenarios);

}  // namespace gatekeeper::gates
