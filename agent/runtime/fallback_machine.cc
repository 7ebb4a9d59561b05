#include "agent/runtime/fallback_machine.h"

#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"

namespace agent::runtime {
namespace {

void Update(const TriggerRule& rule, TriggerStatus& trigger, bool raised, Nanos now) {
  if (raised) {
    if (!trigger.raised) trigger.since = now;
    trigger.last_raised = now;
  }
  trigger.raised = raised;
  if (!trigger.active && raised && now - trigger.since >= rule.after) {
    trigger.active = true;
    trigger.place = rule.to;
  } else if (trigger.active && !raised && rule.clear == ClearBy::kQuiet &&
             now - trigger.last_raised >= rule.quiet) {
    trigger.active = false;
  }
}

StateIndex MostRestrictive(const Fallback& rules, const FallbackStatus& status) {
  StateIndex most = 0;
  for (size_t i = 0; i < rules.triggers().size(); ++i) {
    if (status.triggers[i].active) most = std::max(most, status.triggers[i].place);
  }
  return most;
}

// Where the state itself wants to go, whatever the triggers say.
std::optional<StateIndex> Onwards(const StateRule& state, std::optional<Nanos> dwelt,
                                  const FallbackInput& input) {
  if (state.driver == Driver::kPreviousUnit && !input.previous_runs) return state.otherwise;
  if (!dwelt) return std::nullopt;  // entered only now
  if (state.driver == Driver::kStop) {
    if (input.standing) return state.then;
    if (*dwelt >= state.complete_within) return state.otherwise ? state.otherwise : state.then;
  }
  if (state.max_dwell > Nanos{0} && *dwelt >= state.max_dwell) return state.otherwise;
  return std::nullopt;
}

// Moves every place that gives way in this step. Ends because a move always raises the rank.
void MovePlaces(const Fallback& rules, const FallbackStatus& before, const FallbackInput& input,
                FallbackStatus& next) {
  while (true) {
    const StateIndex state = MostRestrictive(rules, next);
    const bool stayed = state == before.state;
    const std::optional<StateIndex> onwards =
        Onwards(rules.states()[state],
                stayed ? std::optional<Nanos>(input.now - before.entered) : std::nullopt, input);
    if (!onwards) return;
    for (TriggerStatus& trigger : next.triggers) {
      if (trigger.active && trigger.place == state) trigger.place = *onwards;
    }
  }
}

void CountRise(const Fallback& rules, FallbackStatus& next, Nanos now) {
  next.rises[next.rise_count % kMaxFlapTransitions] = now;
  ++next.rise_count;
  const uint32_t kept = std::min(next.rise_count, kMaxFlapTransitions);
  const auto recent = std::count_if(next.rises.begin(), next.rises.begin() + kept,
                                    [&](Nanos at) { return now - at < rules.flap().window; });
  if (recent <= static_cast<int64_t>(rules.flap().max_transitions)) return;
  Update(rules.triggers()[rules.flapping()], next.triggers[rules.flapping()], true, now);
  next.triggers[rules.flapping()].raised = false;  // an event, not a condition that lasts
}

}  // namespace

TriggerMask FallbackStatus::Active() const {
  TriggerMask active = 0;
  for (size_t i = 0; i < triggers.size(); ++i) {
    if (triggers[i].active) active |= MaskOf(i);
  }
  return active;
}

FallbackStatus Next(const Fallback& rules, const FallbackStatus& before,
                    const FallbackInput& input) {
  FallbackStatus next = before;
  for (size_t i = 0; i < rules.triggers().size(); ++i) {
    Update(rules.triggers()[i], next.triggers[i], (input.raised & MaskOf(i)) != 0, input.now);
  }
  if (MostRestrictive(rules, next) > before.state) CountRise(rules, next, input.now);
  MovePlaces(rules, before, input, next);
  next.state = MostRestrictive(rules, next);
  if (next.state != before.state) next.entered = input.now;
  return next;
}

absl::StatusOr<FallbackStatus> Rearmed(const Fallback& rules, const FallbackStatus& before,
                                       Nanos standing_for) {
  FallbackStatus next = before;
  bool any = false;
  bool rearm = false;
  for (size_t i = 0; i < rules.triggers().size(); ++i) {
    const TriggerRule& rule = rules.triggers()[i];
    TriggerStatus& trigger = next.triggers[i];
    if (!trigger.active || rule.clear == ClearBy::kQuiet) continue;
    if (trigger.raised && i != rules.latched()) {
      return absl::FailedPreconditionError(
          absl::StrFormat("'%s' still holds; remove its cause, then re-arm", rule.id));
    }
    trigger = TriggerStatus{};
    any = true;
    rearm = rearm || rule.clear == ClearBy::kRearm;
  }
  if (!any) return absl::FailedPreconditionError("nothing waits for re-arm");
  if (rearm && standing_for < rules.standstill()) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "the robot must have stood for %.1f s, it has for %.1f s; wait, then re-arm",
        static_cast<double>(rules.standstill().count()) * 1e-9,
        static_cast<double>(standing_for.count()) * 1e-9));
  }
  return next;
}

FallbackStatus CarriedOver(const Fallback& from, const FallbackStatus& status, const Fallback& to,
                           Nanos now) {
  FallbackStatus next;
  next.entered = now;
  next.rises = status.rises;
  next.rise_count = status.rise_count;
  const auto state_named = [&](const std::string& name) -> std::optional<StateIndex> {
    for (StateIndex i = 0; i < to.states().size(); ++i) {
      if (to.states()[i].name == name) return i;
    }
    return std::nullopt;
  };
  for (size_t i = 0; i < to.triggers().size(); ++i) {
    const TriggerRule& rule = to.triggers()[i];
    if (rule.layer == Layer::kModel) continue;
    for (size_t j = 0; j < from.triggers().size(); ++j) {
      if (from.triggers()[j].id != rule.id) continue;
      next.triggers[i] = status.triggers[j];
      const StateIndex place = status.triggers[j].place;
      const std::optional<StateIndex> same = state_named(from.states()[place].name);
      next.triggers[i].place = std::max(rule.to, same.value_or(rule.to));
    }
  }
  next.state = MostRestrictive(to, next);
  return next;
}

}  // namespace agent::runtime
