#include "gatekeeper/gates/hurt_reaction.h"

#include <algorithm>
#include <set>

namespace gatekeeper::gates {
namespace {

using Change = v1::HurtDrive::Change;

bool IsOneOf(const std::string& trigger, const std::vector<std::string>& wanted) {
  return std::find(wanted.begin(), wanted.end(), trigger) != wanted.end();
}

bool Holds(const Change& change, const std::vector<std::string>& wanted) {
  return std::any_of(change.triggers().begin(), change.triggers().end(),
                     [&](const std::string& trigger) { return IsOneOf(trigger, wanted); });
}

const v1::FallbackState* StateOf(const v1::FallbackRules& rules, const std::string& name) {
  const auto found = rules.states().find(name);
  return found == rules.states().end() ? nullptr : &found->second;
}

uint32_t DemandedRank(const Change& change, const v1::FallbackRules& rules) {
  uint32_t rank = 0;
  for (const v1::Trigger& rule : rules.triggers()) {
    const auto& active = change.triggers();
    if (std::find(active.begin(), active.end(), rule.id()) == active.end()) continue;
    if (const v1::FallbackState* to = StateOf(rules, rule.to())) rank = std::max(rank, to->rank());
  }
  return rank;
}

bool IsSafe(const Change& change, const Expectation& expected, const v1::FallbackRules& rules) {
  const v1::FallbackState* const state = StateOf(rules, change.state());
  if (state == nullptr || state->minimal_risk_condition()) return state != nullptr;
  if (!Holds(change, expected.wanted)) return true;  // it is quiet again
  const bool by_model = state->controller().empty() || state->controller() == "model";
  if (expected.safety == Safety::kOffModel && !by_model) return true;
  return expected.safety == Safety::kObeyed && state->rank() >= DemandedRank(change, rules);
}

double Since(int64_t at_ns, const Expectation& expected) {
  return std::max(0.0, static_cast<double>(at_ns - expected.from_ns) * 1e-6);
}

}  // namespace

std::string LayerGuess(const std::string& trigger, double derate, const v1::FallbackRules& rules) {
  std::string layer = "firmware";  // of what the machine raises by itself
  for (const v1::Trigger& rule : rules.triggers()) {
    if (rule.id() == trigger) layer = rule.layer();
  }
  return layer == "model" && derate < 1 ? "circuit" : layer;
}

HurtReaction ReactionOf(const HurtRun& run, const v1::HurtDrive* control,
                        const Expectation& expected, const v1::FallbackRules& rules) {
  HurtReaction reaction;
  std::set<std::string> usual;
  if (control != nullptr) {
    for (const Change& change : control->changes())
      usual.insert(change.triggers().begin(), change.triggers().end());
  }
  for (const Change& change : run.drive.changes()) {
    if (change.at_ns() < run.planned.fault.onset_ns) continue;
    for (const std::string& trigger : change.triggers()) {
      const bool wanted = IsOneOf(trigger, expected.wanted);
      const bool at_once = reaction.found_ms == Since(change.at_ns(), expected);
      const bool first = reaction.found.empty() || (wanted && at_once);
      if (!first || (!wanted && usual.count(trigger) > 0)) continue;
      reaction.found = trigger;
      reaction.found_ms = Since(change.at_ns(), expected);
      reaction.layer = LayerGuess(trigger, change.derate(), rules);
    }
    if (!reaction.wanted_ms && Holds(change, expected.wanted))
      reaction.wanted_ms = Since(change.at_ns(), expected);
    if (reaction.wanted_ms && !reaction.safe_ms && IsSafe(change, expected, rules))
      reaction.safe_ms = Since(change.at_ns(), expected);
  }
  return reaction;
}

}  // namespace gatekeeper::gates
