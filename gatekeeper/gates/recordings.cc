#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/counted.h"
#include "gatekeeper/gates/command_lag.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/scenario_file.h"
#include "gatekeeper/gates/shared_life.h"

// The quality of the evidence itself. Gaps and messages that were overtaken are what robots live
// with: they are named, and the other gates show that the Controller handles them. A clock that was
// set, commands that belong to other motion, and a drive that takes part twice are not the robot's
// doing but the recording's: what is judged by them is judged wrongly. What cannot be replayed, or
// lacks a channel that the policy requires, shows nothing about the unit.

namespace gatekeeper::gates {
namespace {

// A scenario that is about a broken clock says so.
constexpr char kDeclared[] = "clock_fault";

struct Counts {
  int unreadable = 0;
  int incomplete = 0;
  int with_faults = 0;
  int misdated = 0;  // clocks that were set, commands that come too late
  int repeated = 0;
};

bool IsDeclared(const Replay& replay) {
  const auto& segments = replay.scenario->document.segments();
  return std::any_of(segments.begin(), segments.end(), [](const v1::Segment& segment) {
    return std::find(segment.tags().begin(), segment.tags().end(), kDeclared) !=
           segment.tags().end();
  });
}

std::string NameOf(const Replay& replay) {
  return std::filesystem::path(replay.scenario->recording).filename().string();
}

// Whether a clock was set that the scenario does not declare.
bool AddFaults(const Replay& replay, bool declared, v1::GateResult& result) {
  bool undeclared = false;
  for (const RecordingFault& fault : replay.faults) {
    std::string message = absl::StrFormat("%s: %s", fault.channel, fault.what);
    if (fault.times > 1) message += absl::StrFormat(" (first of %d times)", fault.times);
    if (fault.clock && !declared) {
      undeclared = true;
      message += absl::StrFormat(
          "; a clock was set in %s: cut the recording there, or tag a segment %s if that is what "
          "this scenario is about",
          NameOf(replay), kDeclared);
    }
    *result.add_findings() = FindingAt(replay, fault.at_ns, message);
  }
  return undeclared;
}

// Whether the robot moved before it was told to.
bool AddLateCommands(const Replay& replay, double period_s, v1::GateResult& result) {
  const std::optional<CommandLag> lag = CommandLagOf(replay);
  if (!lag.has_value() || !IsImpossible(*lag, period_s)) return false;
  *result.add_findings() =
      FindingAt(replay, replay.commands.front().at_ns,
                absl::StrFormat(
                    "the commands of %s come %.2f s after the motion that they led to (they "
                    "explain %.1f%% of it then, %.1f%% when they come first): they were logged "
                    "by another clock or too late, and what is compared with them is wrong",
                    NameOf(replay), -lag->seconds, 100 * lag->explained, 100 * lag->at_best_later));
  return true;
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

// What was lost before it was imported: the gates judge by what is left.
void AddDamage(const Replay& replay, v1::GateResult& result) {
  const v1::Origin& origin = replay.scenario->document.origin();
  for (const std::string& note : origin.notes()) {
    if (!note.starts_with(kDamage)) continue;
    *result.add_findings() = FindingAt(
        replay, replay.first_ns, absl::StrFormat("imported from %s, %s", origin.file(), note));
  }
}

// Whether it must not judge anything.
bool AddReplay(const Replay& replay, const v1::ControlPolicy& policy, Counts& counts,
               v1::GateResult& result) {
  if (!replay.status.ok()) {
    ++counts.unreadable;
    *result.add_findings() =
        FindingAt(replay, replay.first_ns, std::string(replay.status.message()));
    return true;
  }
  AddDamage(replay, result);
  if (AddMissing(replay, policy, result)) ++counts.incomplete;
  if (!replay.faults.empty()) ++counts.with_faults;
  const bool declared = IsDeclared(replay);
  const bool clock_set = AddFaults(replay, declared, result);
  const bool late = !declared && AddLateCommands(replay, 1 / policy.command().rate_hz(), result);
  if (clock_set || late) ++counts.misdated;
  if (replay.commands.empty()) {
    *result.add_findings() =
        FindingAt(replay, replay.first_ns, "no recorded command: agreement cannot be scored");
  }
  return clock_set || late;
}

// Each is evidence once.
void AddRepeated(const std::vector<Replay>& replays, Counts& counts, FailingShare& share,
                 v1::GateResult& result) {
  for (const SharedLife& shared : FindSharedLife(replays)) {
    ++counts.repeated;
    const Replay& first = replays[shared.first];
    const Replay& second = replays[shared.second];
    share.Add(second, true);
    const std::string message =
        shared.same_recording
            ? absl::StrFormat(
                  "%s and %s are the same recording (%s): it would count twice; leave one scenario "
                  "out and give the other the segments of both",
                  first.id(), second.id(), NameOf(second))
            : absl::StrFormat(
                  "%s and %s hold the same %.2f s of one drive (in the first from second %.2f): "
                  "they would count twice; cut the recordings so that no second is in both",
                  first.id(), second.id(),
                  static_cast<double>(shared.to_ns - shared.from_ns) * 1e-9,
                  first.Second(shared.from_ns));
    *result.add_findings() = FindingAt(second, shared.from_ns, message);
  }
}

// Clips of one drive share its floor, light and day: how many drives there are is for people to
// know.
std::string DrivesText(const std::vector<Replay>& replays) {
  std::set<std::string> drives;
  int clips = 0;
  for (const Replay& replay : replays) {
    if (!replay.scenario->document.has_origin()) continue;
    ++clips;
    drives.insert(replay.scenario->document.origin().sha256());
  }
  if (drives.size() == static_cast<size_t>(clips)) return "";
  return absl::StrFormat("; %d of them are clips of %s", clips,
                         agent::base::Counted(drives.size(), "drive"));
}

v1::GateOutcome Decide(const Counts& counts) {
  if (counts.unreadable > 0 || counts.misdated > 0 || counts.repeated > 0) return v1::FAIL;
  return counts.incomplete > 0 ? v1::INSUFFICIENT : v1::PASS;
}

}  // namespace

v1::GateResult JudgeRecordings(const Evidence& evidence) {
  v1::GateResult result;
  Counts counts;
  FailingShare share;
  for (const Replay& replay : evidence.replays)
    share.Add(replay, AddReplay(replay, evidence.policy, counts, result));
  AddRepeated(evidence.replays, counts, share, result);
  result.set_n(evidence.replays.size());
  share.Decide(evidence.suite.alpha(), result);
  result.set_outcome(Decide(counts));
  std::string summary = absl::StrFormat(
      "%s: %d not to be replayed, %d without a required channel, %d with clock faults or gaps",
      agent::base::Counted(evidence.replays.size(), "recording"), counts.unreadable,
      counts.incomplete, counts.with_faults);
  if (counts.misdated > 0)
    summary += absl::StrFormat("; %d misdated without saying so", counts.misdated);
  if (counts.repeated > 0)
    summary += absl::StrFormat("; %d there for a second time", counts.repeated);
  summary += DrivesText(evidence.replays);
  result.set_summary(summary + "; " + share.Text(evidence.suite.alpha()));
  return result;
}

}  // namespace gatekeeper::gates
