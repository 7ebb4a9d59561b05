#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/gate.h"

// The policy's requirements over time, as the robot's own monitors judged them on every tick. No
// clip may violate any; a clip that never decided one is no evidence for it.

namespace gatekeeper::gates {
namespace {

// Where a requirement came closest to its edge, or went farthest beyond it.
struct ClosestCall {
  const Replay* replay = nullptr;
  int64_t at_ns = 0;
  double robustness = 0;
  bool violated = false;

  void Note(const Replay& in, int64_t at, const v1::RequirementState& state) {
    const bool beyond = state.verdict() == "violated";
    const bool worse = replay == nullptr || (beyond && !violated) ||
                       (beyond == violated && state.robustness() < robustness);
    if (worse) *this = {&in, at, state.robustness(), beyond};
  }
};

const v1::RequirementState* StateOf(const v1::TickRecord& tick, const std::string& id) {
  for (const v1::RequirementState& state : tick.requirements()) {
    if (state.id() == id) return &state;
  }
  return nullptr;
}

// One requirement over all clips.
struct JudgedRequirement {
  ClosestCall closest;
  uint64_t decided = 0;
  std::vector<v1::Finding> violated;   // one a clip
  std::vector<v1::Finding> undecided;  // one a clip
};

JudgedRequirement JudgeOne(const std::string& id, const std::vector<Replay>& replays,
                           FailingShare& share) {
  JudgedRequirement judged;
  for (const Replay& replay : replays) {
    if (!replay.status.ok()) continue;  // the recordings gate says so
    ClosestCall closest;
    for (const v1::TickRecord& tick : replay.ticks) {
      const v1::RequirementState* state = StateOf(tick, id);
      if (state == nullptr || state->verdict() == "unknown") continue;
      ++judged.decided;
      closest.Note(replay, tick.now_ns(), *state);
      judged.closest.Note(replay, tick.now_ns(), *state);
    }
    if (closest.replay != nullptr) share.Add(replay, closest.violated);
    if (closest.replay == nullptr) {
      judged.undecided.push_back(
          FindingAt(replay, replay.first_ns, absl::StrFormat("never tells whether %s holds", id)));
    } else if (closest.violated) {
      judged.violated.push_back(FindingAt(
          replay, closest.at_ns,
          absl::StrFormat("%s is violated, at worst by %.3f", id, std::abs(closest.robustness))));
    }
  }
  return judged;
}

std::string Told(const std::string& id, const ClosestCall& closest) {
  if (closest.replay == nullptr) return absl::StrFormat("%s is told by no clip", id);
  return absl::StrFormat("%s %s %.3f (%s at %.2f s)", id, closest.violated ? "fails by" : "keeps",
                         std::abs(closest.robustness), closest.replay->id(),
                         closest.replay->Second(closest.at_ns));
}

}  // namespace

v1::GateResult JudgeRequirements(const Evidence& evidence) {
  v1::GateResult result;
  if (evidence.policy.requirements().empty()) {
    result.set_outcome(v1::PASS);
    result.set_summary("the policy states no requirements over time");
    return result;
  }
  std::string summary;
  std::vector<v1::Finding> undecided;
  FailingShare share;
  for (const v1::Requirement& requirement : evidence.policy.requirements()) {
    const JudgedRequirement judged = JudgeOne(requirement.id(), evidence.replays, share);
    absl::StrAppend(&summary, summary.empty() ? "" : "; ", Told(requirement.id(), judged.closest));
    result.set_n(result.n() + judged.decided);
    for (const v1::Finding& finding : judged.violated) *result.add_findings() = finding;
    undecided.insert(undecided.end(), judged.undecided.begin(), judged.undecided.end());
    if (judged.decided == 0 && judged.undecided.empty()) {
      undecided.emplace_back().set_message(absl::StrCat("no clip can tell of ", requirement.id()));
    }
  }
  const bool violated = result.findings_size() > 0;
  for (const v1::Finding& finding : undecided) *result.add_findings() = finding;
  share.Decide(evidence.suite.alpha(), result);
  result.set_summary(absl::StrCat(summary, "; ", share.Text(evidence.suite.alpha())));
  result.set_outcome(violated ? v1::FAIL : undecided.empty() ? v1::PASS : v1::INSUFFICIENT);
  return result;
}

}  // namespace gatekeeper::gates
