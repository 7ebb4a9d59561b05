#pragma once

#include <cstdint>
#include <stop_token>
#include <string>

#include "absl/status/status.h"

namespace gatekeeper::sim {

struct LiveSpec {
  std::string name;
  std::string socket;  // gatekeeper-control's robot socket; may appear later
  uint64_t seed = 1;
};

// What a robot lived through, for whoever wants to check a story afterwards.
struct LiveReport {
  std::string name;
  uint64_t ticks = 0;
  uint64_t unanswered = 0;   // ticks without a command in time: the robot stopped by itself
  double longest_gap_s = 0;  // between two answers, once there was a first
  uint64_t bumps = 0;        // times it drove against something ahead of it
  double distance_m = 0;
  std::string last_state;
  std::string last_unit;  // digest of whose command it followed last
};

// One robot of the demonstration: lives in a hall of its own, asks gatekeeper-control for a command
// at 20 Hz of real time and does what it says, until `stop`.
LiveReport LiveOneRobot(const LiveSpec& spec, std::stop_token stop);

// One JSON object.
std::string ToJson(const LiveReport& report);

}  // namespace gatekeeper::sim
