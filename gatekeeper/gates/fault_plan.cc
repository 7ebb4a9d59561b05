#include "gatekeeper/gates/fault_plan.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/log_time.h"

namespace gatekeeper::gates {
namespace {

using agent::base::Digest;

// Both faults are watched a little beyond their last limit.
constexpr double kWatchOn_ms = 500;

Digest Draw(const v1::GateSuite& suite, const std::string& fault, const Replay& replay) {
  return agent::trust::Sha256(
      absl::StrFormat("%d/%s/%s", suite.seed(), fault, replay.scenario->document.sha256()));
}

// 0.2 to 0.6, from the digest's last two bytes (the first ones order the recordings).
double OnsetShare(const Digest& draw) {
  const double unit = (draw.bytes[30] * 256.0 + draw.bytes[31]) / 65536.0;
  return 0.2 + 0.4 * unit;
}

std::optional<int64_t> Onset(const Replay& replay, double share, const std::string& nominal) {
  const double length = static_cast<double>(replay.last_ns - replay.first_ns);
  const int64_t earliest = replay.first_ns + static_cast<int64_t>(std::llround(length * share));
  for (const v1::TickRecord& tick : replay.ticks) {
    if (tick.now_ns() < earliest || tick.state() != nominal) continue;
    if (tick.triggers_size() == 0 && tick.raw_size() > 0) return tick.now_ns();
  }
  return std::nullopt;
}

std::vector<PlannedFault> Plan(const std::vector<Replay>& replays, const std::string& nominal,
                               const v1::GateSuite& suite, const PlannedFault& pattern) {
  std::vector<std::pair<Digest, size_t>> order;
  for (size_t i = 0; i < replays.size(); ++i) {
    const bool usable =
        replays[i].status.ok() &&
        (pattern.fault.channel.empty() || replays[i].channels.count(pattern.fault.channel));
    if (usable) order.emplace_back(Draw(suite, pattern.id, replays[i]), i);
  }
  std::sort(order.begin(), order.end());

  std::vector<PlannedFault> plan;
  for (const auto& [draw, index] : order) {
    if (plan.size() >= suite.faults().clips()) break;
    const auto onset = Onset(replays[index], OnsetShare(draw), nominal);
    if (!onset.has_value()) continue;
    PlannedFault planned = pattern;
    planned.scenario = index;
    planned.fault.onset_ns = *onset;
    planned.fault.until_ns = *onset + pattern.fault.until_ns;
    plan.push_back(std::move(planned));
  }
  return plan;
}

}  // namespace

std::vector<PlannedFault> PlanStaleInputs(const std::vector<Replay>& replays,
                                          const agent::runtime::UnitRules& rules,
                                          const v1::GateSuite& suite) {
  const double watched_ms =
      std::max(suite.faults().detect_within_ms(), suite.faults().safe_within_ms()) + kWatchOn_ms;
  std::vector<PlannedFault> plan;
  for (const agent::runtime::InputLimits& input : rules.policy.inputs()) {
    if (!input.required) continue;
    const PlannedFault pattern{.id = "drop:" + input.channel,
                               .fault = {.kind = Fault::Kind::kDropChannel,
                                         .channel = input.channel,
                                         .until_ns = Nanoseconds(watched_ms)}};
    for (PlannedFault& planned : Plan(replays, rules.fallback.states()[0].name, suite, pattern)) {
      plan.push_back(std::move(planned));
    }
  }
  return plan;
}

std::vector<PlannedFault> PlanNetworkDown(const std::vector<Replay>& replays,
                                          const agent::runtime::UnitRules& rules,
                                          const v1::GateSuite& suite) {
  const auto& rule = rules.fallback.triggers()[rules.fallback.network_down()];
  const int64_t watched =
      rule.after.count() + Nanoseconds(suite.faults().detect_within_ms() +
                                       suite.faults().safe_within_ms() + kWatchOn_ms);
  return Plan(replays, rules.fallback.states()[0].name, suite,
              {.id = "link_down",
               .fault = {.kind = Fault::Kind::kLinkDown, .channel = {}, .until_ns = watched}});
}

}  // namespace gatekeeper::gates
