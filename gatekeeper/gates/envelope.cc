#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/gate.h"

// Where the enforced commands would take the robot, from each recorded pose. A robot that was
// recorded nearer to an edge than the limit may only go where that gets no worse.

namespace gatekeeper::gates {
namespace {

constexpr double kRounding_m = 1e-3;

bool DrawsEnvelope(const v1::ControlPolicy& policy) {
  return std::any_of(policy.envelope().begin(), policy.envelope().end(),
                     [](const v1::EnvelopeZone& zone) {
                       return zone.kind() == "inclusion" || zone.kind() == "exclusion";
                     });
}

struct Closest {
  const Replay* replay = nullptr;
  size_t tick = 0;
  double clearance_m = std::numeric_limits<double>::infinity();
};

// The closest that enforced motion brought the robot to an edge; ticks on which it went no nearer
// than it stood already do not count.
Closest ClosestIn(const Replay& replay, uint64_t& measured) {
  Closest closest;
  for (size_t i = 0; i < replay.ticks.size(); ++i) {
    const double stands_m = replay.ticks[i].clearance_m();
    const double goes_m = replay.motion_clearance_m[i];
    if (std::isnan(stands_m) || std::isnan(goes_m)) continue;
    ++measured;
    if (goes_m >= stands_m - kRounding_m) continue;
    if (goes_m < closest.clearance_m) closest = {&replay, i, goes_m};
  }
  return closest;
}

v1::GateResult WithoutEnvelope(const v1::ControlPolicy& policy) {
  v1::GateResult result;
  const bool mobile = policy.command().type() == "twist2d";
  result.set_outcome(mobile ? v1::INSUFFICIENT : v1::PASS);
  result.set_summary(mobile ? "the policy of this mobile robot draws no envelope to keep clear of"
                            : "the robot stays where it is: there is no envelope to leave");
  return result;
}

}  // namespace

v1::GateResult JudgeEnvelope(const Evidence& evidence) {
  if (!DrawsEnvelope(evidence.policy)) return WithoutEnvelope(evidence.policy);
  const double limit_m = evidence.suite.envelope().min_clearance_m();
  v1::GateResult result;
  std::vector<Closest> all;
  uint64_t measured = 0;
  FailingShare share;
  for (const Replay& replay : evidence.replays) {
    const uint64_t before = measured;
    const Closest closest = ClosestIn(replay, measured);
    if (measured > before) share.Add(replay, closest.clearance_m < limit_m);
    if (closest.replay != nullptr) all.push_back(closest);
  }
  std::stable_sort(all.begin(), all.end(), [](const Closest& a, const Closest& b) {
    return a.clearance_m < b.clearance_m;
  });
  for (const Closest& closest : all) {
    if (closest.clearance_m >= limit_m) break;
    *result.add_findings() = FindingAt(
        *closest.replay, closest.replay->ticks[closest.tick].now_ns(),
        absl::StrFormat("the enforced command leads to %.3f m from an envelope edge, wanted %.3f m",
                        closest.clearance_m, limit_m));
  }
  result.set_n(measured);
  result.set_limit(limit_m);
  if (measured == 0) {
    result.set_outcome(v1::INSUFFICIENT);
    result.set_summary("no recording tells the robot's pose");
    return result;
  }
  result.set_outcome(result.findings_size() > 0 ? v1::FAIL : v1::PASS);
  if (all.empty()) {
    share.Decide(evidence.suite.alpha(), result);  // there is no distance to tell
    result.set_limit(0);
    result.set_summary("no enforced command leads nearer to an envelope edge; " +
                       share.Text(evidence.suite.alpha()));
    return result;
  }
  const double closest_m = all.front().clearance_m;
  DecideByWorst({.value = closest_m, .limit = limit_m, .margin = closest_m - limit_m}, share,
                evidence.suite.alpha(), result);
  result.set_summary(absl::StrFormat(
      "enforced motion comes to %.3f m from an envelope edge (%s), limit %.3f m; %s", closest_m,
      all.front().replay->id(), limit_m, share.Text(evidence.suite.alpha())));
  return result;
}

}  // namespace gatekeeper::gates
