#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/bootstrap.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/limit_oracle.h"
#include "gatekeeper/gates/statistics.h"

// What the model asked for beside what the policy let through. A model that leans on its policy is
// not a good model, and a policy that lets anything through is none.

namespace gatekeeper::gates {
namespace {

struct ClampShare {
  const Replay* replay = nullptr;
  uint64_t clamped = 0;
  uint64_t answered = 0;
  const v1::TickRecord* first = nullptr;  // clamped
  double share() const {
    return answered == 0 ? 0 : static_cast<double>(clamped) / static_cast<double>(answered);
  }
};

ClampShare ShareOf(const Replay& replay) {
  ClampShare share{.replay = &replay};
  for (const v1::TickRecord& tick : replay.ticks) {
    if (tick.raw_size() == 0) continue;
    ++share.answered;
    if (!tick.clamped()) continue;
    if (share.clamped++ == 0) share.first = &tick;
  }
  return share;
}

v1::Finding ClampFinding(const ClampShare& share) {
  std::string message =
      absl::StrFormat("%.1f%% of the ticks were clamped, first here by %s", 100 * share.share(),
                      absl::StrJoin(share.first->reasons(), ", "));
  return FindingAt(*share.replay, share.first->now_ns(), message);
}

// Broken limits, also while a channel is silent; what is judged of other faults holds them too.
void AddBreaches(const Evidence& evidence, v1::GateResult& result) {
  const auto add = [&](const Replay& replay, const std::string& fault) {
    const auto breach = FirstBreach(replay, evidence.policy);
    if (!breach.has_value()) return;
    v1::Finding& finding = *result.add_findings();
    finding = FindingAt(replay, replay.ticks[breach->tick].now_ns(), breach->message);
    if (!fault.empty()) finding.set_segment(fault);
  };
  for (const Replay& replay : evidence.replays) add(replay, "");
  for (const FaultRun& run : evidence.stale_runs) add(run.replay, run.planned.id);
}

// One for each answer that was clamped, zero for the others, by clip.
std::vector<Series> ClampsOf(const std::vector<Replay>& replays) {
  std::vector<Series> clips;
  for (const Replay& replay : replays) {
    Series& clip = clips.emplace_back();
    for (const v1::TickRecord& tick : replay.ticks)
      if (tick.raw_size() > 0) clip.push_back(tick.clamped() ? 1 : 0);
  }
  return clips;
}

// The largest share that the recordings do not rule out. NaN: they are too few to say. Where
// nothing was clamped at all there is nothing that varies, and the exact bound is taken.
double MostClamped(const MeanBounds& clamped, double alpha) {
  if (clamped.bounds.value > 0) return clamped.bounds.upper;
  return UpperBound(0, static_cast<uint64_t>(clamped.n_eff), alpha);
}

// Adds the clips that are over the limit, worst first.
void AddClamped(const Evidence& evidence, double limit, v1::GateResult& result) {
  std::vector<ClampShare> shares;
  for (const Replay& replay : evidence.replays) shares.push_back(ShareOf(replay));
  std::stable_sort(shares.begin(), shares.end(),
                   [](const ClampShare& a, const ClampShare& b) { return a.share() > b.share(); });
  for (const ClampShare& share : shares) {
    if (share.share() <= limit) break;
    v1::Finding& finding = *result.add_findings();
    finding = ClampFinding(share);
    const std::string excess = WorstRawExcess(*share.replay, evidence.policy);
    if (!excess.empty()) finding.set_message(finding.message() + "; furthest: " + excess);
  }
}

}  // namespace

v1::GateResult JudgeRawVsEnforced(const Evidence& evidence) {
  const double limit = evidence.suite.raw_vs_enforced().max_clamp_fraction();
  const double alpha = evidence.suite.alpha();
  v1::GateResult result;
  AddBreaches(evidence, result);
  const int breaches = result.findings_size();

  const MeanBounds clamped =
      BootstrapMean(ClampsOf(evidence.replays), alpha, evidence.suite.seed());
  const double fraction = clamped.n == 0 ? 0 : clamped.bounds.value;
  const double most = MostClamped(clamped, alpha);
  const bool shown = clamped.n > 0 && most <= limit;
  if (fraction > limit || !shown) AddClamped(evidence, limit, result);
  result.set_n(clamped.n);
  result.set_n_eff(clamped.n_eff);
  result.set_alpha(alpha);
  result.set_value(fraction);
  result.set_limit(limit);
  if (clamped.n > 0 && !std::isnan(most)) {
    result.set_bound(most);
    result.set_margin(limit - most);
  }
  result.set_outcome(breaches > 0 || fraction > limit ? v1::FAIL
                     : shown                          ? v1::PASS
                                                      : v1::INSUFFICIENT);
  const std::string bound = result.bound() > 0
                                ? absl::StrFormat("at most %.2f%%", 100 * result.bound())
                                : std::string("too few to say how much at most");
  result.set_summary(absl::StrFormat(
      "the policy clamped %.2f%% of %d commands, %s, limit %.2f%%; %s broke a limit after it",
      100 * fraction, clamped.n, bound, 100 * limit,
      agent::base::Counted(static_cast<uint64_t>(breaches), "replay")));
  return result;
}

}  // namespace gatekeeper::gates
