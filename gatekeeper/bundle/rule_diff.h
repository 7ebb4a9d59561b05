#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/change_effect.h"
#include "gatekeeper/bundle/static_checks.h"
#include "gatekeeper/bundle/ungated_unit.h"

namespace gatekeeper::bundle {

struct RuleChange {
  Effect effect = Effect::kDifferent;
  std::string document;  // model card, control policy, fallback rules
  std::string path;      // limits.nominal.vx_max_mps, envelope.stairs.circle_m, ...
  std::string before;    // "-" when it was not there
  std::string after;
};

struct UnitDiff {
  std::vector<RuleChange> rules;       // looser first
  std::vector<std::string> artifacts;  // files whose bytes differ, with both digests
  std::string safety_case;             // "SC-12 rev 4 -> SC-12 rev 5"; empty: it is the same
  bool same() const { return rules.empty() && artifacts.empty() && safety_case.empty(); }
};

// What changes for a robot that goes from `before` to `after`, told by meaning: lists of named
// things (zones, triggers) are compared by name, so that order and comments do not count.
absl::StatusOr<UnitDiff> DiffUnits(const UngatedUnit& before, const UngatedUnit& after);

// The same of the documents alone, looser first; both sides must have all three. kInvalidArgument
// names file and line of one that cannot be read.
absl::StatusOr<std::vector<RuleChange>> DiffRules(const RuleSet& before, const RuleSet& after);

// Whether a change beyond the unit that drives today takes another person's word: it is looser, or
// it is one of the rules and nobody can say that it is not looser. A document's name and version
// are no rules, and neither is the model card: the gates judge the model.
bool WantsSecondPerson(const RuleChange& change);

}  // namespace gatekeeper::bundle
