// What ControlCore writes down: the latch after an answer, everything else between ticks.

#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/digest.h"
#include "agent/control/control_core.h"
#include "agent/trust/hash.h"

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;
using base::Nanos;

constexpr Nanos kSaveAgainAfter = std::chrono::seconds(1);

// Half as long as in hex, so that the record fits its slot.
std::string Raw(const std::string& hex) {
  const absl::StatusOr<base::Digest> digest = base::Digest::Parse(hex);
  return digest.ok() ? std::string(digest->bytes.begin(), digest->bytes.end()) : "";
}

}  // namespace

void ControlCore::Remember(Nanos now) {
  if (controller_.latch() == saved_latch_) return;
  NoteLatch();
  if (now >= latch_again_at_) SaveLatch(now);
}

void ControlCore::NoteLatch() {
  const runtime::LatchState& state = controller_.latch();
  const bool stopped = state.latched && !latch_.latched();
  const std::string unit = active_ ? active_->pilot.digest : "";
  if (stopped) {
    latch_.set_unit(Raw(unit));
    latch_.set_since_wall_ms(clock_.WallMs());
    latch_.clear_incident();
    latch_.clear_told();
  }
  if (state.latched && latch_.incident().empty()) latch_.set_incident(trust::RandomToken());
  latch_.set_latched(state.latched);
  latch_.set_awaiting_start(state.awaiting_start);
  latch_.set_probation(state.probation);
  latch_.set_cause(state.cause.substr(0, kMaxLatchCause));
  SetHeld(state.held, latch_);
  if (stopped) TellEstop(unit, Blamed());
}

void ControlCore::SaveLatch(Nanos now) {
  NoteLatch();
  saved_latch_.reset();
  if (WriteLatch(now)) saved_latch_ = controller_.latch();
}

bool ControlCore::WriteLatch(Nanos now) {
  const absl::Status saved = records_.SaveLatch(latch_);
  if (saved.ok()) told_due_ = false;
  latch_again_at_ = saved.ok() ? Nanos{} : now + kSaveAgainAfter;
  if (!saved.ok() && !latch_trouble_told_) {
    Tell("latch_not_saved", "", std::string(saved.message()));
  }
  latch_trouble_told_ = !saved.ok();
  return saved.ok();
}

absl::Status ControlCore::SavePointer(const v1::Pointer& pointer) {
  const absl::Status saved = records_.SavePointer(pointer);
  if (!saved.ok()) return saved;
  pointer_ = records_.pointer();
  pointer_due_ = false;
  ++changes_;
  return saved;
}

void ControlCore::SaveWhatIsDue(Nanos now) {
  // That the agent keeps the stop's event can wait until the robot stands: if it is lost, the event
  // is told once more, and a write would hold up the ticks of a robot that brakes. Whether the disk
  // takes it or not, the latch that stands there is the same: what people sign stays good.
  if (told_due_ && last_tick_ != nullptr && last_tick_->stop && now >= latch_again_at_) {
    WriteLatch(now);
  }
  if ((!pointer_due_ && !quarantine_due_) || now < save_again_at_) return;
  absl::Status saved = pointer_due_ ? SavePointer(pointer_) : absl::OkStatus();
  if (quarantine_due_) {
    const absl::Status refused = records_.SaveQuarantine(quarantine_);
    quarantine_due_ = !refused.ok();
    saved.Update(refused);
  }
  if (saved.ok()) {
    save_again_at_ = Nanos{};
    return;
  }
  // Nothing hangs on it but memory: a restart would run the same unit and count the attempt.
  if (save_again_at_ == Nanos{}) Tell("state_not_saved", "", std::string(saved.message()));
  save_again_at_ = now + kSaveAgainAfter;
}

void ControlCore::Quarantine(const std::string& digest, const std::string& reason) {
  quarantine_ = WithQuarantined(std::move(quarantine_), digest, reason);
  quarantine_due_ = true;
  Tell("quarantined", digest, reason);
}

}  // namespace agent::control
