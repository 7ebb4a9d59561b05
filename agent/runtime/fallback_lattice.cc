#include <algorithm>

#include "agent/runtime/fallback_graph.h"
#include "agent/runtime/fallback_machine.h"

namespace agent::runtime {
namespace {

class Lattice {
 public:
  Lattice(const Fallback& rules, const std::vector<TriggerCause>& causes)
      : rules_(rules), causes_(causes), count_(rules.latched()) {
    reach_.held.assign(rules.states().size(), false);
    reach_.wins.assign(count_, false);
    for (const StateRule& state : rules.states()) {
      if (state.needs != 0) spared_.push_back(state.needs);
    }
    spared_.push_back(0);
  }

  // Sets are only searched for what smaller ones have not shown.
  Reach Explore() {
    HoldWithoutTriggers();
    for (TriggerIndex i = 0; i < count_; ++i) Visit(MaskOf(i));
    FollowMoves();
    const TriggerMask sets = count_ <= kMaxWholeLattice ? MaskOf(count_) : 0;
    for (TriggerMask set = 1; set < sets && !reach_.whole(); ++set) Visit(set);
    for (TriggerIndex i = 0; i < count_ && sets == 0; ++i) {
      for (TriggerIndex j = 0; j < i; ++j) Visit(MaskOf(i) | MaskOf(j));
    }
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

  void Visit(TriggerMask set) {
    for (const bool previous : {true, false}) {
      for (const InputMask spared : spared_) {
        const FallbackInput world{.previous_runs = previous, .fresh = ~Lost(set, spared)};
        const StateIndex state = Demanded(rules_, set, world);
        reach_.held[state] = true;
        for (TriggerIndex i = 0; i < count_; ++i) {
          if ((set & MaskOf(i)) == 0 || rules_.triggers()[i].to != state) continue;
          if (Demanded(rules_, set & ~MaskOf(i), world) < state) reach_.wins[i] = true;
        }
      }
    }
  }

  // Inputs that are lost in this set, none of the spared ones if that can be. A trigger that
  // something else can raise too needs none.
  InputMask Lost(TriggerMask set, InputMask spared) const {
    InputMask lost = 0;
    for (TriggerIndex i = 0; i < count_; ++i) {
      if ((set & MaskOf(i)) == 0) continue;
      const InputMask inputs = causes_[i].inputs;
      if (spared == 0) {
        lost |= inputs;
      } else if (!causes_[i].others) {
        lost |= (inputs & ~spared) != 0 ? inputs & ~spared : inputs;
      }
    }
    return lost;
  }

  const Fallback& rules_;
  const std::vector<TriggerCause>& causes_;
  const size_t count_;  // the document's triggers come first
  std::vector<InputMask> spared_;
  Reach reach_;
};

}  // namespace

bool Reach::whole() const {
  return std::find(held.begin(), held.end(), false) == held.end() &&
         std::find(wins.begin(), wins.end(), false) == wins.end();
}

Reach Explore(const Fallback& rules, const std::vector<TriggerCause>& causes) {
  return Lattice(rules, causes).Explore();
}

}  // namespace agent::runtime
