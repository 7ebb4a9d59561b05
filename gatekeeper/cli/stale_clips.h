#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace gatekeeper::cli {

// Whose clips an import writes.
struct ClipFamily {
  std::string destination;    // folder and name, without what numbers a clip
  std::string source_sha256;  // of the recording that they come from
};

struct StaleClips {
  std::vector<std::string> removed;     // scenario files
  std::vector<std::string> left_alone;  // of that name and of another recording, or of nobody's
};

// Removes what earlier imports of the same recording left under this name and the present one did
// not make again: NAME.yaml, NAME-000.yaml and so on whose origin is that recording, each with the
// recording beside it if that is still the one that it names. `made`: the present one's scenario
// files.
absl::StatusOr<StaleClips> RemoveStaleClips(const ClipFamily& family,
                                            const std::set<std::string>& made);

}  // namespace gatekeeper::cli
