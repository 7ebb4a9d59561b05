#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/runtime/policy.h"
#include "gatekeeper/faults/catalogue.h"
#include "gatekeeper/gates/hurt_drive.h"
#include "proto/evidence.pb.h"

namespace gatekeeper::gates {

// What a robot is safe by after a fault.
enum class Safety {
  kStopped,   // a minimal risk condition, or the trigger is quiet again
  kOffModel,  // that, or a state that does not drive by the unit's model
  kObeyed,    // that, or the state that the trigger's rule demands
};

// What must come of one fault in one recording, from the policy's and the rules' documents and how
// long the fault lasts: nothing here is written down for any unit.
struct Expectation {
  // One of these triggers must come; empty: nothing need be noticed (a fault shorter or weaker than
  // every limit of the policy), so long as no command is unsafe.
  std::vector<std::string> wanted;
  int64_t from_ns =
      0;  // from when on time is counted: the onset, or when it could first be noticed
  double allowed_ms = 0;  // that the trigger's rule itself waits
  Safety safety = Safety::kStopped;
  double most_derate = 1;  // share of its speed that derating may leave the robot
};

Expectation ExpectationOf(const faults::Entry& entry, const HurtRun& run, const HurtRules& rules,
                          const agent::runtime::Policy& policy);

}  // namespace gatekeeper::gates
