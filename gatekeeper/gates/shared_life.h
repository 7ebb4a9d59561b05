#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "gatekeeper/gates/replay.h"

namespace gatekeeper::gates {

// Two clips that show the same time of the same robot.
struct SharedLife {
  size_t first = 0;  // indices of the replays, first < second
  size_t second = 0;
  bool same_recording = false;  // by digest; else both hold a stretch of one drive
  int64_t from_ns = 0;          // log time of the first and last command that both hold
  int64_t to_ns = 0;
};

// Recordings that take part twice, and cuts of one drive that overlap: equal commands at equal log
// times, to the last bit, a second's worth of them while they change. Every clip is told once, with
// the earliest that it repeats. A cut whose log times were rewritten is not recognised.
std::vector<SharedLife> FindSharedLife(const std::vector<Replay>& replays);

}  // namespace gatekeeper::gates
