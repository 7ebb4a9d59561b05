#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "agent/base/status_macros.h"
#include "agent/runtime/controller.h"

// The part of the Controller that keeps a robot stopped until a person has looked.

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Without a unit there is no policy to read numbers from.
constexpr Nanos kRulesOnlyMaxAge = milliseconds(500);
constexpr Nanos kRulesOnlyStandstill = seconds(5);

// Somebody who presses start lets go of it first; a robot program that never stops asking, or one
// that sends single channels in between, must not look like that.
constexpr Nanos kStartPause = seconds(1);

// Measured motion that counts as standing: above the noise of wheel odometry, below a creep that
// hurts.
constexpr double kStandingMps = 0.05;
constexpr double kStandingRadps = 0.1;

}  // namespace

// A trigger that only re-arming clears is active: it holds the machine by itself.
bool Controller::LatchHolds() const { return (status_.active & latching_) != 0; }

// Only when the set changes, which costs memory: no ordinary tick does.
void Controller::NameHeld(TriggerMask held) {
  named_ = held;
  latch_.held.clear();
  for (; held != 0; held &= held - 1) {
    const auto trigger = static_cast<size_t>(std::countr_zero(held));
    latch_.held.push_back(rules_->fallback.triggers()[trigger].id);
  }
}

void Controller::KeepLatch() {
  const Fallback& fallback = rules_->fallback;
  if (WaitingForPerson() != named_) NameHeld(WaitingForPerson());
  if (status_.probation == Nanos{0} && CommandIsZero()) latch_.probation = false;
  if (latch_.latched || (!LatchHolds() && !fallback.states()[status_.state].persistent_latch)) {
    return;
  }
  latch_ = {
      .latched = true, .cause = {}, .probation = latch_.probation, .held = std::move(latch_.held)};
  start_ = Start::kNotAwaited;
  for (TriggerMask left = status_.active; left != 0; left &= left - 1) {
    if (!latch_.cause.empty()) latch_.cause += ", ";
    latch_.cause += fallback.triggers()[static_cast<size_t>(std::countr_zero(left))].id;
  }
}

std::optional<bool> Controller::MeasuredStanding() const {
  const auto declared = [&](ChannelKind channel) {
    return rules_ == nullptr ? board_.RecordOf(channel).seen : freshness_->IsDeclared(channel);
  };
  const auto fresh = [&](ChannelKind channel) {
    return rules_ == nullptr ? *now_ - board_.RecordOf(channel).received <= kRulesOnlyMaxAge
                             : freshness_->IsFresh(channel);
  };
  if (declared(ChannelKind::kOdom)) {
    if (!fresh(ChannelKind::kOdom)) return std::nullopt;
    if (std::abs(board_.odom().vx_mps()) > kStandingMps) return false;
    if (std::abs(board_.odom().wz_radps()) > kStandingRadps) return false;
  }
  if (declared(ChannelKind::kJoints)) {
    if (!fresh(ChannelKind::kJoints)) return std::nullopt;
    for (double speed : board_.joints().qd_radps()) {
      if (std::abs(speed) > kStandingRadps) return false;
    }
  }
  return true;
}

absl::StatusOr<FallbackStatus> Controller::AfterRearm(Nanos now) const {
  if (now_) now = std::max(now, *now_);
  const Nanos standing_for = standing_since_ ? now - *standing_since_ : Nanos{0};
  if (estop_seen_ || board_.estop_pressed()) {
    return absl::FailedPreconditionError(
        "the emergency stop button is still pressed; release it, then re-arm");
  }
  if (rules_ != nullptr) return Rearmed(rules_->fallback, status_, standing_for);
  if (!latch_.latched && latch_.held.empty()) {
    return absl::FailedPreconditionError("nothing waits for re-arm");
  }
  if (latch_.latched && standing_for < kRulesOnlyStandstill) {
    return absl::FailedPreconditionError(
        "the robot must have stood for 5 s by its own odometry; wait, then re-arm");
  }
  return status_;
}

absl::Status Controller::MayRearm(Nanos now) const { return AfterRearm(now).status(); }

absl::Status Controller::Rearm(Nanos now) {
  ASSIGN_OR_RETURN(status_, AfterRearm(now));
  named_ = 0;
  latch_.held.clear();
  if (latch_.latched) ExpectStart();
  return absl::OkStatus();
}

void Controller::ExpectStart() {
  latch_ = {.latched = false, .awaiting_start = true, .cause = {}, .probation = true};
  start_ = Start::kAwaitingRelease;
}

void Controller::FollowStart(bool want_command, Nanos received) {
  if (start_ == Start::kAwaitingPress && want_command) {
    start_ = Start::kNotAwaited;
    latch_.awaiting_start = false;
  }
  if (start_ == Start::kAwaitingRelease && !want_command && received - last_want_ >= kStartPause) {
    start_ = Start::kAwaitingPress;
  }
  if (want_command) last_want_ = received;
}

}  // namespace agent::runtime
