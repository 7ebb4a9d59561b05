#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gatekeeper/incident/draft.h"

namespace gatekeeper::incident {

struct FlightWindow {
  std::string recorder;  // folder of a robot's flight recorder, or a copy of it
  double seconds = 60;
  std::optional<int64_t> until_wall_ms = std::nullopt;  // else what was recorded last
};

// What a robot's flight recorder tells of that time: events, every change of what was decided and
// why, once a second power and heat, throttling when it begins and ends, and the slowest tick of
// each second with its parts. Lines are in the order of time. Reads the files of the window only,
// the one that a killed process left open as far as it is whole. kNotFound: the recorder has
// nothing of that time; the text says of which time it has.
absl::StatusOr<std::vector<TimelineLine>> FlightTimeline(const FlightWindow& window);

}  // namespace gatekeeper::incident
