#include "gatekeeper/resim/movers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

namespace gatekeeper::resim {

using agent::runtime::Distance;
using agent::runtime::Footprint;
using agent::runtime::Pose2;
using agent::runtime::SinCos;
using agent::runtime::Vec2;

namespace {

constexpr double kNothing = std::numeric_limits<double>::infinity();
constexpr double kClear_m = 0.15;    // from the map's surfaces: nearer, the map may be wrong
constexpr double kOneThing_m = 0.3;  // between neighbouring ends; two legs of one stride
constexpr size_t kNeighbours = 3;    // beams; one that passed between two legs does not part them
constexpr double kBodyMargin_m = 0.05;  // around the footprint: the robot's own parts
constexpr int64_t kLost_ns = 1'000'000'000;
constexpr double kFastest_mps = 2;  // somebody in a hurry
constexpr double kSway_m = 0.3;     // of a middle from scan to scan: now one leg is seen, now both
constexpr size_t kLeastSights = 3;
constexpr double kTouchStep_m = 0.03;  // less than the map's cell

double Cross(Vec2 a, Vec2 b) { return a.x * b.y - a.y * b.x; }
Vec2 Less(Vec2 a, Vec2 b) { return {a.x - b.x, a.y - b.y}; }

Vec2 InBody(const Pose2& pose, const SinCos& heading, Vec2 point) {
  const Vec2 off = Less(point, {pose.x_m, pose.y_m});
  return {off.x * heading.cos + off.y * heading.sin, off.y * heading.cos - off.x * heading.sin};
}

// Free, and nothing that stands within kClear_m.
bool OnFreeFloor(const GridMap& map, Vec2 point) {
  if (map.At(point) != GridMap::Cell::kFree) return false;
  const int cells = static_cast<int>(std::ceil(kClear_m / map.cell_m()));
  for (int row = -cells; row <= cells; ++row) {
    for (int column = -cells; column <= cells; ++column) {
      const Vec2 beside{point.x + column * map.cell_m(), point.y + row * map.cell_m()};
      if (map.At(beside) == GridMap::Cell::kOccupied) return false;
    }
  }
  return true;
}

int64_t TypicalInterval(const DriveLog& log) {
  std::vector<int64_t> intervals;
  for (size_t i = 1; i < log.scans.size(); ++i)
    intervals.push_back(log.scans[i].at_ns - log.scans[i - 1].at_ns);
  if (intervals.empty()) return 0;
  const auto middle = intervals.begin() + static_cast<std::ptrdiff_t>(intervals.size() / 2);
  std::nth_element(intervals.begin(), middle, intervals.end());
  return std::clamp<int64_t>(*middle, 0, kLost_ns);
}

}  // namespace

double Standing::Cast(Vec2 origin, const SinCos& direction, double range_m) const {
  const Vec2 ray{direction.cos, direction.sin};
  double nearest_m = kNothing;
  for (const Line& line : lines_) {
    const Vec2 along = Less(line.to, line.from);
    const double across = Cross(ray, along);
    if (across == 0) continue;
    const Vec2 off = Less(line.from, origin);
    const double distance_m = Cross(off, along) / across;
    const double share = Cross(off, ray) / across;
    if (distance_m >= 0 && distance_m <= range_m && share >= 0 && share <= 1)
      nearest_m = std::min(nearest_m, distance_m);
  }
  return nearest_m;
}

std::optional<Vec2> Standing::Touch(const Footprint& footprint, const Pose2& pose) const {
  const SinCos heading = agent::runtime::ExactSinCos(pose.yaw_rad);
  const double reach_m = footprint.region().reach_m();
  for (const Line& line : lines_) {
    const double length_m = Distance(line.from, line.to);
    if (Distance(line.from, {pose.x_m, pose.y_m}) > reach_m + length_m) continue;
    const int steps = std::max(1, static_cast<int>(std::ceil(length_m / kTouchStep_m)));
    for (int i = 0; i <= steps; ++i) {
      const double share = static_cast<double>(i) / steps;
      const Vec2 point{line.from.x + share * (line.to.x - line.from.x),
                       line.from.y + share * (line.to.y - line.from.y)};
      const Vec2 in_body = InBody(pose, heading, point);
      if (footprint.region().Contains(in_body)) return in_body;
    }
  }
  return std::nullopt;
}

// From scan to scan: things, and the tracks that they go on with.
class Tracking {
 public:
  Tracking(const GridMap& map, const DriveLog& log, const Footprint& footprint)
      : map_(map), log_(log), footprint_(footprint) {}

  Movers Follow(size_t stride) {
    for (size_t i = 0; i < log_.scans.size(); i += stride) Take(log_.scans[i]);
    for (Open& open : open_) Close(open);
    std::sort(done_.tracks_.begin(), done_.tracks_.end(), [](const auto& a, const auto& b) {
      return std::tuple(a.front().at_ns, a.front().middle.x, a.front().middle.y) <
             std::tuple(b.front().at_ns, b.front().middle.x, b.front().middle.y);
    });
    done_.hold_ns_ = TypicalInterval(log_);
    return std::move(done_);
  }

 private:
  using Sighting = Movers::Sighting;
  struct Open {
    Movers::Track track;
    bool seen = false;  // in the scan that is looked at
  };
  struct Pair {
    double distance_m;
    size_t open;
    size_t sighting;
  };

  void Take(const TimedScan& scan) {
    std::vector<Sighting> sightings = Look(scan);
    std::vector<Open> still;
    for (Open& open : open_) {
      open.seen = false;
      if (scan.at_ns - open.track.back().at_ns > kLost_ns) {
        Close(open);
      } else {
        still.push_back(std::move(open));
      }
    }
    open_ = std::move(still);
    std::vector<bool> taken(sightings.size(), false);
    for (const Pair& pair : Pairs(sightings)) {
      if (open_[pair.open].seen || taken[pair.sighting]) continue;
      open_[pair.open].seen = true;
      taken[pair.sighting] = true;
      open_[pair.open].track.push_back(std::move(sightings[pair.sighting]));
    }
    for (size_t i = 0; i < sightings.size(); ++i) {
      if (!taken[i]) open_.push_back({{std::move(sightings[i])}, true});
    }
  }

  // Who may be whom, the nearest first.
  std::vector<Pair> Pairs(const std::vector<Sighting>& sightings) const {
    std::vector<Pair> pairs;
    for (size_t i = 0; i < open_.size(); ++i) {
      const Sighting& last = open_[i].track.back();
      for (size_t k = 0; k < sightings.size(); ++k) {
        const double distance_m = Distance(last.middle, sightings[k].middle);
        const double dt = static_cast<double>(sightings[k].at_ns - last.at_ns) * 1e-9;
        if (dt > 0 && distance_m <= kSway_m + kFastest_mps * dt)
          pairs.push_back({distance_m, i, k});
      }
    }
    std::sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) {
      return std::tuple(a.distance_m, a.open, a.sighting) <
             std::tuple(b.distance_m, b.open, b.sighting);
    });
    return pairs;
  }

  void Close(Open& open) {
    if (open.track.size() >= kLeastSights) done_.tracks_.push_back(std::move(open.track));
  }

  // Neighbouring beams that end on free floor, as things.
  std::vector<Sighting> Look(const TimedScan& scan) const {
    const Pose2 pose = log_.PoseAt(scan.at_ns);
    std::vector<Sighting> things;
    Sighting thing;
    thing.at_ns = scan.at_ns;
    size_t last = 0;  // beam
    for (size_t i = 0; i < scan.ranges_m.size(); ++i) {
      const std::optional<Vec2> end = OnTheFloor(pose, i, static_cast<double>(scan.ranges_m[i]));
      if (!end) continue;
      if (!thing.outline.empty() &&
          (i - last > kNeighbours || Distance(thing.outline.back(), *end) > kOneThing_m)) {
        AddThing(pose, thing, things);
        thing.outline.clear();
      }
      thing.outline.push_back(*end);
      last = i;
    }
    AddThing(pose, thing, things);
    return things;
  }

  // Where a beam ended, if nothing stands there.
  std::optional<Vec2> OnTheFloor(const Pose2& pose, size_t beam, double range_m) const {
    if (!IsReturn(range_m)) return std::nullopt;
    const SinCos way = agent::runtime::ExactSinCos(
        pose.yaw_rad + log_.angle_min_rad + log_.angle_increment_rad * static_cast<double>(beam));
    const Vec2 end{pose.x_m + range_m * way.cos, pose.y_m + range_m * way.sin};
    if (!OnFreeFloor(map_, end)) return std::nullopt;
    const SinCos heading = agent::runtime::ExactSinCos(pose.yaw_rad);
    if (footprint_.DistanceM(InBody(pose, heading, end)) <= kBodyMargin_m) return std::nullopt;
    // Behind a wall is nowhere that this laser saw.
    if (map_.Cast({pose.x_m, pose.y_m}, way, range_m) < range_m) return std::nullopt;
    return end;
  }

  // A beam stands for what is half a beam beside it too.
  void AddThing(const Pose2& pose, const Sighting& seen, std::vector<Sighting>& things) const {
    if (seen.outline.size() < 2) return;
    Sighting thing = seen;
    const auto widen = [&](Vec2& end, const Vec2& inner) {
      const double length_m = Distance(end, inner);
      if (length_m == 0) return;
      const double more =
          Distance(end, {pose.x_m, pose.y_m}) * std::abs(log_.angle_increment_rad) / 2 / length_m;
      end = {end.x + (end.x - inner.x) * more, end.y + (end.y - inner.y) * more};
    };
    const Vec2 second = thing.outline[1];
    const Vec2 last_but_one = thing.outline[thing.outline.size() - 2];
    widen(thing.outline.front(), second);
    widen(thing.outline.back(), last_but_one);
    for (const Vec2& point : thing.outline) {
      thing.middle.x += point.x;
      thing.middle.y += point.y;
    }
    thing.middle.x /= static_cast<double>(thing.outline.size());
    thing.middle.y /= static_cast<double>(thing.outline.size());
    things.push_back(std::move(thing));
  }

  const GridMap& map_;
  const DriveLog& log_;
  const Footprint& footprint_;
  std::vector<Open> open_;
  Movers done_;
};

Movers Movers::Find(const GridMap& map, const DriveLog& log, const Footprint& footprint,
                    Scans scans) {
  return Tracking(map, log, footprint).Follow(scans == Scans::kAll ? 1 : 2);
}

Standing Movers::At(int64_t at_ns) const {
  Standing standing;
  for (const Track& track : tracks_) {
    if (track.front().at_ns > at_ns) break;  // in order of their first sight
    if (at_ns > track.back().at_ns + hold_ns_) continue;
    const auto after =
        std::upper_bound(track.begin(), track.end(), at_ns,
                         [](int64_t at, const Sighting& sighting) { return at < sighting.at_ns; });
    const Sighting& before = *(after - 1);
    Vec2 moved{0, 0};
    if (after != track.end()) {
      const double share = static_cast<double>(at_ns - before.at_ns) /
                           static_cast<double>(after->at_ns - before.at_ns);
      moved = {share * (after->middle.x - before.middle.x),
               share * (after->middle.y - before.middle.y)};
    }
    for (size_t i = 1; i < before.outline.size(); ++i) {
      const Vec2& from = before.outline[i - 1];
      const Vec2& to = before.outline[i];
      standing.lines_.push_back(
          {{from.x + moved.x, from.y + moved.y}, {to.x + moved.x, to.y + moved.y}});
    }
  }
  return standing;
}

}  // namespace gatekeeper::resim
