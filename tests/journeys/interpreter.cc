#include "tests/journeys/interpreter.h"

#include <utility>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "agent/trust/manifest.h"

namespace tests::journeys {
namespace {

using Lines = std::vector<std::string>;

absl::StatusOr<Lines> Ok() { return Lines{"ok"}; }

std::string Setting(const CommandLine& line, const std::string& key) {
  const auto found = line.settings.find(key);
  return found == line.settings.end() ? "" : found->second;
}

absl::StatusOr<Sealing> SealingNamed(const std::string& name) {
  if (name.empty()) return Sealing::kSound;
  if (name == "none") return Sealing::kNone;
  if (name == "failed") return Sealing::kFailedVerdict;
  if (name == "stranger") return Sealing::kStrangersKey;
  return absl::InvalidArgumentError("seal is one of none, failed, stranger, not " + name);
}

absl::StatusOr<std::string> FileNamed(const std::string& name) {
  if (name == "model") return agent::trust::kModelFile;
  if (name == "card") return agent::trust::kCardFile;
  if (name == "policy") return agent::trust::kPolicyFile;
  if (name == "fallback") return agent::trust::kFallbackFile;
  return absl::InvalidArgumentError("a file is one of model, card, policy, fallback, not " + name);
}

// The one word of a command that has two answers.
absl::StatusOr<bool> Either(const CommandLine& line, const std::string& yes,
                            const std::string& no) {
  const std::string word = line.words.size() == 2 ? line.words[1] : "";
  if (word == yes || word == no) return word == yes;
  return absl::InvalidArgumentError(absl::StrFormat("%s ROBOT %s or %s", line.verb, yes, no));
}

}  // namespace

Interpreter::Interpreter() : narrator_(world_) {}

const std::map<std::string, Interpreter::Verb>& Interpreter::Verbs() {
  static const std::map<std::string, Verb> kVerbs = {
      {"robots", &Interpreter::Robots},
      {"unit", &Interpreter::Unit},
      {"rollout", &Interpreter::Rollout},
      {"rollback", &Interpreter::Rollback},
      {"abort", &Interpreter::Abort},
      {"release", &Interpreter::Release},
      {"acknowledge", &Interpreter::Acknowledge},
      {"rearm", &Interpreter::Rearm},
      {"cut", &Interpreter::Cut},
      {"mend", &Interpreter::Mend},
      {"delay", &Interpreter::Delay},
      {"kill", &Interpreter::Kill},
      {"restart", &Interpreter::Restart},
      {"tamper", &Interpreter::Tamper},
      {"estop", &Interpreter::Estop},
      {"program", &Interpreter::Program},
      {"run", &Interpreter::Run},
      {"skip", &Interpreter::Skip},
      {"status", &Interpreter::Status},
      {"units", &Interpreter::Units},
      {"incidents", &Interpreter::Incidents},
      {"audit", &Interpreter::Audit},
      {"slots", &Interpreter::Slots},
  };
  return kVerbs;
}

Lines Interpreter::Do(const std::string& text) {
  const absl::StatusOr<CommandLine> line = ParseCommand(text);
  if (!line.ok()) return {"? " + std::string(line.status().message())};
  const auto verb = Verbs().find(line->verb);
  if (verb == Verbs().end()) return {"? there is no command " + line->verb};
  absl::StatusOr<Lines> printed = (this->*verb->second)(*line);
  if (!printed.ok()) {
    const std::string code = absl::StatusCodeToString(printed.status().code());
    printed = Lines{code + ": " + std::string(printed.status().message())};
  }
  for (std::string& each : *printed) each = world_.units().Named(each);
  return *printed;
}

absl::StatusOr<Robot*> Interpreter::RobotOf(const CommandLine& line, size_t word) {
  const std::string name = line.words.size() > word ? line.words[word] : "";
  Robot* robot = world_.FindRobot(name);
  if (robot == nullptr) return absl::NotFoundError("this journey has no robot '" + name + "'");
  return robot;
}

absl::StatusOr<const SealedUnit*> Interpreter::UnitNamed(const std::string& title) {
  const SealedUnit* unit = world_.units().Find(title);
  if (unit == nullptr) return absl::NotFoundError("this journey has no unit '" + title + "'");
  return unit;
}

// --- set-up ------------------------------------------------------------------------------------

absl::StatusOr<Lines> Interpreter::Robots(const CommandLine& line) {
  RETURN_IF_ERROR(world_.AddRobots(Setting(line, "fleet"), line.words));
  return Ok();
}

absl::StatusOr<Lines> Interpreter::Unit(const CommandLine& line) {
  const std::string title = line.words.empty() ? "" : line.words[0];
  const size_t at = title.find('@');
  if (at == std::string::npos) return absl::InvalidArgumentError("unit NAME@VERSION model=...");
  ASSIGN_OR_RETURN(const Sealing sealing, SealingNamed(Setting(line, "seal")));
  const SealedUnit unit = MakeUnit({.name = title.substr(0, at),
                                    .version = title.substr(at + 1),
                                    .model = Setting(line, "model") + " " + title + "\n",
                                    .sealing = sealing});
  world_.units().Add(unit, sealing);
  const bool smuggled = Setting(line, "by") == "smuggler";
  RETURN_IF_ERROR(smuggled ? world_.headquarters().Smuggle(unit)
                           : world_.headquarters().Push(unit));
  return Ok();
}

// --- what a person does ------------------------------------------------------------------------

absl::StatusOr<Lines> Interpreter::Rollout(const CommandLine& line) {
  v1::StartRolloutRequest request;
  request.set_fleet(world_.fleet());
  request.set_unit(line.words.empty() ? "" : line.words[0]);
  *request.mutable_plan() = world_.plan();
  ASSIGN_OR_RETURN(
      const v1::RolloutState state,
      world_.headquarters().core().StartRollout(request, kPerson, world_.headquarters().Now()));
  return Lines{state.id() + " of " + state.unit_name() + "@" + state.unit_version()};
}

absl::StatusOr<Lines> Interpreter::Rollback(const CommandLine& line) {
  v1::RollbackRequest request;
  request.set_fleet(line.words.empty() ? "" : line.words[0]);
  request.set_reason(Setting(line, "reason"));
  request.set_to_unit(Setting(line, "to"));
  ASSIGN_OR_RETURN(const std::string incident, world_.headquarters().core().Rollback(
                                                   request, kPerson, world_.headquarters().Now()));
  constexpr Nanos kPatience = std::chrono::seconds(10);
  narrator_.Follow(incident, kPatience);
  return Lines{incident};
}

absl::StatusOr<Lines> Interpreter::Abort(const CommandLine& line) {
  v1::AbortRolloutRequest request;
  request.set_id(world_.rollout() ? world_.rollout()->id() : "");
  request.set_reason(Setting(line, "reason"));
  RETURN_IF_ERROR(world_.headquarters()
                      .core()
                      .AbortRollout(request, kPerson, world_.headquarters().Now())
                      .status());
  return Ok();
}

absl::StatusOr<Lines> Interpreter::Release(const CommandLine& line) {
  v1::ReleaseUnitRequest request;
  request.set_unit(line.words.empty() ? "" : line.words[0]);
  request.set_reason(Setting(line, "reason"));
  RETURN_IF_ERROR(
      world_.headquarters().core().ReleaseUnit(request, kPerson, world_.headquarters().Now()));
  return Ok();
}

absl::StatusOr<Lines> Interpreter::Acknowledge(const CommandLine& line) {
  v1::AcknowledgeRobotRequest request;
  request.set_robot(line.words.empty() ? "" : line.words[0]);
  request.set_reason(Setting(line, "reason"));
  RETURN_IF_ERROR(
      world_.headquarters().core().AcknowledgeRobot(request, kPerson, world_.headquarters().Now()));
  return Ok();
}

// Each person takes the challenge as the gatekeeper shows it, signs it and hands it in.
absl::StatusOr<Lines> Interpreter::Rearm(const CommandLine& line) {
  gatekeeper::server::FleetCore& core = world_.headquarters().core();
  const std::string by = Setting(line, "by");
  v1::ApproveRearmRequest request;
  request.set_robot(line.words.empty() ? "" : line.words[0]);
  request.set_reason(Setting(line, "reason"));
  ASSIGN_OR_RETURN(v1::RearmView view, core.ViewRearm(request.robot()));
  const std::vector<std::string> people = by.empty() ? Lines{"ada", "bo"} : Lines{by};
  for (const std::string& person : people) {
    if (view.has_challenge()) request.set_approval(TestApproval(view.challenge(), person));
    ASSIGN_OR_RETURN(view,
                     core.ApproveRearm(request, TestTrust(), kPerson, world_.headquarters().Now()));
  }
  if (view.missing().empty()) return Ok();
  return Lines{"wants approval by " + absl::StrJoin(view.missing(), ", ")};
}

// --- what happens ------------------------------------------------------------------------------

absl::StatusOr<Lines> Interpreter::Cut(const CommandLine& line) {
  ASSIGN_OR_RETURN(Robot * robot, RobotOf(line));
  robot->uplink().Cut();
  return Ok();
}

absl::StatusOr<Lines> Interpreter::Mend(const CommandLine& line) {
  ASSIGN_OR_RETURN(Robot * robot, RobotOf(line));
  robot->uplink().Mend();
  return Ok();
}

absl::StatusOr<Lines> Interpreter::Delay(const CommandLine& line) {
  ASSIGN_OR_RETURN(Robot * robot, RobotOf(line));
  ASSIGN_OR_RETURN(const Nanos delay, ParseDuration(line.words.back()));
  robot->uplink().SetDelay(delay);
  return Ok();
}

absl::StatusOr<Lines> Interpreter::Kill(const CommandLine& line) {
  ASSIGN_OR_RETURN(Robot * robot, RobotOf(line, 1));
  if (line.words[0] == "agent") {
    robot->KillAgent();
  } else if (line.words[0] == "control") {
    robot->KillControl();
  } else if (line.words[0] == "worker" && line.words.size() == 3) {
    ASSIGN_OR_RETURN(const SealedUnit* unit, UnitNamed(line.words[2]));
    if (!robot->KillWorkerOf(unit->digest)) {
      return absl::NotFoundError(robot->name() + " has no worker of " + unit->title());
    }
  } else {
    return absl::InvalidArgumentError("kill agent|control ROBOT, or kill worker ROBOT UNIT");
  }
  return Ok();
}

absl::StatusOr<Lines> Interpreter::Restart(const CommandLine&) {
  world_.RestartGatekeeper();
  return Ok();
}

absl::StatusOr<Lines> Interpreter::Tamper(const CommandLine& line) {
  ASSIGN_OR_RETURN(Robot * robot, RobotOf(line));
  ASSIGN_OR_RETURN(const SealedUnit* unit, UnitNamed(Setting(line, "unit")));
  const std::string transit = Setting(line, "transit");
  ASSIGN_OR_RETURN(const std::string path,
                   FileNamed(transit.empty() ? Setting(line, "slot") : transit));
  if (transit.empty()) {
    RETURN_IF_ERROR(robot->FlipByteInSlot(unit->digest, path));
  } else {
    robot->uplink().CorruptNext(agent::trust::Sha256(unit->files.at(path)).hex());
  }
  return Ok();
}

absl::StatusOr<Lines> Interpreter::Estop(const CommandLine& line) {
  ASSIGN_OR_RETURN(Robot * robot, RobotOf(line));
  ASSIGN_OR_RETURN(const bool pressed, Either(line, "pressed", "released"));
  robot->PressEstop(pressed);
  return Ok();
}

absl::StatusOr<Lines> Interpreter::Program(const CommandLine& line) {
  ASSIGN_OR_RETURN(Robot * robot, RobotOf(line));
  ASSIGN_OR_RETURN(const bool paused, Either(line, "paused", "driving"));
  robot->PauseProgram(paused);
  return Ok();
}

}  // namespace tests::journeys
