#include "gatekeeper/gates/chain_link.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "gatekeeper/gates/hurt_plan.h"

namespace gatekeeper::gates {
namespace {

using Previous = Fault::Previous;

constexpr double kWatchOn_s = 1;

const v1::FallbackState* Find(const v1::FallbackRules& rules, const std::string& name) {
  const auto found = rules.states().find(name);
  return found == rules.states().end() ? nullptr : &found->second;
}

bool DrivesByModel(const v1::FallbackState& state) {
  return state.controller().empty() || state.controller() == "model";
}

// Where a lost model leads to.
std::string FirstState(const v1::FallbackRules& rules) {
  std::string name;
  for (const v1::Trigger& rule : rules.triggers()) {
    if (rule.id() == "model_failed") name = rule.to();
  }
  // A state that would still ask the model gives way.
  for (size_t i = 0; i < rules.states().size(); ++i) {
    const v1::FallbackState* const state = Find(rules, name);
    if (state == nullptr || !DrivesByModel(*state) || state->else_().empty()) break;
    name = state->else_();
  }
  return name;
}

}  // namespace

std::vector<ChainLink> LinksOf(const v1::FallbackRules& rules) {
  std::vector<ChainLink> links;
  std::string name = FirstState(rules);
  const v1::FallbackState* state = Find(rules, name);
  if (state == nullptr) return links;
  if (state->controller() == "unit:previous") {
    links.push_back({.id = "previous_sound", .target = name, .previous = Previous::kSound});
    const std::pair<const char*, Previous> ways[] = {{"previous_absent", Previous::kAbsent},
                                                     {"previous_fails", Previous::kFails},
                                                     {"previous_nan", Previous::kNan},
                                                     {"previous_late", Previous::kLate}};
    for (const auto& [id, previous] : ways)
      links.push_back({.id = id, .target = state->else_(), .previous = previous});
    if (state->max_dwell_s() > 0) {
      links.push_back({.id = "dwell:" + name,
                       .target = state->else_(),
                       .after_s = state->max_dwell_s(),
                       .previous = Previous::kSound});
    }
    name = state->else_();
    state = Find(rules, name);
  } else {
    links.push_back({.id = "model_lost", .target = name});
  }
  if (state == nullptr || state->controller() != "follow_gap") return links;
  for (const std::string& channel : state->needs())
    links.push_back({.id = "blind:" + channel, .target = state->else_(), .silent = channel});
  if (state->max_dwell_s() > 0) {
    links.push_back(
        {.id = "dwell:" + name, .target = state->else_(), .after_s = state->max_dwell_s()});
  }
  return links;
}

std::vector<PlannedFault> PlanFallbackChain(const std::vector<Replay>& replays,
                                            const agent::runtime::UnitRules& rules,
                                            const v1::FallbackRules& document,
                                            const v1::GateSuite& suite) {
  constexpr double kFrom = 0.3;  // of the way: the robot drives, and there is road ahead
  const agent::base::Nanos calm = CalmBefore(rules.policy);
  const v1::FallbackChainGate& gate = suite.fallback_chain();
  const auto onset_of = [&](const Replay& replay) {
    return CalmOnset(replay, kFrom, rules.fallback.states()[0].name, calm);
  };
  const Usable calms = [&](const Replay& replay) { return onset_of(replay).has_value(); };
  std::vector<PlannedFault> plan;
  for (const size_t index : DrawClips(replays, suite, "fallback_chain", gate.clips(), calms)) {
    const int64_t onset = *onset_of(replays[index]);
    for (const ChainLink& link : LinksOf(document)) {
      PlannedFault planned;
      planned.id = link.id;
      planned.scenario = index;
      Fault& fault = planned.fault;
      fault.kind = Fault::Kind::kCatalogue;
      fault.onset_ns = onset;
      fault.from_ns = std::max<int64_t>(0, onset - calm.count());
      fault.until_ns =
          onset + static_cast<int64_t>(std::llround(
                      (link.after_s + gate.safe_within_ms() * 1e-3 + kWatchOn_s) * 1e9));
      fault.previous = link.previous;
      fault.spec = {
          .id = "model_crashed", .channel = {}, .onset_ns = onset, .end_ns = fault.until_ns + 1};
      if (!link.silent.empty()) {
        fault.also = fault.spec;
        fault.also.id = "drop_all";
        fault.also.channel = link.silent;
      }
      plan.push_back(std::move(planned));
    }
  }
  return plan;
}

}  // namespace gatekeeper::gates
