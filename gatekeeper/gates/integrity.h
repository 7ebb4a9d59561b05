#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/scenario_library.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// What was found by reading every byte of a unit once more.
struct UnitCheck {
  std::vector<v1::Finding> broken;
  size_t digests = 0;                // of files that were compared
  std::optional<std::string> model;  // the model's bytes, when they may be given to a runtime
};

// The unit's files against its manifest, and the bounded scan of the model.
UnitCheck CheckUnit(const bundle::UngatedUnit& unit);

// The recordings against their scenarios.
struct RecordingCheck {
  std::vector<v1::Finding> broken;  // in the scenarios' order
  size_t digests = 0;
  std::vector<bool> intact;  // one a scenario: its recording is what it names
};
RecordingCheck CheckRecordings(const std::vector<Scenario>& scenarios);

}  // namespace gatekeeper::gates
