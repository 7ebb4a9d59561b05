#include "gatekeeper/bundle/explanation.h"

#include <algorithm>
#include <bit>
#include <map>

#include "agent/runtime/fallback_machine.h"

namespace gatekeeper::bundle {
namespace {

using agent::runtime::Advance;
using agent::runtime::Demanded;
using agent::runtime::Driver;
using agent::runtime::Fallback;
using agent::runtime::FallbackInput;
using agent::runtime::FallbackStatus;
using agent::runtime::InputMask;
using agent::runtime::MaskOf;
using agent::runtime::Nanos;
using agent::runtime::StateRule;
using agent::runtime::TriggerMask;

constexpr InputMask kAllFresh = ~InputMask{0};
constexpr size_t kMaxWholeLattice = 16;  // 65 536 sets of triggers: a moment; each more doubles it

class Explorer {
 public:
  Explorer(const agent::runtime::Policy& policy, const Fallback& rules)
      : rules_(rules), period_(policy.command().period), triggers_(rules.latched()) {
    for (const StateRule& state : rules.states()) {
      horizon_ += state.max_dwell + state.complete_within + 2 * period_;
    }
  }

  Explanation Run() {
    Explanation told;
    for (size_t state = 0; state < rules_.states().size(); ++state) {
      for (size_t trigger = 0; trigger < triggers_; ++trigger) {
        told.reactions.push_back(ReactionOf(state, trigger));
      }
    }
    for (size_t a = 0; a < triggers_; ++a) {
      for (size_t b = a + 1; b < triggers_; ++b) told.pairs.push_back(PairOf(a, b));
    }
    told.every_set = triggers_ <= kMaxWholeLattice;
    told.sets = Sets(told.every_set);
    return told;
  }

 private:
  // The machine in a state that something else than the document's triggers holds there, and one
  // trigger's condition just about to have lasted for long enough.
  FallbackStatus Standing(size_t state, size_t trigger) const {
    FallbackStatus status;
    status.state = state;
    if (state > 0) {
      status.active = MaskOf(rules_.flapping());
      status.triggers[rules_.flapping()].place = state;
    }
    status.raised = MaskOf(trigger);
    status.triggers[trigger].since = -rules_.triggers()[trigger].after;
    return status;
  }

  Reaction ReactionOf(size_t state, size_t trigger) const {
    FallbackStatus status = Standing(state, trigger);
    Advance(rules_, {.raised = MaskOf(trigger), .previous_runs = true, .fresh = kAllFresh}, status);
    Reaction reaction{.state = state,
                      .trigger = trigger,
                      .next = status.state,
                      .place = status.triggers[trigger].place,
                      .stands_within = Nanos{0}};
    for (const bool previous_runs : {true, false}) {
      for (const InputMask fresh : {kAllFresh, InputMask{0}}) {
        const std::optional<Nanos> took = TimeToStand(
            Standing(state, trigger),
            {.raised = MaskOf(trigger), .previous_runs = previous_runs, .fresh = fresh});
        if (!took) {
          reaction.stands_within.reset();
          return reaction;
        }
        reaction.stands_within = std::max(*reaction.stands_within, *took);
      }
    }
    *reaction.stands_within += rules_.triggers()[trigger].detect + rules_.triggers()[trigger].after;
    return reaction;
  }

  // Stops never complete before their time, conditions never end.
  std::optional<Nanos> TimeToStand(FallbackStatus status, FallbackInput input) const {
    for (input.now = Nanos{0}; input.now <= horizon_; input.now += period_) {
      Advance(rules_, input, status);
      if (rules_.states()[status.state].minimal_risk) return input.now;
    }
    return std::nullopt;
  }

  size_t StateUnder(TriggerMask active) const {
    return Demanded(rules_, active, {.previous_runs = true, .fresh = kAllFresh});
  }

  Pair PairOf(size_t a, size_t b) const {
    Pair pair{.first = a, .second = b, .state = StateUnder(MaskOf(a) | MaskOf(b)), .winners = {}};
    for (const size_t i : {a, b}) {
      if (StateUnder(MaskOf(i)) == pair.state) pair.winners.push_back(i);
    }
    return pair;
  }

  std::vector<SetsTo> Sets(bool every) const {
    std::map<size_t, uint64_t, std::greater<>> counted;
    for (TriggerMask set = 0; every && set < MaskOf(triggers_); ++set) ++counted[StateUnder(set)];
    for (size_t a = 0; !every && a < triggers_; ++a) {
      for (size_t b = a; b < triggers_; ++b) ++counted[StateUnder(MaskOf(a) | MaskOf(b))];
    }
    std::vector<SetsTo> all;
    for (const auto& [state, sets] : counted) {
      SetsTo to{.state = state, .any_of = {}, .none_of = {}, .sets = sets};
      for (size_t i = 0; i < triggers_; ++i) {
        const size_t alone = StateUnder(MaskOf(i));
        if (alone == state) to.any_of.push_back(i);
        if (alone > state) to.none_of.push_back(i);
      }
      all.push_back(std::move(to));
    }
    return all;
  }

  const Fallback& rules_;
  const Nanos period_;
  const size_t triggers_;  // the document's
  Nanos horizon_{};
};

}  // namespace

Explanation Explain(const agent::runtime::Policy& policy, const Fallback& rules) {
  return Explorer(policy, rules).Run();
}

std::string ControllerName(Driver driver) {
  switch (driver) {
    case Driver::kModel:
      return "model";
    case Driver::kPreviousUnit:
      return "unit:previous";
    case Driver::kFollowGap:
      return "follow_gap";
    case Driver::kStop:
      return "stop";
    case Driver::kHold:
      return "hold";
  }
  return "";
}

}  // namespace gatekeeper::bundle
