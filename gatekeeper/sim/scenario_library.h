#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace gatekeeper::sim {

struct LibrarySpec {
  std::string folder;  // made if absent; must not hold a library yet
  uint64_t seed = 1;
  int clips_per_segment = 40;  // of each condition
  double clip_seconds = 8;
};

// Records the hall as a scenario library: one MCAP file and one scenario/1 YAML file a clip, tagged
// with its condition. The same spec gives the same bytes.
absl::Status RecordLibrary(const LibrarySpec& spec);

}  // namespace gatekeeper::sim
