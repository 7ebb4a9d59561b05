#pragma once

#include <functional>
#include <string>
#include <vector>

#include "gatekeeper/sim/robot.h"

namespace gatekeeper::sim {

// What a piece of robot life is about; the names are the segments' tags.
enum class Condition { kClean, kDustyLidar, kNarrowAisle, kCrowd };
const char* Tag(Condition condition);
inline constexpr Condition kConditions[] = {Condition::kClean, Condition::kDustyLidar,
                                            Condition::kNarrowAisle, Condition::kCrowd};

struct EpisodeSpec {
  Condition condition = Condition::kClean;
  uint64_t seed = 0;
  double seconds = 8;
  double disturbance = 0;  // sigma of what is added to the expert's command, for training data
};

struct EpisodeTick {
  double seconds = 0;
  const v1::Observation& observation;  // as the robot saw it, dust included
  Twist expert;                        // what should be done
};

// The expert drives a seeded start, goal and crowd; the same spec gives the same ticks everywhere.
void RunEpisode(const EpisodeSpec& spec, const std::function<void(const EpisodeTick&)>& on_tick);

// Sends the robot round a route, one goal after the other.
class Errand {
 public:
  Errand(const std::vector<Vec2>& route, size_t first) : route_(route), at_(first % route.size()) {}
  // The goal to drive to from here; moves on when the last one is reached.
  Vec2 Goal(const Pose2& pose);
  Vec2 current() const { return route_[at_]; }

 private:
  const std::vector<Vec2>& route_;
  size_t at_;
};

struct Walkers {
  int people = 4;
  double slowest_mps = 0.4;
  double fastest_mps = 0.9;
};

// Adds people who walk across the hall, and do not look out for robots.
void AddCrowd(World& world, Random& random, const Walkers& walkers);

}  // namespace gatekeeper::sim
