#pragma once

#include <array>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/runtime/fallback.h"

namespace agent::runtime {

// The fallback machine: a pure function from (rules, status, input) to status. Every active trigger
// holds a place: the state its rule names, or whatever that state gave way to (`then`, `else`). The
// machine stands in the most restrictive place held; with none, in the nominal state. Places move
// independently of each other, and only to a higher rank while their trigger is active: another
// trigger never makes the machine less restrictive, and clearing one never loosens what another
// demands.

struct TriggerStatus {
  Nanos since{};  // start of the newest unbroken stretch of its condition
  Nanos last_raised{};
  StateIndex place = 0;  // while active
  Nanos placed{};        // when it came there

  bool operator==(const TriggerStatus&) const = default;
};

// The newest times at which something happened.
template <uint32_t kSize>
struct TimeRing {
  std::array<Nanos, kSize> times{};
  uint32_t count = 0;  // since the start

  void Add(Nanos now) { times[count++ % kSize] = now; }
  uint32_t Within(Nanos window, Nanos now) const {
    uint32_t recent = 0;
    for (uint32_t i = 0; i < count && i < kSize; ++i) recent += now - times[i] < window ? 1 : 0;
    return recent;
  }
  bool operator==(const TimeRing&) const = default;
};

struct FallbackStatus {
  StateIndex state = 0;
  TriggerMask raised = 0;  // conditions at the last step
  TriggerMask active = 0;  // raised for long enough, and not yet cleared
  TriggerMask held = 0;    // active, and cleared by itself too often: an operator must
  Nanos probation{};       // driving that is still on probation after a re-arm
  std::array<TriggerStatus, kMaxTriggers> triggers{};
  TimeRing<kMaxFlapTransitions> rises{};  // of the rank
  std::array<TimeRing<kMaxClearsPerHour>, kMaxTriggers> clears{};

  bool IsActive(TriggerIndex trigger) const { return (active & MaskOf(trigger)) != 0; }
  bool operator==(const FallbackStatus&) const = default;
};

struct FallbackInput {
  TriggerMask raised = 0;      // conditions that hold now
  bool previous_runs = false;  // the previous unit is there and answers
  bool standing = false;       // commanded zero and, where it is measured, not moving
  Nanos now{};
  InputMask fresh = 0;  // inputs that are
  ZoneMask zones = 0;   // speed zones that the robot's centre is in, by a fresh pose
  Nanos driven{};       // time since the last step, if the robot has driven through it
};

FallbackStatus Next(const Fallback& rules, const FallbackStatus& before,
                    const FallbackInput& input);
// The same in place, for the tick: touches nothing but the triggers that are raised or active.
void Advance(const Fallback& rules, const FallbackInput& input, FallbackStatus& status);

// Where the machine would stand if exactly these triggers had just become active.
StateIndex Demanded(const Fallback& rules, TriggerMask active, const FallbackInput& input);

// What a person's act clears: triggers with `operator` or `rearm`, the latch, flapping and those
// that cleared by themselves too often. All or nothing. kFailedPrecondition says what still stands
// in the way, or that nothing waits. After a re-arm (not after an operator's act) the robot is on
// probation from its next start on.
absl::StatusOr<FallbackStatus> Rearmed(const Fallback& rules, const FallbackStatus& before,
                                       Nanos standing_for);

// The status under other rules: model-layer triggers are dropped with the model they spoke of, all
// others keep their place by the names of trigger and state. A probation starts anew.
FallbackStatus CarriedOver(const Fallback& from, const FallbackStatus& status, const Fallback& to,
                           Nanos now);

// What a person must clear outlives a restart and other rules: the trigger of each of these names
// becomes active, unless it is, and is held until a person acts; a name that the rules do not know
// holds `flapping` in its place. How far its place had moved before is not known: it stands where
// flapping would, at least.
void Hold(const Fallback& rules, const std::vector<std::string>& names, Nanos now,
          FallbackStatus& status);

}  // namespace agent::runtime
