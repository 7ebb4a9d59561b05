#pragma once

#include <optional>
#include <vector>

#include "agent/runtime/envelope.h"
#include "agent/runtime/input_board.h"
#include "agent/runtime/unit_rules.h"

namespace agent::runtime {

enum class AnswerKind {
  kNotAsked,   // a required input is not fresh
  kUsable,     // raw and report are finite
  kMissed,     // no answer within the budget
  kFailed,     // the run failed, the worker is gone, or an input has the wrong number of values
  kNonfinite,  // thrown away
  kBroken,     // the model's buffers do not have the sizes it was bound with: an invariant of ours
};

struct Answer {
  AnswerKind kind = AnswerKind::kNotAsked;
  std::vector<double> raw;  // empty unless kUsable
  SelfReport report;
  Nanos took{};

  bool usable() const { return kind == AnswerKind::kUsable; }
};

// Of all inputs that a policy requires.
enum class Inputs { kFresh, kStale };
Inputs InputsOf(const Policy& policy, const InputBoard& board, Nanos now);

// Runs the pilot's model once on what stands on the board, unless that is stale by the pilot's
// policy. Whatever the model does, this returns.
void Ask(const Pilot& pilot, const InputBoard& board, Inputs inputs, Nanos budget, Answer& answer);

// The odometry as a motion, when the policy has it as an input and it is fresh.
std::optional<Motion> MeasuredMotion(const Policy& policy, const InputBoard& board, Nanos now);
// The same where it is known to be fresh.
Motion MotionOf(const InputBoard& board, Nanos now);

}  // namespace agent::runtime
