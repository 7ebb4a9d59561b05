#pragma once

#include "agent/base/clock.h"
#include "agent/runtime/input_board.h"
#include "agent/runtime/tick.h"

namespace agent::control {

// What of the computer a shadow may have: only what the unit at the wheel leaves. A frame is shed
// while
//  - the driving model missed a deadline in the last five seconds,
//  - its run time (p99 of the last minute) is above four fifths of its deadline,
//  - the robot derates: heat, supply or latency already cost it speed, or
//  - the shadow's own runs would take more than a quarter of one core: a run counts to its
//    end, also where that comes after its deadline.
class ShadowBudget {
 public:
  // After every tick; `hard`: the deadline of the unit at the wheel, the longest time without one.
  void NoteTick(const runtime::Tick& tick, const runtime::InputBoard& board, base::Nanos hard);
  // The shadow was shown the tick of `shown` and its model ran for so long, or has up to now.
  void NoteRun(base::Nanos shown, base::Nanos took);
  // Whether the tick that was noted last may be shown.
  bool Allows() const { return now_ >= calm_at_ && now_ >= rested_at_ && !strained_; }

 private:
  base::Nanos now_{};
  base::Nanos calm_at_{};    // the last miss is forgotten
  base::Nanos rested_at_{};  // the last run has had its share
  bool strained_ = false;
};

}  // namespace agent::control
