#include <algorithm>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/limit_oracle.h"

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

// Broken limits, also under the injected faults.
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
  for (const FaultRun& run : evidence.network_runs) add(run.replay, run.planned.id);
}

}  // namespace

v1::GateResult JudgeRawVsEnforced(const Evidence& evidence) {
  const double limit = evidence.suite.raw_vs_enforced().max_clamp_fraction();
  v1::GateResult result;
  AddBreaches(evidence, result);
  const int breaches = result.findings_size();

  std::vector<ClampShare> shares;
  uint64_t clamped = 0;
  uint64_t answered = 0;
  for (const Replay& replay : evidence.replays) {
    shares.push_back(ShareOf(replay));
    clamped += shares.back().clamped;
    answered += shares.back().answered;
  }
  std::stable_sort(shares.begin(), shares.end(),
                   [](const ClampShare& a, const ClampShare& b) { return a.share() > b.share(); });
  const double fraction =
      answered == 0 ? 0 : static_cast<double>(clamped) / static_cast<double>(answered);
  for (const ClampShare& share : shares) {
    if (fraction <= limit || share.share() <= limit) break;
    v1::Finding& finding = *result.add_findings();
    finding = ClampFinding(share);
    const std::string excess = WorstRawExcess(*share.replay, evidence.policy);
    if (!excess.empty()) finding.set_message(finding.message() + "; furthest: " + excess);
  }
  result.set_value(fraction);
  result.set_limit(limit);
  result.set_n(answered);
  result.set_outcome(breaches > 0 || fraction > limit ? v1::FAIL
                     : answered == 0                  ? v1::INSUFFICIENT
                                                      : v1::PASS);
  result.set_summary(
      absl::StrFormat("the policy clamped %d of %d commands (%.2f%%, limit %.2f%%); %s "
                      "broke a limit after it",
                      clamped, answered, 100 * fraction, 100 * limit,
                      agent::base::Counted(static_cast<uint64_t>(breaches), "replay")));
  return result;
}

}  // namespace gatekeeper::gates
