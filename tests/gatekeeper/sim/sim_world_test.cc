#include <cmath>
#include <limits>

#include "gatekeeper/sim/episode.h"
#include "gatekeeper/sim/expert.h"
#include "gatekeeper/sim/network.h"
#include "gtest/gtest.h"

namespace {

using namespace gatekeeper::sim;  // NOLINT(google-build-using-namespace)

TEST(WorldTest, CastsRaysToWallsShelvesAndPeople) {
  World world;
  EXPECT_NEAR(world.Cast({2, 1.5}, M_PI, 8, 0), 2.0, 1e-9);      // west wall
  EXPECT_NEAR(world.Cast({9, 1.5}, M_PI / 2, 8, 0), 1.3, 1e-9);  // shelf 1
  EXPECT_NEAR(world.Cast({9, 1.5}, 0, 8, 0), 8.0, 1e-9);         // nothing within range
  world.Add({{12, 1.5}, {12, 1.5001}, 0.0, 0.0, 0.25});
  EXPECT_NEAR(world.Cast({9, 1.5}, 0, 8, 0), 2.75, 1e-9);  // a person's near side
}

TEST(WorldTest, PeopleWalkToAndFro) {
  const Person person{{0, 0}, {10, 0}, 1.0, 0.0, 0.25};
  EXPECT_NEAR(person.At(0).x, 0, 1e-9);
  EXPECT_NEAR(person.At(4).x, 4, 1e-9);
  EXPECT_NEAR(person.At(10).x, 10, 1e-9);
  EXPECT_NEAR(person.At(13).x, 7, 1e-9);
}

TEST(RobotTest, FollowsCommandsTwoPeriodsLateAndWithinItsMotors) {
  Robot robot({0, 0, 0});
  robot.Step({1.0, 0});
  robot.Step({1.0, 0});
  EXPECT_EQ(robot.velocity().vx_mps, 0);
  robot.Step({1.0, 0});
  EXPECT_NEAR(robot.velocity().vx_mps, 1.5 * kPeriodS, 1e-9);
}

TEST(EpisodeTest, GivesTheSameTicksForTheSameSeed) {
  const EpisodeSpec spec{Condition::kDustyLidar, 7, 4, 0.1};
  std::string first;
  std::string second;
  RunEpisode(spec, [&](const EpisodeTick& tick) {
    first += tick.observation.scan().SerializeAsString() + std::to_string(tick.expert.wz_radps);
  });
  RunEpisode(spec, [&](const EpisodeTick& tick) {
    second += tick.observation.scan().SerializeAsString() + std::to_string(tick.expert.wz_radps);
  });
  EXPECT_EQ(first, second);
  EXPECT_GT(first.size(), 1000u);
}

TEST(EpisodeTest, DustSpoilsScansButNotTheRecordedCommands) {
  int specks = 0;
  int ticks = 0;
  World world;
  RunEpisode({Condition::kDustyLidar, 3, 4, 0}, [&](const EpisodeTick& tick) {
    ++ticks;
    const auto& odom = tick.observation.odom();
    const auto& scan = tick.observation.scan();
    for (int i = 0; i < scan.ranges_m_size(); ++i) {
      const double angle = odom.yaw_rad() + scan.angle_min_rad() + i * scan.angle_increment_rad();
      const double truth = world.Cast({odom.x_m(), odom.y_m()}, angle, 8, tick.seconds);
      specks += scan.ranges_m(i) < truth - 0.1 ? 1 : 0;
    }
  });
  EXPECT_GT(specks, ticks);  // 3.5 % of 181 beams
}

// The recordings must be good examples: whoever made them touched nothing.
TEST(ExpertTest, TouchesNothingInAnyCondition) {
  for (const Condition condition : kConditions) {
    for (uint64_t seed = 0; seed < 12; ++seed) {
      double nearest = std::numeric_limits<double>::infinity();
      double moved = 0;
      World hall;
      RunEpisode({condition, seed, 20, 0}, [&](const EpisodeTick& tick) {
        const auto& odom = tick.observation.odom();
        nearest = std::min(nearest, hall.Clearance({odom.x_m(), odom.y_m()}, tick.seconds));
        moved += std::abs(odom.vx_mps()) * kPeriodS;
      });
      EXPECT_GT(nearest, kRadiusM) << Tag(condition) << " " << seed;
      EXPECT_GT(moved, 2.0) << Tag(condition) << " " << seed << ": stuck";
    }
  }
}

TEST(NetworkTest, LearnsASmoothFunctionAndTheSameWeightsEveryTime) {
  Dataset data{.inputs = 2, .outputs = 1, .features = {}, .targets = {}};
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const double x = random.Uniform(-1, 1);
    const double y = random.Uniform(-1, 1);
    data.features.push_back(static_cast<float>(x));
    data.features.push_back(static_cast<float>(y));
    data.targets.push_back(static_cast<float>(std::sin(2 * x) * y));
  }
  const TrainingSpec spec{{16}, 60, 5e-3F, 1};
  const Network first = Network::Train(data, spec);
  const Network second = Network::Train(data, spec);

  EXPECT_EQ(first.layers()[0].weights, second.layers()[0].weights);
  const auto& hidden = first.layers()[0];
  const auto& last = first.layers()[1];
  double worst = 0;
  for (double x = -0.9; x < 0.95; x += 0.3) {
    for (double y = -0.9; y < 0.95; y += 0.3) {
      double out = last.bias[0];
      for (size_t h = 0; h < 16; ++h) {
        out += last.weights[h] *
               std::tanh(hidden.bias[h] + x * hidden.weights[h] + y * hidden.weights[16 + h]);
      }
      worst = std::max(worst, std::abs(out - std::sin(2 * x) * y));
    }
  }
  EXPECT_LT(worst, 0.15);
}

}  // namespace
