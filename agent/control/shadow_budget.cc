#include "agent/control/shadow_budget.h"

#include <algorithm>

#include "agent/control/own_signals.h"

namespace agent::control {
namespace {

constexpr base::Nanos kCalmAfterMiss = std::chrono::seconds(5);
// Of the deadline. p99 is told up to an eighth too large, so it may really stand at 0.71.
constexpr double kNearDeadline = 0.8;
// A quarter of one core: on the smallest robot computer, of four, a sixteenth of it all.
constexpr int kShareOfCore = 4;
// It is told every second for as long as the model runs.
constexpr base::Nanos kTold = std::chrono::seconds(2);

}  // namespace

void ShadowBudget::NoteTick(const runtime::Tick& tick, const runtime::InputBoard& board,
                            base::Nanos hard) {
  now_ = tick.now;
  if (tick.deadline_missed) calm_at_ = now_ + kCalmAfterMiss;
  const runtime::SignalEntry* const p99_ms = board.FindSignal(kLatencySignal);
  const bool late = p99_ms != nullptr && p99_ms->own && now_ - p99_ms->record.received <= kTold &&
                    p99_ms->value > kNearDeadline * 1e3 * base::Seconds(hard);
  strained_ = late || tick.derate < 1;
}

void ShadowBudget::NoteRun(base::Nanos shown, base::Nanos took) {
  rested_at_ = std::max(rested_at_, shown + kShareOfCore * took);
}

}  // namespace agent::control
