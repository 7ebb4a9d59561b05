#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "agent/runtime/footprint.h"
#include "agent/runtime/geometry.h"
#include "gatekeeper/resim/drive_log.h"
#include "gatekeeper/resim/grid_map.h"

namespace gatekeeper::resim {

// What stands on the map's free floor at one moment, as lines seen from one side.
class Standing {
 public:
  // The distance to the first line along the ray; infinite if there is none within `range_m`.
  // `direction` has length 1.
  double Cast(agent::runtime::Vec2 origin, const agent::runtime::SinCos& direction,
              double range_m) const;
  // A point of it, in the body frame, that the footprint covers.
  std::optional<agent::runtime::Vec2> Touch(const agent::runtime::Footprint& footprint,
                                            const agent::runtime::Pose2& pose) const;

 private:
  friend class Movers;  // the one maker
  struct Line {
    agent::runtime::Vec2 from;
    agent::runtime::Vec2 to;
  };
  std::vector<Line> lines_;
};

// What a drive met that is in no map: persons, vehicles, whatever stood for a while. At least two
// neighbouring beams of a scan that end on free floor are seen as one thing; what is seen in three
// scans, less than a second apart and no farther than 2 m/s leads, is one that moved. It is where
// it was seen, in between where a straight way leads, and nowhere before the first sight of it and
// after the last: it does not react to anybody, and nobody knows of it what the recorded laser did
// not see. Scans a second apart or more show none; what one beam hit is the laser's noise.
class Movers {
 public:
  enum class Scans { kAll, kEverySecond };  // kEverySecond: so that the others can be a test of it

  Movers() = default;  // nobody
  static Movers Find(const GridMap& map, const DriveLog& log,
                     const agent::runtime::Footprint& footprint, Scans scans = Scans::kAll);

  Standing At(int64_t at_ns) const;
  size_t size() const { return tracks_.size(); }

 private:
  friend class Tracking;  // the one maker

  struct Sighting {
    int64_t at_ns = 0;
    agent::runtime::Vec2 middle;
    std::vector<agent::runtime::Vec2> outline;  // two points or more
  };
  using Track = std::vector<Sighting>;

  std::vector<Track> tracks_;
  int64_t hold_ns_ = 0;  // behind the last sight of one: until the next scan came
};

}  // namespace gatekeeper::resim
