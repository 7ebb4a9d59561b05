// What ControlCore tells the agent of: what happened, and who stopped the robot.

#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/digest.h"
#include "agent/control/control_core.h"
#include "agent/control/own_signals.h"

namespace agent::control {
namespace {

using runtime::Driver;

}  // namespace

void ControlCore::Tell(const std::string& kind, const std::string& digest,
                       const std::string& detail, const Blame& blame) {
  events_.Add(clock_.WallMs(), kind, digest, detail, blame);
  ++changes_;
}

void ControlCore::NoteTick(const runtime::Tick& tick) {
  if (tick.state == last_state_) return;
  std::string text =
      absl::StrFormat("%s -> %s", last_state_.empty() ? "start" : last_state_, tick.state);
  for (const std::string_view trigger : tick.triggers) text.append(" ").append(trigger);
  last_state_ = tick.state;
  Tell("fallback", tick.digest, text);
  const std::string conditions = Conditions(controller_.board(), tick.derate, tick.now);
  if (!conditions.empty()) Tell("conditions", tick.digest, conditions);
  NoteStop(tick);
}

// A robot that drove has come to rest in a minimal risk condition, and not because somebody ordered
// it to: it did not stand there from its start on, waits for no start, and an emergency stop is an
// event of its own.
void ControlCore::NoteStop(const runtime::Tick& tick) {
  if (!active_) return;
  const runtime::Fallback& rules = active_->pilot.rules->fallback;
  const runtime::StateRule& state = rules.states()[controller_.fallback().state];
  if (state.driver != Driver::kStop && state.driver != Driver::kHold) drove_ = true;
  if (!state.minimal_risk || !std::exchange(drove_, false)) return;
  const Blame blame = Blamed();
  if (controller_.latch().latched || blame.cause == runtime::kAwaitingStart) return;
  Tell("stopped", tick.digest,
       absl::StrFormat("%s (layer %s) in %s", blame.cause, blame.layer, tick.state), blame);
}

// Named by the incident that its re-arm will name, so that the stop is known for the same one
// however often it is told.
void ControlCore::TellEstop(const std::string& digest, Blame blame) {
  if (blame.cause.empty()) blame.cause = latch_.cause();
  const std::string layer = blame.layer.empty() ? "" : absl::StrFormat(" (layer %s)", blame.layer);
  const std::string detail =
      absl::StrFormat("%s%s, incident %s", latch_.cause(), layer, latch_.incident());
  estop_event_ = events_.Add(latch_.since_wall_ms(), "estop", digest, detail, std::move(blame));
  ++changes_;
}

// The stop of an earlier life. Events are kept in memory until the agent keeps them, so what that
// life told may be lost. Of the unit that was told then, whatever drives or is wanted by now: of
// two tellings the first that arrives is believed. Whose layer the cause is says that unit, which
// is not loaded yet.
void ControlCore::TellEstopAgain() {
  if (latch_.incident().empty()) {  // it could not be read
    latch_.set_since_wall_ms(clock_.WallMs());
    SaveLatch(started_);
  }
  if (latch_.told()) return;
  TellEstop(base::ToHex(latch_.unit()), {});
}

// The first trigger, in the order of the rules, of those in whose place the machine stands. Without
// a unit nothing but the button latches.
Blame ControlCore::Blamed() const {
  if (!active_) {
    return {.cause = std::string(runtime::kEstopButton),
            .layer = std::string(runtime::kLayerWords[0])};
  }
  const std::vector<runtime::TriggerRule>& triggers = active_->pilot.rules->fallback.triggers();
  const runtime::FallbackStatus& status = controller_.fallback();
  for (runtime::TriggerIndex i = 0; i < triggers.size(); ++i) {
    if (!status.IsActive(i) || status.triggers[i].place != status.state) continue;
    return {.cause = triggers[i].id,
            .layer = std::string(runtime::kLayerWords[static_cast<size_t>(triggers[i].layer)])};
  }
  return {};
}

}  // namespace agent::control
