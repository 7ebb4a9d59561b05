#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/journeys/invariants.h"
#include "tests/journeys/narrator.h"
#include "tests/journeys/world.h"

namespace tests::journeys {

// One command line, read: `rollback north reason="smells burnt"`.
struct CommandLine {
  std::string verb;
  std::vector<std::string> words;               // after the verb
  std::map<std::string, std::string> settings;  // key=value
};

// Carries out the commands of a journey, in a world of its own. Set-up:
//   robots r1 r2 r3 fleet=north
//   unit nav@1.1.0 model=good [seal=none|failed|stranger] [by=smuggler]
//                                 pushed as CI does; or laid into the gatekeeper's disk unchecked
// What a person does:
//   rollout nav@1.1.0             by tests/journeys/plan.yaml
//   rollback north reason="..." [to=nav@1.0.0]      its receipts are told while time goes on
//   abort reason="..."            the newest rollout
//   release nav@1.1.0 reason="..."
//   acknowledge r2 reason="..."
//   rearm r2 reason="..." [by=ada|bo]               approved by both, one after the other; by one
// What happens:
//   cut r2 | mend r2              the network of a robot
//   delay r2 300ms                each way
//   kill agent|control r2         -9; it is started again after a second
//   kill worker r2 nav@1.1.0
//   restart server                -9, and a new one on the same files
//   tamper r2 transit=model unit=nav@1.1.0          one bit of this file (model, card, policy,
//   tamper r2 slot=model unit=nav@1.1.0             fallback): in its next download; on the disk
//   estop r2 pressed|released
//   program r2 paused|driving     does the robot's own program ask for commands?
// Time, in steps of 50 ms; what changed is told a line each, unless `quiet`:
//   run 10s [quiet]
//   run until rollout=TRIAL/half [quiet]            phase and, if it matters, wave
//   run until r2=TRYING [quiet]                     the lifecycle state of a robot, or of all=...
//   skip 7d                       in steps of ten minutes, while nothing goes on; only what is
//                                 different at the end is told
// What can be seen:
//   status | units | incidents | audit
//   slots r2                      units on its disk, and what its pointer says
class Interpreter {
 public:
  Interpreter();

  // What it printed; lines are the same in every run. After each step the invariants are checked.
  std::vector<std::string> Do(const std::string& line);
  const std::vector<std::string>& broken() const { return broken_; }
  World& world() { return world_; }

 private:
  using Lines = std::vector<std::string>;
  using Verb = absl::StatusOr<Lines> (Interpreter::*)(const CommandLine&);
  static const std::map<std::string, Verb>& Verbs();

  absl::StatusOr<Lines> Robots(const CommandLine& line);
  absl::StatusOr<Lines> Unit(const CommandLine& line);
  absl::StatusOr<Lines> Rollout(const CommandLine& line);
  absl::StatusOr<Lines> Rollback(const CommandLine& line);
  absl::StatusOr<Lines> Abort(const CommandLine& line);
  absl::StatusOr<Lines> Release(const CommandLine& line);
  absl::StatusOr<Lines> Acknowledge(const CommandLine& line);
  absl::StatusOr<Lines> Rearm(const CommandLine& line);
  absl::StatusOr<Lines> Cut(const CommandLine& line);
  absl::StatusOr<Lines> Mend(const CommandLine& line);
  absl::StatusOr<Lines> Delay(const CommandLine& line);
  absl::StatusOr<Lines> Kill(const CommandLine& line);
  absl::StatusOr<Lines> Restart(const CommandLine& line);
  absl::StatusOr<Lines> Tamper(const CommandLine& line);
  absl::StatusOr<Lines> Estop(const CommandLine& line);
  absl::StatusOr<Lines> Program(const CommandLine& line);
  absl::StatusOr<Lines> Run(const CommandLine& line);
  absl::StatusOr<Lines> Skip(const CommandLine& line);
  absl::StatusOr<Lines> Status(const CommandLine& line);
  absl::StatusOr<Lines> Units(const CommandLine& line);
  absl::StatusOr<Lines> Incidents(const CommandLine& line);
  absl::StatusOr<Lines> Audit(const CommandLine& line);
  absl::StatusOr<Lines> Slots(const CommandLine& line);

  absl::StatusOr<Robot*> RobotOf(const CommandLine& line, size_t word = 0);
  absl::StatusOr<const SealedUnit*> UnitNamed(const std::string& title);
  bool Reached(const std::string& who, const std::string& state);
  void Step(Nanos by, Lines& told);

  World world_;
  Narrator narrator_;
  Invariants invariants_;
  std::vector<std::string> broken_;
  uint64_t audit_read_ = 0;
};

// kInvalidArgument: an open quote, no verb.
absl::StatusOr<CommandLine> ParseCommand(const std::string& line);
// "300ms", "10s", "7d".
absl::StatusOr<Nanos> ParseDuration(const std::string& text);

}  // namespace tests::journeys
