#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/ungated_unit.h"

namespace gatekeeper::bundle {

// Something that must not be in a unit: which rule it breaks and where it stands.
struct Diagnostic {
  std::string rule;  // S1: the document reads and compiles; S8, S11: see policy_checks.h
  std::string file;  // path inside the unit
  int line = 1;
  int column = 1;
  std::string message;
};

// "policy/control_policy.yaml:12:3: S9: ..."
std::string ToString(const Diagnostic& diagnostic);

// Proves what can be proved about model card, control policy and fallback rules without running
// them. Empty: nothing was found.
std::vector<Diagnostic> CheckRules(std::string_view card_yaml, std::string_view policy_yaml,
                                   std::string_view fallback_yaml);

// The same for a unit's own files. Errors only when they cannot be read.
absl::StatusOr<std::vector<Diagnostic>> CheckRules(const UngatedUnit& unit);

}  // namespace gatekeeper::bundle
