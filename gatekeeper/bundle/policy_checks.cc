#include "gatekeeper/bundle/policy_checks.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_format.h"

namespace gatekeeper::bundle {
namespace {

// After the model's answer: limits, zones, fallback machine and the answer's way through the
// socket. 99 of 100 ticks may take 0.25 ms for it (`deploy/bench`); four times that for the
// hundredth.
constexpr double kPolicyMs = 1;
// A frame on a CAN bus of 500 kbit/s at 40 % load waits 4 ms at worst behind the others.
constexpr double kBusMs = 5;

// Where the rules name the previous unit; empty when they do not.
std::string PreviousState(const v1::FallbackRules& rules) {
  std::set<std::string> names;
  for (const auto& [name, state] : rules.states()) {
    if (state.controller() == "unit:previous") names.insert(name);
  }
  return names.empty() ? "" : *names.begin();
}

}  // namespace

std::vector<Finding> CheckReaction(const v1::ControlPolicy& policy,
                                   const v1::FallbackRules& rules) {
  std::vector<Finding> found;
  std::map<std::string, const v1::InputRule*> sorted;
  for (const auto& [name, rule] : policy.inputs()) sorted[name] = &rule;
  for (const auto& [name, rule] : sorted) {
    if (rule->max_age_ms() <= rules.mrc_within_ms()) continue;
    found.push_back(
        {"S8", "inputs." + name + ".max_age_ms",
         absl::StrFormat("%g ms is longer than mrc_within_ms (%g): the stop would come too late",
                         rule->max_age_ms(), rules.mrc_within_ms())});
  }
  for (int i = 0; i < policy.separation().zones_size(); ++i) {
    const v1::BodyZone& zone = policy.separation().zones(i);
    const double ms = 1000.0 * zone.trigger_consecutive() / policy.command().rate_hz();
    if (ms <= rules.mrc_within_ms()) continue;
    found.push_back(
        {"S8", absl::StrFormat("separation.zones[%d].trigger_consecutive", i),
         absl::StrFormat("takes %g ms to react; mrc_within_ms is %g", ms, rules.mrc_within_ms())});
  }
  return found;
}

std::vector<Finding> CheckPeriod(const v1::ControlPolicy& policy) {
  const double period_ms = 1000 / policy.command().rate_hz();
  const double most_ms = period_ms - kPolicyMs - kBusMs;
  if (policy.deadline().hard_ms() <= most_ms) return {};
  return {{"S15", "deadline.hard_ms",
           absl::StrFormat("must be at most %g: the period of %g ms less %g ms for the policy and "
                           "%g ms for the bus; is %g",
                           most_ms, period_ms, kPolicyMs, kBusMs, policy.deadline().hard_ms())}};
}

std::vector<Finding> CheckPrevious(const v1::FallbackRules& rules, const v1::ControlPolicy& policy,
                                   const std::vector<std::string>& hardware,
                                   const PreviousUnit& previous) {
  const std::string state = PreviousState(rules);
  if (state.empty()) return {};
  std::vector<Finding> found;
  const auto add = [&](const std::string& what) {
    found.push_back({"S12", "states." + state + ".controller",
                     absl::StrFormat("cannot be %s: %s", previous.label, what)});
  };
  const v1::CommandRule& before = previous.policy.command();
  const v1::CommandRule& now = policy.command();
  if (before.type() != now.type() || !std::equal(before.fields().begin(), before.fields().end(),
                                                 now.fields().begin(), now.fields().end())) {
    add("it commands other fields");
  }
  if (before.rate_hz() != now.rate_hz()) {
    add(absl::StrFormat("it was made for %g Hz, not for %g", before.rate_hz(), now.rate_hz()));
  }
  std::set<std::string> channels;
  for (const v1::InputBinding& input : previous.card.inputs()) channels.insert(input.channel());
  for (const std::string& channel : channels) {
    const auto rule = policy.inputs().find(channel);
    if (rule != policy.inputs().end() && rule->second.required()) continue;
    add(absl::StrFormat("it reads '%s', which inputs does not require", channel));
  }
  for (const std::string& name : hardware) {
    const auto& runs_on = previous.hardware;
    if (std::find(runs_on.begin(), runs_on.end(), name) != runs_on.end()) continue;
    add(absl::StrFormat("it does not run on hardware '%s'", name));
  }
  return found;
}

}  // namespace gatekeeper::bundle
