#include "gatekeeper/sim/episode.h"

#include <cmath>
#include <numbers>

#include "gatekeeper/sim/expert.h"

namespace gatekeeper::sim {
namespace {

constexpr double kReached = 0.5;  // m
constexpr Dust kDusty{.false_return = 0.03, .dropout = 0.05};

// Somewhere on the way between two neighbours of the route, roughly facing the second.
Robot PlaceRobot(const std::vector<Vec2>& route, size_t first, Random& random) {
  const Vec2 from = route[first];
  const Vec2 to = route[(first + 1) % route.size()];
  const double share = random.Uniform(0.0, 0.7);
  const double facing = std::atan2(to.y - from.y, to.x - from.x);
  return Robot({from.x + share * (to.x - from.x) + random.Uniform(-0.15, 0.15),
                from.y + share * (to.y - from.y) + random.Uniform(-0.15, 0.15),
                facing + random.Uniform(-0.5, 0.5)});
}

const std::vector<Vec2>& RouteOf(Condition condition, Random& random) {
  if (condition == Condition::kNarrowAisle) return AisleRoute();
  if (condition == Condition::kDustyLidar && random.Uniform() < 0.5) return AisleRoute();
  return HallRoute();
}

}  // namespace

const char* Tag(Condition condition) {
  switch (condition) {
    case Condition::kClean:
      return "clean";
    case Condition::kDustyLidar:
      return "dusty_lidar";
    case Condition::kNarrowAisle:
      return "narrow_aisle";
    case Condition::kCrowd:
      return "crowd";
  }
  return "";
}

Vec2 Errand::Goal(const Pose2& pose) {
  if (Distance(pose, route_[at_]) < kReached) at_ = (at_ + 1) % route_.size();
  return route_[at_];
}

void AddCrowd(World& world, Random& random, const Walkers& walkers) {
  for (int i = 0; i < walkers.people; ++i) {
    const double x = random.Uniform(14.2, 17.5);
    const bool across = random.Uniform() < 0.5;
    const double y = random.Uniform() < 0.5 ? random.Uniform(0.8, 2.2) : random.Uniform(9.2, 11.2);
    const Vec2 from = across ? Vec2{x, 1.0} : Vec2{3.0, y};
    const Vec2 to = across ? Vec2{x, 11.0} : Vec2{17.0, y};
    world.Add({from, to, random.Uniform(walkers.slowest_mps, walkers.fastest_mps), random.Uniform(),
               0.25});
  }
}

void RunEpisode(const EpisodeSpec& spec, const std::function<void(const EpisodeTick&)>& on_tick) {
  Random random(spec.seed * 4 + static_cast<uint64_t>(spec.condition));
  World world;
  if (spec.condition == Condition::kCrowd) AddCrowd(world, random, {});
  const Dust dust = spec.condition == Condition::kDustyLidar ? kDusty : Dust{};
  const std::vector<Vec2>& route = RouteOf(spec.condition, random);
  const size_t first = random.Below(route.size());
  Robot robot = PlaceRobot(route, first, random);
  Errand errand(route, first + 1);

  v1::Observation observation;
  v1::LaserScan clean;
  const auto ticks = static_cast<int>(std::lround(spec.seconds / kPeriodS));
  for (int tick = 0; tick < ticks; ++tick) {
    const double seconds = (tick + 1) * kPeriodS;  // a stamp of zero would say: no stamp
    const Vec2 goal = errand.Goal(robot.pose());
    FillObservation(robot, goal, seconds, observation);
    observation.set_seq(static_cast<uint64_t>(tick) + 1);
    const Random before = random;
    FillScan(world, robot.pose(), seconds, Dust{}, random, clean);
    random = before;  // the same noise under the dust
    FillScan(world, robot.pose(), seconds, dust, random, *observation.mutable_scan());
    Twist expert = Expert(clean, Bearing(robot.pose(), goal), Distance(robot.pose(), goal));
    on_tick({seconds, observation, expert});
    expert.vx_mps += random.Normal(spec.disturbance);
    expert.wz_radps += random.Normal(2 * spec.disturbance);
    robot.Step(expert);
  }
}

}  // namespace gatekeeper::sim
