#include "agent/runtime/fallback_graph.h"
#include "agent/runtime/fallback_machine.h"

namespace agent::runtime {
namespace {

class Exploration {
 public:
  Exploration(const Fallback& rules, const std::vector<TriggerCause>& causes)
      : rules_(rules), causes_(causes), count_(rules.latched()) {
    reach_.held.assign(rules.states().size(), false);
    reach_.wins.assign(count_, false);
  }

  Reach Explore() {
    HoldWithoutTriggers();
    for (TriggerIndex i = 0; i < count_; ++i) Visit(i);
    FollowMoves();
    return std::move(reach_);
  }

 private:
  // What the machine itself leads to, and triggers that cleared too often.
  void HoldWithoutTriggers() {
    reach_.held[0] = true;
    reach_.held[rules_.flap().to] = true;
    reach_.held[rules_.probation().to] = true;
    for (const TriggerRule& trigger : rules_.triggers()) {
      if (trigger.max_per_hour > 0) reach_.held[trigger.otherwise] = true;
    }
  }

  // Moves lead upwards, so one pass in the order of rank is enough.
  void FollowMoves() {
    for (StateIndex i = 0; i < rules_.states().size(); ++i) {
      const StateRule& state = rules_.states()[i];
      if (!reach_.held[i]) continue;
      if (state.then) reach_.held[*state.then] = true;
      if (state.otherwise) reach_.held[*state.otherwise] = true;
    }
  }

  // For each state the world that is best for it. Where the robot goes in worse ones is what states
  // give way to, which FollowMoves follows.
  void Visit(TriggerIndex trigger) {
    for (const StateRule& spared : rules_.states()) {
      const FallbackInput world{.previous_runs = true, .fresh = ~Lost(trigger, spared.needs)};
      const StateIndex state = Demanded(rules_, MaskOf(trigger), world);
      reach_.held[state] = true;
      if (state == rules_.triggers()[trigger].to) reach_.wins[trigger] = true;
    }
  }

  // Inputs that are lost while it is raised, none of the spared ones if that can be: something else
  // may raise it, or the loss of another input.
  InputMask Lost(TriggerIndex trigger, InputMask spared) const {
    const InputMask inputs = causes_[trigger].inputs;
    if (causes_[trigger].others) return 0;
    return (inputs & ~spared) != 0 ? inputs & ~spared : inputs;
  }

  const Fallback& rules_;
  const std::vector<TriggerCause>& causes_;
  const size_t count_;  // the document's triggers come first
  Reach reach_;
};

}  // namespace

Reach Explore(const Fallback& rules, const std::vector<TriggerCause>& causes) {
  return Exploration(rules, causes).Explore();
}

}  // namespace agent::runtime
