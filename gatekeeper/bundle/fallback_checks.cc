#include "gatekeeper/bundle/fallback_checks.h"

#include <map>
#include <set>

#include "absl/strings/str_format.h"

namespace gatekeeper::bundle {
namespace {

using v1::FallbackRules;
using v1::FallbackState;
using v1::Trigger;

const FallbackState* Find(const FallbackRules& rules, const std::string& name) {
  const auto found = rules.states().find(name);
  return found == rules.states().end() ? nullptr : &found->second;
}

std::map<std::string, const FallbackState*> Sorted(const FallbackRules& rules) {
  std::map<std::string, const FallbackState*> sorted;
  for (const auto& [name, state] : rules.states()) sorted[name] = &state;
  return sorted;
}

// Where a state goes when it has done its work, or cannot do it.
const std::string& Way(const FallbackState& state) {
  return state.then().empty() ? state.else_() : state.then();
}

bool IsStop(const FallbackState& state) { return state.controller() == "stop"; }

class Checks {
 public:
  explicit Checks(const FallbackRules& rules) : rules_(rules) {}

  std::vector<Finding> Run() {
    CheckRanks();
    for (const auto& [name, state] : Sorted(rules_)) {
      CheckMoves(name, *state);
      CheckWayOut(name, *state);
    }
    CheckTriggers();
    CheckDeadStates();
    CheckEmergencyStop();
    return std::move(found_);
  }

 private:
  void Add(const char* rule, const std::string& path, const std::string& message) {
    found_.push_back({rule, path, message});
  }

  void CheckRanks() {
    std::map<uint32_t, std::string> by_rank;
    for (const auto& [name, state] : Sorted(rules_)) {
      const auto [at, fresh] = by_rank.emplace(state->rank(), name);
      if (!fresh) {
        Add("S4", "states." + name + ".rank",
            absl::StrFormat("rank %d is %s's already; ranks are a total order", state->rank(),
                            at->second));
      }
    }
    if (!by_rank.contains(0)) {
      Add("S2", "states", "one state must have rank 0: the one in which the model drives");
    }
  }

  void CheckMove(const std::string& name, const FallbackState& state, const std::string& key,
                 const std::string& target) {
    if (target.empty()) return;
    const std::string path = "states." + name + "." + key;
    const FallbackState* next = Find(rules_, target);
    if (next == nullptr) {
      Add("S2", path, absl::StrFormat("there is no state '%s'", target));
    } else if (next->rank() <= state.rank()) {
      Add("S4", path,
          absl::StrFormat("%s has rank %d, not above %s's %d: involuntary moves only go up", target,
                          next->rank(), name, state.rank()));
    }
  }

  void CheckMoves(const std::string& name, const FallbackState& state) {
    CheckMove(name, state, "else", state.else_());
    CheckMove(name, state, "then", state.then());
    if (IsStop(state) && state.complete_within_ms() <= 0) {
      Add("S5", "states." + name + ".complete_within_ms",
          "a stop must say within what time it is complete");
    }
    if (IsStop(state) && state.dec_mps2() <= 0) {
      Add("S14", "states." + name + ".dec_mps2", "a stop needs a deceleration above 0");
    }
  }

  // Follows the way out; ranks rise on it, so it ends (a cycle is S4's finding).
  void CheckWayOut(const std::string& name, const FallbackState& state) {
    const FallbackState* here = &state;
    for (int steps = 0; steps <= rules_.states_size(); ++steps) {
      if (here->minimal_risk_condition() || here->rank() == 0) return;
      const FallbackState* next = Find(rules_, Way(*here));
      if (next == nullptr) break;
      here = next;
    }
    Add("S2", "states." + name,
        absl::StrFormat("%s has no way to a minimal risk condition: give it `then` or `else`",
                        name));
  }

  // Longest time from raising the trigger to a minimal risk condition, if the target is a stop.
  void CheckTime(const Trigger& trigger, const std::string& path) {
    const FallbackState* here = Find(rules_, trigger.to());
    if (here == nullptr || !IsStop(*here)) return;
    double ms = trigger.after_ms();
    for (int steps = 0; here != nullptr && steps <= rules_.states_size(); ++steps) {
      if (here->minimal_risk_condition()) break;
      ms += here->complete_within_ms();
      // The worst case runs into `else` after the time is up, which then has to stop by itself.
      here = Find(rules_, here->else_().empty() ? here->then() : here->else_());
    }
    if (ms > rules_.mrc_within_ms()) {
      Add("S5", path,
          absl::StrFormat(
              "%s needs up to %g ms to a minimal risk condition; mrc_within_ms allows %g",
              trigger.id(), ms, rules_.mrc_within_ms()));
    }
  }

  void CheckTriggers() {
    std::set<std::string> seen;
    for (int i = 0; i < rules_.triggers_size(); ++i) {
      const Trigger& trigger = rules_.triggers(i);
      const std::string path = absl::StrFormat("triggers[%d]", i);
      if (!seen.insert(trigger.id()).second) {
        Add("S3", path + ".id",
            absl::StrFormat("trigger '%s' has a rule already; this one would never act",
                            trigger.id()));
      }
      const FallbackState* target = Find(rules_, trigger.to());
      if (target == nullptr) {
        Add("S2", path + ".to", absl::StrFormat("there is no state '%s'", trigger.to()));
      } else if (target->rank() == 0) {
        Add("S3", path + ".to", "a trigger to rank 0 can never win");
      }
      CheckTime(trigger, path);
    }
    if (rules_.has_flap() && Find(rules_, rules_.flap().to()) == nullptr) {
      Add("S2", "flap.to", absl::StrFormat("there is no state '%s'", rules_.flap().to()));
    }
  }

  void CheckDeadStates() {
    std::set<std::string> reached;
    for (const Trigger& trigger : rules_.triggers()) reached.insert(trigger.to());
    if (rules_.has_flap()) reached.insert(rules_.flap().to());
    for (size_t before = 0; before != reached.size();) {
      before = reached.size();
      for (const std::string& name : std::set<std::string>(reached)) {
        const FallbackState* state = Find(rules_, name);
        if (state == nullptr) continue;
        if (!state->else_().empty()) reached.insert(state->else_());
        if (!state->then().empty()) reached.insert(state->then());
      }
    }
    for (const auto& [name, state] : Sorted(rules_)) {
      if (state->rank() != 0 && !reached.contains(name)) {
        Add("S3", "states." + name, name + " can never be entered: no trigger leads to it");
      }
    }
  }

  void CheckEmergencyStop() {
    for (int i = 0; i < rules_.triggers_size(); ++i) {
      const Trigger& trigger = rules_.triggers(i);
      if (trigger.id() != "estop_button") continue;
      const std::string path = absl::StrFormat("triggers[%d]", i);
      if (!trigger.clear().rearm()) {
        Add("S13", path + ".clear", "estop_button clears by `rearm: true` and nothing else");
      }
      const FallbackState* here = Find(rules_, trigger.to());
      for (int steps = 0; here != nullptr && steps <= rules_.states_size(); ++steps) {
        if (here->latch() == "persistent") return;
        here = Find(rules_, Way(*here));
      }
      Add("S13", path + ".to", "estop_button must lead to a state with `latch: persistent`");
      return;
    }
    Add("S13", "triggers", "there must be a rule for the trigger 'estop_button'");
  }

  const FallbackRules& rules_;
  std::vector<Finding> found_;
};

}  // namespace

std::vector<Finding> CheckFallback(const v1::FallbackRules& rules) { return Checks(rules).Run(); }

}  // namespace gatekeeper::bundle
