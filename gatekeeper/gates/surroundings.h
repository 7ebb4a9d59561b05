#pragma once

#include <vector>

#include "agent/runtime/geometry.h"
#include "gatekeeper/gates/replay.h"
#include "gatekeeper/resim/site_map.h"

namespace gatekeeper::gates {

// What stands around a way, as dots for a picture; nothing here decides.

inline constexpr size_t kMaxDots = 1500;  // of one picture; beyond it neighbours become one

// An upright piece of the site, in m.
struct Window {
  agent::runtime::Vec2 low;
  agent::runtime::Vec2 high;
};

// The map's walls in the window.
std::vector<agent::runtime::Vec2> WallsIn(const resim::SiteMap& map, const Window& window);

// Where the recorded laser's beams ended within a second of any of these seconds, by the recorded
// poses. Empty when the recording is not here, as at a merge, or holds no scan or pose.
std::vector<agent::runtime::Vec2> SeenIn(const Replay& replay, const std::vector<double>& seconds,
                                         const Window& window);

// The tick at that time of the recording's clock, or the last one. The replay has ticks.
size_t TickAt(const Replay& replay, int64_t at_ns);

}  // namespace gatekeeper::gates
