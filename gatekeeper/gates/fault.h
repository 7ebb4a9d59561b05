#pragma once

#include <cstdint>
#include <string>

#include "proto/robot.pb.h"

namespace gatekeeper::gates {

// What is done to a recording while it is replayed.
struct Fault {
  enum class Kind { kNone, kDropChannel, kLinkDown };
  Kind kind = Kind::kNone;
  std::string channel;   // kDropChannel
  int64_t onset_ns = 0;  // log time
  int64_t until_ns = 0;  // ticks go on to here; after the recording's end the world stands still

  bool Hurts(int64_t now_ns) const { return kind != Kind::kNone && now_ns >= onset_ns; }
};

// All of the fault in words, different for different faults: results of replays are kept under it.
std::string Text(const Fault& fault);

// Does to one observation, received at `now_ns`, what the fault does to the world.
void Apply(const Fault& fault, int64_t now_ns, v1::Observation& observation);

}  // namespace gatekeeper::gates
