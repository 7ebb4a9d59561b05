#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/change_effect.h"
#include "proto/fallback.pb.h"
#include "proto/policy.pb.h"

namespace gatekeeper::defects {

// One change for the worse of a unit's rules.
struct DocumentDefect {
  std::string file;  // in the unit
  std::string path;  // as in bundle::Flatten
  std::string what;  // "times 1.01", "removed", "weakened", ...
  std::string before;
  std::string after;
  bundle::Effect effect = bundle::Effect::kLooser;  // or kDifferent: nobody can say
  std::string yaml;                                 // the document with it
};

struct DocumentDefects {
  std::vector<DocumentDefect> defects;  // in order of file, path, what
  size_t harmless = 0;                  // edits that only tighten
  size_t equal = 0;                     // edits that change nothing or are another one again
};

// Every edit that does not merely tighten.
absl::StatusOr<DocumentDefects> SeedDocuments(const v1::ControlPolicy& policy,
                                              const v1::FallbackRules& fallback);

}  // namespace gatekeeper::defects
