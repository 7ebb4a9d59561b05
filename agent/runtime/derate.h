#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/runtime/input_board.h"
#include "agent/runtime/limits.h"
#include "agent/runtime/policy.h"

namespace agent::runtime {

// Scales the largest forward and backward speed, or that of every joint, by measured signals. Yaw
// is left to its own limits, so that a hot robot can still turn out of the way. The most
// restrictive rule wins. A rule whose scale has fallen to 0 raises its trigger and stays at 0 until
// its signal is back at release_at.
class Derating {
 public:
  explicit Derating(const Policy& policy) : policy_(&policy), stopped_(policy.derate().size(), 0) {}

  // Judges every rule once a tick; `reasons` gets those that raise their trigger.
  TriggerMask Judge(const InputBoard& board, Nanos now, std::vector<std::string_view>& reasons);

  double scale() const { return scale_; }              // 0..1, of the last Judge; 1 without rules
  std::string_view reason() const { return reason_; }  // of the rule that gave it; may be empty

 private:
  const Policy* policy_;
  std::vector<uint8_t> stopped_;  // by rule
  double scale_ = 1;
  std::string_view reason_;
};

}  // namespace agent::runtime
