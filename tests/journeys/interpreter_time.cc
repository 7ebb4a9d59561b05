// The half of Interpreter that lets time go by and looks around.
#include <algorithm>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "tests/journeys/interpreter.h"

namespace tests::journeys {
namespace {

constexpr Nanos kMostPatience = std::chrono::seconds(120);  // of `run until`
constexpr Nanos kBigStep = std::chrono::minutes(10);
constexpr Nanos kSettles = std::chrono::seconds(2);

using Lines = std::vector<std::string>;

bool IsQuiet(const CommandLine& line) {
  return std::ranges::count(line.words, std::string("quiet")) > 0;
}

std::string Digest(const std::string& digest) { return digest.empty() ? "none" : digest; }

}  // namespace

void Interpreter::Step(Nanos by, Lines& told) {
  const size_t known = broken_.size();
  world_.Step(by);
  broken_ = invariants_.Check(world_);
  for (std::string& line : narrator_.Tell()) told.push_back(std::move(line));
  for (size_t i = known; i < broken_.size(); ++i) told.push_back("BROKEN " + broken_[i]);
}

bool Interpreter::Reached(const std::string& who, const std::string& state) {
  if (who == "rollout") {
    if (!world_.rollout()) return false;
    const v1::RolloutState& rollout = *world_.rollout();
    const std::string phase = v1::RolloutPhase_Name(rollout.phase());
    const std::string wave = rollout.plan().waves(static_cast<int>(rollout.wave())).name();
    return state == phase || state == phase + "/" + wave;
  }
  return std::ranges::all_of(world_.robots(), [&](const auto& robot) {
    if (who != "all" && robot->name() != who) return true;
    return robot->agent() != nullptr &&
           v1::LifecycleState_Name(robot->agent()->Observed().lifecycle()) == state;
  });
}

absl::StatusOr<Lines> Interpreter::Run(const CommandLine& line) {
  if (line.words.empty()) return absl::InvalidArgumentError("run 10s, or run until WHO=STATE");
  const bool until = line.words[0] == "until";
  if (until && line.settings.size() != 1) {
    return absl::InvalidArgumentError("run until WHO=STATE [quiet]");
  }
  Nanos patience = kMostPatience;
  if (!until) {
    ASSIGN_OR_RETURN(patience, ParseDuration(line.words[0]));
  }
  Lines told;
  bool reached = !until;
  for (Nanos gone{}; gone < patience; gone += kStep) {
    Step(kStep, told);
    if (!until) continue;
    reached = Reached(line.settings.begin()->first, line.settings.begin()->second);
    if (reached) break;
  }
  if (IsQuiet(line)) {
    std::erase_if(told, [](const std::string& each) { return !each.starts_with("BROKEN"); });
  }
  if (told.empty()) {
    told.push_back(IsQuiet(line) ? "ok"
                                 : absl::StrFormat("%8.2f  nothing happened", world_.Seconds()));
  }
  if (!reached) told.push_back(absl::StrFormat("%8.2f  not reached", world_.Seconds()));
  return told;
}

absl::StatusOr<Lines> Interpreter::Skip(const CommandLine& line) {
  ASSIGN_OR_RETURN(const Nanos length, ParseDuration(line.words.empty() ? "" : line.words[0]));
  const size_t known = broken_.size();
  const auto step = [this](Nanos by) {
    world_.Step(by);
    broken_ = invariants_.Check(world_);
  };
  for (Nanos gone{}; gone < length; gone += kBigStep) step(kBigStep);
  // A robot that was asked nothing for minutes stands; let it notice that it is asked again.
  for (Nanos gone{}; gone < kSettles; gone += kStep) step(kStep);
  Lines told = narrator_.Tell();
  if (told.empty()) told.push_back(absl::StrFormat("%8.2f  nothing changed", world_.Seconds()));
  for (size_t i = known; i < broken_.size(); ++i) told.push_back("BROKEN " + broken_[i]);
  return told;
}

absl::StatusOr<Lines> Interpreter::Status(const CommandLine&) {
  Lines lines;
  const v1::FleetView view = world_.View();
  for (const v1::RobotView& robot : view.robots()) {
    const v1::ObservedState& seen = robot.observed();
    const v1::ControlReport& control = seen.control();
    lines.push_back(absl::StrFormat(
        "%-4s %-12s %-15s runs %s in %s; committed %s, last-good %s", robot.robot(),
        robot.connected() ? "connected" : "unreachable", v1::LifecycleState_Name(seen.lifecycle()),
        control.running_digest().empty() ? "rules only" : control.running_digest(),
        control.fallback_state(), Digest(control.pointer().committed_digest()),
        Digest(control.pointer().last_good_digest())));
  }
  return lines;
}

absl::StatusOr<Lines> Interpreter::Units(const CommandLine&) {
  ASSIGN_OR_RETURN(const v1::UnitList list, world_.headquarters().core().ListUnits());
  Lines lines;
  for (const v1::UnitView& unit : list.units()) {
    lines.push_back(unit.name() + "@" + unit.version() +
                    (unit.held_reason().empty() ? "" : " held: " + unit.held_reason()));
  }
  if (lines.empty()) lines.push_back("none");
  std::ranges::sort(lines);
  return lines;
}

absl::StatusOr<Lines> Interpreter::Incidents(const CommandLine&) {
  ASSIGN_OR_RETURN(const v1::IncidentList list, world_.headquarters().core().ListIncidents());
  Lines lines;
  for (const v1::Incident& incident : list.incidents()) {
    lines.push_back(absl::StrFormat("%s %s: %s", incident.id(), incident.kind(), incident.title()));
    ASSIGN_OR_RETURN(const auto facts, world_.headquarters().core().IncidentFacts(incident.id()));
    lines.push_back("  " + facts.reason);
    for (const auto& robot : facts.robots) {
      lines.push_back(absl::StrFormat("  %s %s %s", robot.robot,
                                      robot.outcome.empty() ? "awaited" : robot.outcome,
                                      robot.detail.empty() ? robot.wanted_unit : robot.detail));
    }
  }
  if (lines.empty()) lines.push_back("none");
  return lines;
}

absl::StatusOr<Lines> Interpreter::Audit(const CommandLine&) {
  ASSIGN_OR_RETURN(const v1::AuditList list, world_.headquarters().core().ReadAudit(audit_read_));
  Lines lines;
  for (const v1::AuditEntry& entry : list.entries()) {
    audit_read_ = entry.seq();
    lines.push_back(absl::StrFormat("%d %s %s %s: %s", entry.seq(), entry.actor(), entry.action(),
                                    entry.object(), entry.detail()));
  }
  if (lines.empty()) lines.push_back("nothing new");
  return lines;
}

absl::StatusOr<Lines> Interpreter::Slots(const CommandLine& line) {
  ASSIGN_OR_RETURN(const Robot* robot, RobotOf(line));
  std::vector<std::string> titles;
  for (const std::string& slot : robot->Slots()) titles.push_back(world_.units().TitleOf(slot));
  std::ranges::sort(titles);
  Lines lines = {titles.empty() ? "no slots" : "slots " + absl::StrJoin(titles, ", ")};
  if (robot->control() == nullptr) return lines;
  const v1::ControlReport report = robot->Report();
  const v1::Pointer& pointer = report.pointer();
  lines.push_back(absl::StrFormat(
      "pointer %s: committed %s, last-good %s, trial %s, attempts %d",
      v1::PointerPhase_Name(pointer.phase()), Digest(pointer.committed_digest()),
      Digest(pointer.last_good_digest()), Digest(pointer.trial_digest()), pointer.attempts()));
  for (const v1::Quarantined& unit : report.quarantine()) {
    lines.push_back("quarantined " + unit.digest() + ": " + unit.reason());
  }
  return lines;
}

}  // namespace tests::journeys
