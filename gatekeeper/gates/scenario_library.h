#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/digest.h"
#include "proto/gates.pb.h"

namespace gatekeeper::gates {

// One scenario file and where its recording lies.
struct Scenario {
  v1::Scenario document;
  std::string file;            // the YAML file, as opened or as the library calls it
  std::string recording;       // path of the MCAP file; empty: no file has its digest
  agent::base::Digest sha256;  // of the YAML file's bytes; through them also of the recording
};

// All scenarios below `folder`, ordered by id: every *.yaml whose schema is scenario/1. Files of
// this project's other schemas may lie beside them; any other YAML file is an error, lest a
// misspelt schema hide a scenario. kInvalidArgument names file and line: unknown keys, an id that
// is used twice or has other characters than letters, digits, '.', '_' and '-', a recording outside
// the file's own folder, segments that are empty or run backwards. An absent folder is kNotFound;
// an empty one is no error, it leads to INSUFFICIENT.
//
// A scenario whose recording is not where it says, or that names none, has the file below
// `recordings` (or, when that is empty, below `folder`) whose SHA-256 is the scenario's: one whose
// name holds the digest's first 16 digits is tried first, else every *.mcap is read once. kNotFound
// names those without a name that no file fits.
//
// `name`: what messages and Scenario::file call the folder; empty: by its own name.
absl::StatusOr<std::vector<Scenario>> LoadScenarios(const std::string& folder,
                                                    const std::string& recordings = "",
                                                    const std::string& name = "");

// True while second `at_s` of the recording lies in a segment with this tag (from included, to
// not).
bool InSegment(const v1::Scenario& scenario, double at_s, const std::string& tag);
// The tags at that second, joined by ','; for findings.
std::string TagsAt(const v1::Scenario& scenario, double at_s);

}  // namespace gatekeeper::gates
