#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "gatekeeper/sim/episode.h"

namespace gatekeeper::sim {

struct LibrarySpec {
  std::string folder;  // made if absent; must not hold a library yet
  uint64_t seed = 1;
  int clips_per_segment = 48;  // of narrow aisles and crowds; twice as many clean, half as many
                               // dusty: the floor is not swept every day
  double clip_seconds = 8;
};

// How many clips of one condition.
int ClipsOf(Condition condition, const LibrarySpec& spec);

// Records the hall as a scenario library: one MCAP file and one scenario/1 YAML file a clip, tagged
// with its condition. The same spec gives the same bytes.
absl::Status RecordLibrary(const LibrarySpec& spec);

}  // namespace gatekeeper::sim
