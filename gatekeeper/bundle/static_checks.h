#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/policy_checks.h"
#include "gatekeeper/bundle/ungated_unit.h"

namespace gatekeeper::bundle {

// Something that must not be in a unit: which rule it breaks and where it stands.
struct Diagnostic {
  std::string rule;  // S1 to S15: policies/README.md
  std::string file;  // as the document was named
  int line = 1;
  int column = 1;
  std::string message;

  bool operator==(const Diagnostic&) const = default;
};

// "policy/control_policy.yaml:12:3: S9: ..."
std::string ToString(const Diagnostic& diagnostic);

inline constexpr size_t kMaxDocument = 1 << 20;

// One YAML file: what people call it, and its bytes.
struct Document {
  std::string file;
  std::string text;
};

// Documents that are to hold together. Each proof is made of those that are there: without a policy
// the others are only read; without a site S9 and S11 know no certificate and no geofence; without
// a previous unit S12 has nothing to say.
struct RuleSet {
  std::optional<Document> card;
  std::optional<Document> policy;
  std::optional<Document> fallback;
  std::optional<Document> site;
  std::vector<std::string> hardware;     // classes it is for; empty: the policy's robot_class
  std::optional<PreviousUnit> previous;  // what a robot would fall back to
};

// What is not proved without a site, for whoever reads only that nothing was found.
inline constexpr char kNoSite[] =
    "no site: nothing says where it may drive and what its robots are certified for";

// Proves what can be proved without running anything. Empty: nothing was found.
std::vector<Diagnostic> CheckRules(const RuleSet& rules);

// The same for a unit's own files, named as in the unit, on `site`. Errors only when they cannot be
// read.
absl::StatusOr<std::vector<Diagnostic>> CheckRules(const UngatedUnit& unit,
                                                   std::optional<Document> site = std::nullopt);

// The same with S12: `deployed` is what its robots would fall back to. kInvalidArgument too when
// `deployed` has no readable documents.
absl::StatusOr<std::vector<Diagnostic>> CheckRules(const UngatedUnit& unit,
                                                   const UngatedUnit& deployed,
                                                   std::optional<Document> site = std::nullopt);

// The unit's own documents, named as in the unit.
absl::StatusOr<RuleSet> RulesOf(const UngatedUnit& unit);

// The unit that `rules` are of, called `label`, as a later one would fall back to it. It must have
// a card and a policy; kInvalidArgument names file and line of one that cannot be read.
absl::StatusOr<PreviousUnit> PreviousOf(const std::string& label, const RuleSet& rules);

}  // namespace gatekeeper::bundle
