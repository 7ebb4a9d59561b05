#pragma once

#include <vector>

#include "agent/monitor/monitor.h"
#include "agent/runtime/freshness.h"
#include "agent/runtime/input_board.h"
#include "agent/runtime/policy.h"
#include "agent/runtime/tick.h"

namespace agent::runtime {

// The monitors of a policy's requirements. They begin anew with the rules.
class RequirementWatch {
 public:
  explicit RequirementWatch(const Policy& policy);

  // One tick, after its command is decided. Writes tick.requirements; a requirement keeps its last
  // state until another sample is judged. Returns the triggers of those found violated now.
  TriggerMask Step(const InputBoard& board, const Freshness& freshness, Tick& tick);

 private:
  struct Watched {
    monitor::Monitor monitor;
    RequirementState state;
  };

  const Policy* policy_;
  std::vector<Watched> watched_;  // by requirement
  std::vector<monitor::Reading> readings_;
};

}  // namespace agent::runtime
