#pragma once

#include <string_view>
#include <vector>

#include "agent/runtime/input_board.h"
#include "agent/runtime/policy.h"

namespace agent::runtime {

// Judges every input of the policy: never came, too old by the receive clock, stamp backward or
// ahead, stamp stuck, too few valid beams. An input that is not required is judged once it has
// come.
class Freshness {
 public:
  explicit Freshness(const Policy& policy)
      : policy_(&policy), backward_seen_(policy.inputs().size()) {}

  // The triggers raised now; `reasons` gets one entry per input at fault.
  TriggerMask Judge(const InputBoard& board, Nanos now, std::vector<std::string_view>& reasons);

 private:
  const Policy* policy_;
  std::vector<uint64_t> backward_seen_;
};

// The single judgement behind it, without the count of backward stamps.
bool IsFresh(const InputLimits& limits, const InputBoard& board, Nanos now);

}  // namespace agent::runtime
