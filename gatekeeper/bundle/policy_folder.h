#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/bundle/static_checks.h"

namespace gatekeeper::bundle {

// Documents on disk, sorted into the sets that belong together, by the `schema` each one states:
//  - a folder with release specs (release/1): one set for each, with the files it names;
//  - a folder with nothing but sites: each by itself;
//  - any other folder: its policy and fallback rules, once with each card;
//  - files: those files together.
// A site that is named as a file is the site of every set that has none of its own. Other YAML
// files of a folder are left alone. kInvalidArgument: a file of no known schema, two policies in a
// folder without releases, fallback rules or cards without a policy; kNotFound: nothing there.
absl::StatusOr<std::vector<RuleSet>> FindRuleSets(const std::vector<std::string>& paths);

}  // namespace gatekeeper::bundle
