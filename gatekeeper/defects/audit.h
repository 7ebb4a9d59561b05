#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/defects/static_gates.h"
#include "gatekeeper/gates/run_suite.h"

namespace gatekeeper::defects {

enum class Fate { kKilled, kSurvived, kNotSeeded };

// What became of one seeded defect.
struct Seeded {
  bool in_rules = true;  // else in the scenarios
  std::string place;     // file and path in it, or scenario
  std::string what;
  std::string before;
  std::string after;
  bool unclear = false;  // nobody can say that it loosens anything
  Fate fate = Fate::kSurvived;
  std::vector<std::string> killers = {};  // gates; "library": the scenarios are refused as a whole
  bool replayed = false;                  // it took more than the gates that need no replay
  std::string reason = {};                // of kNotSeeded
};

struct Tally {
  size_t killed = 0;
  size_t survived = 0;
  size_t not_seeded = 0;
  size_t seeded() const { return killed + survived; }
  double rate() const {  // 0 where nothing could be seeded: nothing was shown
    return seeded() == 0 ? 0 : static_cast<double>(killed) / static_cast<double>(seeded());
  }
};

struct Audit {
  std::string unit;     // name@version
  std::string against;  // likewise; empty: none
  bool replays = true;  // gates that need replays were asked too
  Outcomes unhurt;      // what the gates say of the unit as it is
  std::vector<Seeded> seeded;
  size_t harmless = 0;  // edits left out because they only tighten
  size_t equal = 0;     // edits that change nothing or are another one again

  Tally rules() const;
  Tally scenarios() const;
  Tally all() const;
};

// How far an audit is with the defects of the rules, or of the scenarios.
struct AuditProgress {
  bool in_rules = true;
  size_t done = 0;
  size_t of = 0;
  size_t killed = 0;
};

struct AuditInput {
  gates::SuiteInput suite;  // its cache, clips and attempts are not used
  std::string scratch;      // an empty folder of its own, for twins of unit and library
  size_t clips = 2;         // defects are seeded into so many scenarios
  bool replays = true;      // false: only the gates that need none are asked
  std::function<void(const AuditProgress&)> tell = {};  // after each defect; may be empty
};

// Seeds defects one at a time and asks the planned gates about each. Killed: a gate says something
// worse than of the unhurt unit. Gates without replays go first; results of scenarios that are not
// touched are taken over. Equal inputs give equal audits. Errors as RunSuite.
absl::StatusOr<Audit> AuditGates(const bundle::UngatedUnit& unit, const AuditInput& input);

}  // namespace gatekeeper::defects
