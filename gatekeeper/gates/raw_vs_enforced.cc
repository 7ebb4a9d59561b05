#include <algorithm>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/agreement.h"
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

// What was clamped of each recording's answers. Ticks of one drive are not independent, so
// recordings are what is drawn and counted.
struct ClampedRecordings {
  std::vector<double> clamped;
  std::vector<double> answered;

  uint64_t n() const { return clamped.size(); }
  uint64_t answers() const {
    return static_cast<uint64_t>(std::accumulate(answered.begin(), answered.end(), 0.0));
  }
  double share() const {
    const double all = std::accumulate(answered.begin(), answered.end(), 0.0);
    return all > 0 ? std::accumulate(clamped.begin(), clamped.end(), 0.0) / all : 0;
  }
  double LargestShare() const {
    double largest = 0;
    for (size_t i = 0; i < clamped.size(); ++i)
      largest = std::max(largest, clamped[i] / answered[i]);
    return largest;
  }
};

ClampedRecordings ClampsOf(const std::vector<Replay>& replays) {
  struct Ticks {
    double clamped = 0;
    double answered = 0;
  };
  std::map<std::string, Ticks> by_recording;
  for (const Replay& replay : replays) {
    const ClampShare share = ShareOf(replay);
    if (share.answered == 0) continue;
    Ticks& ticks = by_recording[RecordingOf(replay)];
    ticks.clamped += static_cast<double>(share.clamped);
    ticks.answered += static_cast<double>(share.answered);
  }
  ClampedRecordings recordings;
  for (const auto& [recording, ticks] : by_recording) {
    recordings.clamped.push_back(ticks.clamped);
    recordings.answered.push_back(ticks.answered);
  }
  return recordings;
}

// The largest share that the recordings do not rule out. With confidence 1 - alpha no more than
// `unseen` of all recordings are worse than the worst of these, and those can at most be clamped
// throughout. That is all that few recordings say; enough of them also say how much they vary, but
// never rule out what even recordings without any clamp would not. NaN: there are none.
double MostClamped(const ClampedRecordings& recordings, double alpha, uint64_t seed) {
  if (recordings.n() == 0) return kNan;
  const double unseen = UpperBound(0, recordings.n(), alpha);
  const double worst = recordings.LargestShare();
  if (recordings.n() < kLeastBlocks) return worst + (1 - worst) * unseen;
  return std::max(unseen,
                  BootstrapRatio(recordings.clamped, recordings.answered, alpha, seed).upper);
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

  const ClampedRecordings clamped = ClampsOf(evidence.replays);
  const double fraction = clamped.share();
  const double most = MostClamped(clamped, alpha, evidence.suite.seed());
  const bool shown = most <= limit;  // never, where there is no bound
  if (fraction > limit || !shown) AddClamped(evidence, limit, result);
  result.set_n(clamped.answers());
  result.set_n_eff(static_cast<double>(clamped.n()));
  result.set_alpha(alpha);
  result.set_value(fraction);
  result.set_limit(limit);
  if (clamped.n() > 0) {
    result.set_bound(most);
    result.set_margin(limit - most);
  }
  result.set_outcome(breaches > 0 || fraction > limit ? v1::FAIL
                     : shown                          ? v1::PASS
                                                      : v1::INSUFFICIENT);
  const std::string bound = clamped.n() > 0 ? absl::StrFormat("at most %.2f%%", 100 * most)
                                            : std::string("too few to say how much at most");
  result.set_summary(absl::StrFormat(
      "the policy clamped %.2f%% of %d commands in %s, %s, limit %.2f%%; %s broke a limit after it",
      100 * fraction, clamped.answers(), agent::base::Counted(clamped.n(), "recording"), bound,
      100 * limit, agent::base::Counted(static_cast<uint64_t>(breaches), "replay")));
  return result;
}

}  // namespace gatekeeper::gates
