#include "gatekeeper/gates/fault_plan.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/hurt_plan.h"
#include "gatekeeper/gates/log_time.h"
#include "gatekeeper/gates/statistics.h"

namespace gatekeeper::gates {
namespace {

using agent::base::Digest;

// Both faults are watched a little beyond their last limit.
constexpr double kWatchOn_ms = 500;

constexpr double kNetworkFloor = 0.99;
constexpr int kFlaps = 3;
constexpr uint64_t kMostRounds = 4;  // of each cut that is needed

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
  const auto onset_of = [&](const Replay& replay) {
    return Onset(replay, OnsetShare(Draw(suite, pattern.id, replay)), nominal);
  };
  const Usable usable = [&](const Replay& replay) {
    return replay.channels.count(pattern.fault.channel) > 0 && onset_of(replay).has_value();
  };
  std::vector<PlannedFault> plan;
  for (const size_t index : DrawClips(replays, suite, pattern.id, suite.faults().clips(), usable)) {
    const int64_t onset = *onset_of(replays[index]);
    PlannedFault planned = pattern;
    planned.scenario = index;
    planned.fault.onset_ns = onset;
    planned.fault.until_ns = onset + pattern.fault.until_ns;
    plan.push_back(std::move(planned));
  }
  return plan;
}

// The moments of a replay at which a cut tells something: the unit drove by its model and without
// any trigger, at that tick and the one before.
std::vector<int64_t> QuietTicks(const Replay& replay, const std::string& nominal) {
  std::vector<int64_t> quiet;
  bool before = false;
  for (const v1::TickRecord& tick : replay.ticks) {
    const bool now = tick.state() == nominal && tick.triggers_size() == 0;
    if (now && before && tick.raw_size() > 0) quiet.push_back(tick.now_ns());
    before = now;
  }
  return quiet;
}

// Cuts of the link, added round by round. What a recording gets depends on it alone, and who comes
// first within a round on the draw: so a part of the library plans at least what the whole library
// plans for it.
class CutPlan {
 public:
  CutPlan(const std::vector<Replay>& replays, const agent::runtime::UnitRules& rules,
          const v1::GateSuite& suite)
      : replays_(replays), suite_(suite), calm_ns_(CalmBefore(rules.policy).count()) {
    const auto& rule = rules.fallback.triggers()[rules.fallback.network_down()];
    watched_ns_ = rule.after.count() + Nanoseconds(suite.faults().detect_within_ms() +
                                                   suite.faults().safe_within_ms() + kWatchOn_ms);
    for (size_t i = 0; i < replays.size(); ++i) {
      if (!replays[i].status.ok() || replays[i].ticks.empty()) continue;
      clips_.push_back({.replay = i,
                        .quiet = QuietTicks(replays[i], rules.fallback.states()[0].name),
                        .taken = {}});
    }
  }

  // Every recording's next cut, until there are `needed`.
  void AddRound(uint64_t round, uint64_t needed) {
    std::vector<std::pair<Digest, Clip*>> order;
    for (Clip& clip : clips_) {
      order.emplace_back(Draw(suite_, absl::StrFormat("link/%d", round), replays_[clip.replay]),
                         &clip);
    }
    std::sort(order.begin(), order.end());
    for (const auto& [draw, clip] : order) {
      if (cuts_.size() < needed) AddCut(round, draw, *clip);
    }
  }

  const std::vector<PlannedFault>& cuts() const { return cuts_; }
  std::vector<PlannedFault> Take() && { return std::move(cuts_); }

 private:
  struct Clip {
    size_t replay = 0;
    std::vector<int64_t> quiet;
    std::set<int64_t> taken;  // onsets
  };

  // Which kind has its turn depends on the recording too, or a large library would see one only.
  static const char* KindOf(uint64_t round, const Replay& replay) {
    constexpr const char* kTurns[] = {kCut, kFlapping, kCut, kNeverUp};
    const std::string& sha256 = replay.scenario->document.sha256();
    const auto first = static_cast<uint64_t>(sha256.empty() ? 0 : sha256.back());
    return kTurns[(first + round) % std::size(kTurns)];
  }

  void AddCut(uint64_t round, const Digest& draw, Clip& clip) {
    const Replay& replay = replays_[clip.replay];
    PlannedFault cut;
    cut.id = KindOf(round, replay);
    cut.scenario = clip.replay;
    cut.fault.kind = Fault::Kind::kLinkDown;
    cut.fault.flaps = cut.id == kFlapping ? kFlaps : 0;
    cut.fault.onset_ns =
        cut.id == kNeverUp ? replay.ticks.front().now_ns() : QuietOnset(replay, draw, clip);
    if (cut.fault.onset_ns == 0 || !clip.taken.insert(cut.fault.onset_ns).second) return;
    cut.fault.until_ns = cut.fault.onset_ns + 2 * cut.fault.flaps * kFlap_ns + watched_ns_;
    cut.fault.from_ns = From(clip, cut.fault.onset_ns);
    cuts_.push_back(std::move(cut));
  }

  // 0: there is none.
  static int64_t QuietOnset(const Replay& replay, const Digest& draw, const Clip& clip) {
    const double length = static_cast<double>(replay.last_ns - replay.first_ns);
    const double share = 0.1 + 0.8 * (draw.bytes[30] * 256.0 + draw.bytes[31]) / 65536.0;
    const int64_t earliest = replay.first_ns + static_cast<int64_t>(std::llround(length * share));
    const auto quiet = std::lower_bound(clip.quiet.begin(), clip.quiet.end(), earliest);
    return quiet == clip.quiet.end() ? 0 : *quiet;
  }

  // A start settles within the calm; where the unit was not quiet for so long, it drives from the
  // recording's start, as the unhurt one did.
  int64_t From(const Clip& clip, int64_t onset_ns) const {
    const int64_t period_ns =
        replays_[clip.replay].ticks.size() < 2
            ? 0
            : replays_[clip.replay].ticks[1].now_ns() - replays_[clip.replay].ticks[0].now_ns();
    const int64_t from_ns = onset_ns - calm_ns_;
    const auto first = std::lower_bound(clip.quiet.begin(), clip.quiet.end(), from_ns);
    const auto last = std::lower_bound(clip.quiet.begin(), clip.quiet.end(), onset_ns);
    return (last - first) * period_ns >= calm_ns_ ? from_ns : 0;
  }

  const std::vector<Replay>& replays_;
  const v1::GateSuite& suite_;
  int64_t calm_ns_;
  int64_t watched_ns_ = 0;
  std::vector<Clip> clips_;
  std::vector<PlannedFault> cuts_;
};

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

double NetworkFloor(const v1::GateSuite& suite) {
  return suite.faults().network_floor() == 0 ? kNetworkFloor : suite.faults().network_floor();
}

uint64_t CutsNeeded(const v1::GateSuite& suite) {
  if (suite.faults().clips() == 0) return 0;
  uint64_t cuts = 1;
  while (LowerBound(cuts, cuts, suite.alpha()) < NetworkFloor(suite)) ++cuts;
  return cuts;
}

std::vector<PlannedFault> PlanNetworkDown(const std::vector<Replay>& replays,
                                          const agent::runtime::UnitRules& rules,
                                          const v1::GateSuite& suite) {
  const uint64_t needed = CutsNeeded(suite);
  CutPlan plan(replays, rules, suite);
  // A round that finds no free tick in any recording may be bad luck; so many are the end of them.
  const uint64_t rounds = kMostRounds * needed;
  for (uint64_t round = 0; round < rounds && plan.cuts().size() < needed; ++round)
    plan.AddRound(round, needed);
  return std::move(plan).Take();
}

}  // namespace gatekeeper::gates
