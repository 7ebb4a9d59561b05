#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "agent/runtime/input_board.h"
#include "agent/runtime/policy.h"

namespace agent::runtime {

// Judges every input of the policy: see InputFault. An input that is not required is judged once it
// has come. A message that was dropped for its stamp is a fault of the tick after it.
class Freshness {
 public:
  explicit Freshness(const Policy& policy);

  // The triggers raised now; `reasons` gets one entry per input at fault.
  TriggerMask Judge(const InputBoard& board, Nanos now, std::vector<std::string_view>& reasons);

  // As IsFresh said in the last Judge, by index of Policy::inputs().
  bool IsFresh(size_t input) const { return (fresh_ & (uint64_t{1} << input)) != 0; }
  uint64_t fresh() const { return fresh_; }  // bit i for input i
  bool all_required() const { return (fresh_ & required_) == required_; }
  // Of the input of this kind, no signal; false where the policy has none.
  bool IsFresh(ChannelKind kind) const {
    return (fresh_ & of_kind_[static_cast<size_t>(kind)]) != 0;
  }
  bool IsDeclared(ChannelKind kind) const { return of_kind_[static_cast<size_t>(kind)] != 0; }

 private:
  const Policy* policy_;
  std::vector<ChannelKind> kinds_;                     // by input, as the next
  std::vector<Drops> seen_;                            // up to the last Judge
  std::array<uint64_t, kMessageKinds + 1> of_kind_{};  // inputs, by ChannelKind
  uint64_t required_ = 0;
  uint64_t fresh_ = 0;
};

// The single judgement behind it, without the dropped messages.
bool IsFresh(const InputLimits& limits, const InputBoard& board, Nanos now);

}  // namespace agent::runtime
