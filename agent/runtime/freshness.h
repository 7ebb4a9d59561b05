#pragma once

#include <string_view>
#include <vector>

#include "agent/runtime/input_board.h"
#include "agent/runtime/policy.h"

namespace agent::runtime {

// Judges every input of the policy: see InputFault. An input that is not required is judged once it
// has come. A message that was dropped for its stamp is a fault of the tick after it.
class Freshness {
 public:
  explicit Freshness(const Policy& policy) : policy_(&policy), seen_(policy.inputs().size()) {}

  // The triggers raised now; `reasons` gets one entry per input at fault.
  TriggerMask Judge(const InputBoard& board, Nanos now, std::vector<std::string_view>& reasons);

 private:
  const Policy* policy_;
  std::vector<Drops> seen_;  // up to the last Judge
};

// The single judgement behind it, without the dropped messages.
bool IsFresh(const InputLimits& limits, const InputBoard& board, Nanos now);

}  // namespace agent::runtime
