#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace gatekeeper::cli {

// Whose clips an import writes.
struct ClipFamily {
  std::string destination;    // folder and name, without what numbers a clip
  std::string source_sha256;  // of the recording that they come from
};

struct StaleClips {
  std::vector<std::string> removed;     // scenario files
  std::vector<std::string> kept;        // would have been removed by an import of all of it
  std::vector<std::string> left_alone;  // of that name and of another recording, or of nobody's
};

// Removes what earlier imports of the same recording left under this name and the present one did
// not make again: NAME.yaml, NAME-000.yaml and so on whose origin is that recording, each with the
// recording beside it if that is still the one that it names. `made`: names of the present one's
// scenario files, without their folder.
//
// Without `whole` nothing is removed: where the present one made a part of the recording only, what
// it did not make may be of the rest. `stale` grows; it tells what was removed before an error too.
absl::Status RemoveStaleClips(const ClipFamily& family, const std::set<std::string>& made,
                              bool whole, StaleClips& stale);

}  // namespace gatekeeper::cli
