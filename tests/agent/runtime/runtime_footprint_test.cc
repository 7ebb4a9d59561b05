#include <cmath>
#include <random>

#include "agent/runtime/footprint.h"
#include "gtest/gtest.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/agent/runtime/shapes.h"
#include "tests/support/cases.h"

namespace agent::runtime {
namespace {

namespace bg = boost::geometry;
using BoostLine = bg::model::linestring<BoostPoint>;

// Corners that go round a centre, with dents.
std::vector<Vec2> CornersAround(std::mt19937_64& random, Vec2 centre, double least, double most) {
  std::vector<Vec2> corners;
  const auto count = 4 + static_cast<int>(random() % 9);
  for (int i = 0; i < count; ++i) {
    const double angle = 2 * kPi * (i + In(random, 0, 0.9)) / count;
    const double radius = In(random, least, most);
    corners.push_back({centre.x + radius * std::cos(angle), centre.y + radius * std::sin(angle)});
  }
  return corners;
}

BoostRing RingAt(const std::vector<Vec2>& corners, const Pose2& pose) {
  BoostRing ring;
  for (const Vec2& c : corners) {
    ring.emplace_back(pose.x_m + std::cos(pose.yaw_rad) * c.x - std::sin(pose.yaw_rad) * c.y,
                      pose.y_m + std::sin(pose.yaw_rad) * c.x + std::cos(pose.yaw_rad) * c.y);
  }
  ring.push_back(ring.front());
  return ring;
}

BoostLine BorderOf(const BoostRing& ring) { return {ring.begin(), ring.end()}; }

TEST(FootprintTest, KnowsHowFarATurnMovesItsOutline) {
  EXPECT_EQ(Footprint(Region::Circle({}, 0.4)).turn_reach_m(), 0) << "a round robot only spins";
  EXPECT_EQ(Footprint(Region::Circle({0.3, 0.4}, 0.4)).turn_reach_m(), 0.5);
  EXPECT_DOUBLE_EQ(Footprint(Region::Polygon(kTruck)).turn_reach_m(), std::hypot(0.9, 0.3));
}

TEST(FootprintTest, LiesInAnUprightBox) {
  const Footprint round(Region::Circle({0.3, -0.1}, 0.25));
  EXPECT_DOUBLE_EQ(round.low().x, 0.05);
  EXPECT_DOUBLE_EQ(round.low().y, -0.35);
  EXPECT_DOUBLE_EQ(round.high().x, 0.55);
  EXPECT_DOUBLE_EQ(round.high().y, 0.15);

  const Footprint kite(Region::Polygon({{0.5, 0.1}, {-0.2, 0.4}, {-0.7, -0.1}, {0.1, -0.6}}));
  EXPECT_EQ(kite.low().x, -0.7);
  EXPECT_EQ(kite.low().y, -0.6);
  EXPECT_EQ(kite.high().x, 0.5);
  EXPECT_EQ(kite.high().y, 0.4);

  const Footprint ahead(Region::Polygon({{1, 2}, {3, 2}, {3, 5}}));
  EXPECT_EQ(ahead.low().x, 1);
  EXPECT_EQ(ahead.low().y, 2);
  const Footprint behind(Region::Polygon({{-1, -2}, {-3, -2}, {-3, -5}}));
  EXPECT_EQ(behind.high().x, -1);
  EXPECT_EQ(behind.high().y, -2);
}

TEST(FootprintTest, MeasuresFromItsOutlineToAPoint) {
  const Footprint truck(Region::Polygon(kTruck));
  EXPECT_DOUBLE_EQ(truck.DistanceM({1.2, 0.7}), 0.5);
  EXPECT_DOUBLE_EQ(truck.DistanceM({-0.5, 0}), 0.2);
  EXPECT_EQ(truck.DistanceM({0.5, 0.1}), 0) << "inside";
  EXPECT_DOUBLE_EQ(Footprint(Region::Circle({}, 0.25)).DistanceM({0, 1}), 0.75);
}

TEST(StandingFootprintTest, TellsTheRoomToAWallAtAnyHeading) {
  const Footprint truck(Region::Polygon(kTruck));
  const Region hall = Region::Polygon({{0, 0}, {10, 0}, {10, 5}, {0, 5}});
  const auto room = [&](const Pose2& pose) {
    return StandingFootprint(truck, pose).RoomM(hall, Side::kInside);
  };
  EXPECT_NEAR(room({8, 2.5, 0}), 1.1, 1e-12) << "its nose ahead";
  EXPECT_NEAR(room({8, 2.5, kPi}), 1.7, 1e-12) << "its tail ahead";
  EXPECT_NEAR(room({9.5, 2.5, kPi / 2}), 0.2, 1e-12) << "beside the wall";
  EXPECT_NEAR(room({9.1, 2.5, 0}), 0, 1e-12) << "touching";
  EXPECT_NEAR(room({9.2, 2.5, 0}), -0.1, 1e-12) << "its nose in the wall";
  EXPECT_LT(room({30, 30, 0}), -20) << "far outside";
}

TEST(StandingFootprintTest, AnEdgeMayPokeIntoIt) {
  const Footprint truck(Region::Polygon(kTruck));
  const auto room = [&](const Region& region) {
    return StandingFootprint(truck, {}).RoomM(region, Side::kOutside);
  };
  EXPECT_NEAR(room(Region::Polygon({{0.3, 0.5}, {1, 2}, {-1, 2}})), 0.2, 1e-12)
      << "a corner beside its long edge, away from all of its own";
  EXPECT_NEAR(room(Region::Polygon({{0.3, 0.2}, {1, 2}, {-1, 2}})), -0.1, 1e-12)
      << "the same corner inside";
  EXPECT_LT(room(Region::Polygon({{0.3, -2}, {0.4, -2}, {0.4, 2}, {0.3, 2}})), 0)
      << "a bar across, no corner of either in the other";
  EXPECT_NEAR(room(Region::Polygon({{0.2, -0.1}, {0.4, -0.1}, {0.4, 0.1}, {0.2, 0.1}})), -0.2, 1e-9)
      << "a post wholly under it";
  EXPECT_LT(room(Region::Polygon({{-9, -9}, {9, -9}, {9, 9}, {-9, 9}})), -8) << "wholly within";
}

TEST(StandingFootprintTest, MeasuresToCircles) {
  const Footprint truck(Region::Polygon(kTruck));
  const StandingFootprint standing(truck, {1, 1, 0});
  EXPECT_NEAR(standing.RoomM(Region::Circle({3, 1}, 0.5), Side::kOutside), 0.6, 1e-12);
  EXPECT_NEAR(standing.RoomM(Region::Circle({2, 1}, 0.5), Side::kOutside), -0.4, 1e-12);
  EXPECT_NEAR(standing.RoomM(Region::Circle({1, 1}, 2), Side::kInside), 2 - std::hypot(0.9, 0.3),
              1e-12);
  EXPECT_NEAR(standing.RoomM(Region::Circle({1, 1}, 0.5), Side::kInside),
              0.5 - std::hypot(0.9, 0.3), 1e-12);
  EXPECT_NEAR(StandingFootprint(truck, {}).RoomM(Region::Circle({-0.5, -0.5}, 2), Side::kInside),
              2 - std::hypot(1.4, 0.8), 1e-12)
      << "its first corner is the farthest";
  const Footprint round(Region::Circle({}, 0.25));
  EXPECT_NEAR(StandingFootprint(round, {}).RoomM(Region::Circle({1, 0}, 0.5), Side::kOutside), 0.25,
              1e-12);
  EXPECT_NEAR(StandingFootprint(round, {}).RoomM(Region::Circle({1, 0}, 2), Side::kInside), 0.75,
              1e-12);
}

TEST(StandingFootprintTest, TouchingABorderIsNotOverIt) {
  const Footprint box(Region::Polygon({{0.5, 0.25}, {-0.5, 0.25}, {-0.5, -0.25}, {0.5, -0.25}}));
  const Region hall = Region::Polygon({{0, 0}, {10, 0}, {10, 5}, {0, 5}});
  EXPECT_EQ(StandingFootprint(box, {9.5, 2.5, 0}).RoomM(hall, Side::kInside), 0);
  EXPECT_EQ(StandingFootprint(box, {}).RoomM(Region::Polygon({{0.5, 0}, {2, -1}, {2, 1}}),
                                             Side::kOutside),
            0);
}

TEST(StandingFootprintTest, ABarAcrossIsOverTheBorderByAMillimetre) {
  const Footprint truck(Region::Polygon(kTruck));
  const Region bar = Region::Polygon({{0.3, -2}, {0.4, -2}, {0.4, 2}, {0.3, 2}});
  EXPECT_EQ(StandingFootprint(truck, {}).RoomM(bar, Side::kOutside), -1e-3);
}

TEST(StandingFootprintTest, HasNoRoomThatIsANumberWhereThePoseIsNone) {
  const Region hall = Region::Polygon({{0, 0}, {10, 0}, {10, 5}, {0, 5}});
  for (const Region& shape : {Region::Polygon(kTruck), Region::Circle({}, 0.2)}) {
    const Footprint footprint(shape);
    for (const Pose2& pose : {Pose2{kNan, 2, 0}, Pose2{2, kNan, 0}, Pose2{2, 2, kNan}}) {
      const StandingFootprint standing(footprint, pose);
      EXPECT_TRUE(std::isnan(standing.RoomM(hall, Side::kInside)));
      EXPECT_TRUE(std::isnan(standing.RoomM(hall, Side::kOutside)));
    }
  }
}

class RoomOracleTest : public testing::TestWithParam<Side> {};

TEST_P(RoomOracleTest, EqualsBoostsForAnyTwoPolygons) {
  std::mt19937_64 random(11);
  int free = 0;
  int over = 0;
  const int all = tests::Cases(100'000);
  while (free + over < all) {
    const std::vector<Vec2> body = CornersAround(random, {In(random, -0.2, 0.2), 0}, 0.1, 0.8);
    const double size = In(random, 0.2, 4);
    const std::vector<Vec2> ground = CornersAround(random, {}, size / 3, size);
    const Pose2 pose{In(random, -3, 3), In(random, -3, 3), In(random, -kPi, kPi)};
    const BoostRing robot = RingAt(body, pose);
    const BoostRing zone = RingOf(ground);
    if (!bg::is_valid(robot) || !bg::is_valid(zone)) continue;
    const Footprint footprint(Region::Polygon(body));
    const Region region = Region::Polygon(ground);
    const StandingFootprint standing(footprint, pose);
    const double room = standing.RoomM(region, GetParam());
    const bool clear =
        GetParam() == Side::kInside ? bg::covered_by(robot, zone) : bg::disjoint(robot, zone);
    const double apart = bg::distance(BorderOf(robot), BorderOf(zone));
    ASSERT_LE(standing.LeastRoomM(region, GetParam()), room + 1e-9);
    if (clear) {
      ASSERT_NEAR(room, apart, 1e-9);
    } else {
      ASSERT_LT(room, 1e-9);
      // Once wholly on the wrong side it is at least as deep as the borders are apart.
      ASSERT_LE(room, -apart + 1e-9);
    }
    (clear ? free : over) += 1;
  }
  EXPECT_GT(free, all / 40);
  EXPECT_GT(over, all / 40);
}

TEST_P(RoomOracleTest, ChangesByNoMoreThanTheOutlineMoves) {
  std::mt19937_64 random(12);
  for (int i = 0; i < tests::Cases(100'000); ++i) {
    const std::vector<Vec2> ground = CornersAround(random, {}, 1, 3);
    const Region region =
        random() % 4 == 0 ? Region::Circle({}, In(random, 0.5, 3)) : Region::Polygon(ground);
    if (!region.is_circle() && !bg::is_valid(RingOf(ground))) continue;
    const Footprint footprint(Region::Polygon(kTruck));
    const Pose2 a{In(random, -3, 3), In(random, -3, 3), In(random, -kPi, kPi)};
    const double way = In(random, -0.1, 0.1);
    const double turn = In(random, -0.1, 0.1);
    const double before = StandingFootprint(footprint, a).RoomM(region, GetParam());
    const double after =
        StandingFootprint(footprint, Moved(a, way, turn)).RoomM(region, GetParam());
    if (before < 0 || after < 0) continue;
    ASSERT_LE(std::abs(after - before),
              std::abs(way) + footprint.turn_reach_m() * std::abs(turn) + 1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(BothSides, RoomOracleTest, testing::Values(Side::kInside, Side::kOutside));

}  // namespace
}  // namespace agent::runtime
