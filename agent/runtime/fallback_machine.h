#pragma once

#include <array>

#include "absl/status/statusor.h"
#include "agent/runtime/fallback.h"

namespace agent::runtime {

// The fallback machine: a pure function from (rules, status, input) to status. Every active trigger
// holds a place: the state its rule names, or whatever that state gave way to (`then`, `else`). The
// machine stands in the most restrictive place held; with none, in the nominal state. A place only
// ever moves to a higher rank while its trigger is active, so clearing one trigger never loosens
// what another demands.

struct TriggerStatus {
  bool raised = false;  // the condition itself, at the last step
  bool active = false;  // raised for long enough, and not yet cleared
  Nanos since{};        // start of the unbroken stretch of `raised`
  Nanos last_raised{};
  StateIndex place = 0;  // while active

  bool operator==(const TriggerStatus&) const = default;
};

struct FallbackStatus {
  StateIndex state = 0;
  Nanos entered{};
  std::array<TriggerStatus, kMaxTriggers> triggers{};
  std::array<Nanos, kMaxFlapTransitions> rises{};  // newest rises of rank, a ring
  uint32_t rise_count = 0;                         // rises written since the start

  TriggerMask Active() const;
  bool operator==(const FallbackStatus&) const = default;
};

struct FallbackInput {
  TriggerMask raised = 0;      // conditions that hold now
  bool previous_runs = false;  // the previous unit is there and answers
  bool standing = false;       // commanded zero and, where it is measured, not moving
  Nanos now{};
};

FallbackStatus Next(const Fallback& rules, const FallbackStatus& before,
                    const FallbackInput& input);

// What a person's act clears: triggers with `operator` or `rearm`, the latch and flapping. All or
// nothing. kFailedPrecondition says what still stands in the way, or that nothing waits.
absl::StatusOr<FallbackStatus> Rearmed(const Fallback& rules, const FallbackStatus& before,
                                       Nanos standing_for);

// The status under other rules: model-layer triggers are dropped with the model they spoke of, all
// others keep their place by the names of trigger and state.
FallbackStatus CarriedOver(const Fallback& from, const FallbackStatus& status, const Fallback& to,
                           Nanos now);

}  // namespace agent::runtime
