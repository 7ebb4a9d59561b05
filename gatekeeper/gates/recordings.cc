#include "absl/strings/str_format.h"
#include "gatekeeper/gates/gate.h"

// The quality of the evidence itself. Broken clocks and gaps are what robots live with: they are
// named, and the other gates show that the Controller handles them. What cannot be replayed, or
// lacks a channel that the policy requires, shows nothing about the unit.

namespace gatekeeper::gates {
namespace {

void AddFaults(const Replay& replay, v1::GateResult& result) {
  for (const RecordingFault& fault : replay.faults) {
    std::string message = absl::StrFormat("%s: %s", fault.channel, fault.what);
    if (fault.times > 1) message += absl::StrFormat(" (first of %d times)", fault.times);
    *result.add_findings() = FindingAt(replay, fault.at_ns, message);
  }
}

// Whether a required channel never came.
bool AddMissing(const Replay& replay, const v1::ControlPolicy& policy, v1::GateResult& result) {
  bool missing = false;
  for (const auto& [channel, rule] : policy.inputs()) {
    if (!rule.required() || replay.channels.count(channel)) continue;
    missing = true;
    *result.add_findings() =
        FindingAt(replay, replay.first_ns,
                  absl::StrFormat("no message on channel %s, which the policy requires", channel));
  }
  return missing;
}

}  // namespace

v1::GateResult JudgeRecordings(const Evidence& evidence) {
  v1::GateResult result;
  int unreadable = 0;
  int incomplete = 0;
  int with_faults = 0;
  for (const Replay& replay : evidence.replays) {
    if (!replay.status.ok()) {
      ++unreadable;
      *result.add_findings() =
          FindingAt(replay, replay.first_ns, std::string(replay.status.message()));
      continue;
    }
    if (AddMissing(replay, evidence.policy, result)) ++incomplete;
    if (!replay.faults.empty()) ++with_faults;
    AddFaults(replay, result);
    if (replay.commands.empty()) {
      *result.add_findings() =
          FindingAt(replay, replay.first_ns, "no recorded command: agreement cannot be scored");
    }
  }
  result.set_n(evidence.replays.size());
  result.set_outcome(unreadable > 0 ? v1::FAIL : incomplete > 0 ? v1::INSUFFICIENT : v1::PASS);
  result.set_summary(
      absl::StrFormat("of %d recordings %d cannot be replayed, %d lack a required channel, %d have "
                      "clock faults or gaps",
                      evidence.replays.size(), unreadable, incomplete, with_faults));
  return result;
}

}  // namespace gatekeeper::gates
