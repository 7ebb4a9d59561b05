#include <cmath>
#include <limits>
#include <numbers>
#include <random>

#include "agent/runtime/geometry.h"
#include "gtest/gtest.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/agent/runtime/shapes.h"
#include "tests/support/cases.h"

namespace agent::runtime {
namespace {

TEST(ExactSinCosTest, IsWithinALastBitOfTheCLibrary) {
  std::mt19937_64 random(1);
  for (int i = 0; i < tests::Cases(200'000); ++i) {
    const double angle = In(random, -100, 100);
    const SinCos got = ExactSinCos(angle);
    ASSERT_NEAR(got.sin, std::sin(angle), 1e-15) << angle;
    ASSERT_NEAR(got.cos, std::cos(angle), 1e-15) << angle;
  }
}

TEST(ExactSinCosTest, HoldsAtQuarterTurnsAndForLargeAngles) {
  for (int n = -9; n <= 9; ++n) {
    const double angle = n * std::numbers::pi / 2;
    EXPECT_NEAR(ExactSinCos(angle).sin, std::sin(angle), 1e-15);
    EXPECT_NEAR(ExactSinCos(angle).cos, std::cos(angle), 1e-15);
  }
  const SinCos far = ExactSinCos(1e9);
  EXPECT_NEAR(far.sin, std::sin(1e9), 1e-6);
  EXPECT_NEAR(far.sin * far.sin + far.cos * far.cos, 1, 1e-12);
}

TEST(ExactSinCosTest, TurnsHugeAnglesBackFirst) {
  for (int n = 0; n < 8; ++n) {
    const double angle = 1e12 + n;
    EXPECT_NEAR(ExactSinCos(angle).sin, std::sin(angle), 1e-3);
    EXPECT_NEAR(ExactSinCos(angle).cos, std::cos(angle), 1e-3);
  }
}

TEST(ExactSinCosTest, AnswersNonFiniteAnglesWithStraightAhead) {
  for (double bad :
       {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    EXPECT_EQ(ExactSinCos(bad).sin, 0);
    EXPECT_EQ(ExactSinCos(bad).cos, 1);
  }
}

// An L, so that some points outside are nearer to a corner than to any side's middle.
const std::vector<Vec2> kCorner = {{0, 0}, {4, 0}, {4, 2}, {2, 2}, {2, 5}, {0, 5}};

bool InsideL(Vec2 p) {
  return (p.x > 0 && p.x < 4 && p.y > 0 && p.y < 2) || (p.x > 0 && p.x < 2 && p.y > 0 && p.y < 5);
}

double NearestOfManyBorderPoints(Vec2 p) {
  double nearest = 1e9;
  for (size_t i = 0; i < kCorner.size(); ++i) {
    const Vec2 a = kCorner[i];
    const Vec2 b = kCorner[(i + 1) % kCorner.size()];
    for (int k = 0; k <= 2000; ++k) {
      const double t = k / 2000.0;
      nearest =
          std::min(nearest, std::hypot(a.x + t * (b.x - a.x) - p.x, a.y + t * (b.y - a.y) - p.y));
    }
  }
  return nearest;
}

TEST(RegionTest, DepthOfAPolygonEqualsBruteForce) {
  const Region region = Region::Polygon(kCorner);
  std::mt19937_64 random(2);
  for (int i = 0; i < tests::Cases(2000); ++i) {
    const Vec2 p{In(random, -2, 6), In(random, -2, 7)};
    const double depth = region.Depth(p);
    ASSERT_NEAR(std::abs(depth), NearestOfManyBorderPoints(p), 2e-3);
    ASSERT_EQ(depth > 0, InsideL(p)) << p.x << " " << p.y;
  }
}

TEST(RegionTest, InsideOfAPolygonEqualsAnOracleOnManyPoints) {
  std::vector<Vec2> clockwise(kCorner.rbegin(), kCorner.rend());
  const Region region = Region::Polygon(kCorner);
  const Region other_way = Region::Polygon(clockwise);
  std::mt19937_64 random(3);
  for (int i = 0; i < tests::Cases(100'000); ++i) {
    const Vec2 p{In(random, -1, 5), In(random, -1, 6)};
    ASSERT_EQ(region.Contains(p), InsideL(p)) << p.x << " " << p.y;
    ASSERT_EQ(other_way.Contains(p), InsideL(p)) << p.x << " " << p.y;
  }
}

TEST(RegionTest, DepthChangesByAtMostTheDistanceGone) {
  const Region polygon = Region::Polygon(kCorner);
  const Region circle = Region::Circle({1, 1}, 2);
  std::mt19937_64 random(4);
  for (int i = 0; i < tests::Cases(100'000); ++i) {
    const Vec2 a{In(random, -2, 6), In(random, -2, 7)};
    const Vec2 b{a.x + In(random, -0.3, 0.3), a.y + In(random, -0.3, 0.3)};
    const double gone = std::hypot(a.x - b.x, a.y - b.y);
    ASSERT_LE(std::abs(polygon.Depth(a) - polygon.Depth(b)), gone + 1e-12);
    ASSERT_LE(std::abs(circle.Depth(a) - circle.Depth(b)), gone + 1e-12);
  }
}

TEST(RegionTest, DepthOfACircleIsRadiusMinusDistance) {
  const Region region = Region::Circle({1, 2}, 0.5);
  EXPECT_DOUBLE_EQ(region.Depth({1, 2}), 0.5);
  EXPECT_DOUBLE_EQ(region.Depth({1.5, 2}), 0);
  EXPECT_DOUBLE_EQ(region.Depth({1, 4}), -1.5);
  EXPECT_DOUBLE_EQ(region.reach_m(), std::sqrt(5.0) + 0.5);
}

// Corners that go round a centre: simple, and as often as not with dents.
std::vector<Vec2> RandomCorners(std::mt19937_64& random) {
  std::vector<Vec2> corners;
  const auto count = 3 + static_cast<int>(random() % 10);
  const Vec2 centre{In(random, -2, 2), In(random, -2, 2)};
  for (int i = 0; i < count; ++i) {
    const double angle = 2 * std::numbers::pi * (i + In(random, 0, 0.9)) / count;
    const double radius = In(random, 0.2, 3);
    corners.push_back({centre.x + radius * std::cos(angle), centre.y + radius * std::sin(angle)});
  }
  return corners;
}

TEST(RegionTest, DepthOfAnyPolygonEqualsBoosts) {
  std::mt19937_64 random(6);
  for (int i = 0; i < tests::Cases(100'000); ++i) {
    const std::vector<Vec2> corners = RandomCorners(random);
    const BoostRing ring = RingOf(corners);
    // Corners that go round by more than half a turn at once may fold; those are no polygons.
    if (!boost::geometry::is_valid(ring)) continue;
    const Vec2 p{In(random, -4, 4), In(random, -4, 4)};
    const BoostPoint point(p.x, p.y);
    const boost::geometry::model::linestring<BoostPoint> border(ring.begin(), ring.end());
    const double distance = boost::geometry::distance(point, border);
    const bool inside = boost::geometry::within(point, ring);
    ASSERT_NEAR(Region::Polygon(corners).Depth(p), inside ? distance : -distance, 1e-9) << i;
    ASSERT_EQ(Region::Polygon(corners).Contains(p), inside || distance == 0) << i;
  }
}

TEST(IsSimplePolygonTest, AgreesWithBoostOnAnyCorners) {
  std::mt19937_64 random(7);
  int simple = 0;
  for (int i = 0; i < tests::Cases(100'000); ++i) {
    std::vector<Vec2> corners = RandomCorners(random);
    if (random() % 2) std::swap(corners[random() % corners.size()], corners[0]);
    BoostRing ring = RingOf(corners);
    boost::geometry::correct(ring);
    const bool truth = boost::geometry::is_valid(ring);
    simple += truth ? 1 : 0;
    ASSERT_EQ(IsSimplePolygon(corners), truth) << i;
  }
  EXPECT_GT(simple, tests::Cases(30'000));
  EXPECT_LT(simple, tests::Cases(90'000));
}

// On a grid of few points corners fall onto edges, and edges onto each other.
TEST(IsSimplePolygonTest, AgreesWithBoostWhereCornersTouchEdges) {
  std::mt19937_64 random(8);
  int simple = 0;
  for (int i = 0; i < tests::Cases(50'000); ++i) {
    std::vector<Vec2> corners;
    boost::geometry::model::linestring<BoostPoint> border;
    const size_t count = 3 + random() % 4;
    for (size_t k = 0; k < count; ++k) {
      corners.push_back({static_cast<double>(random() % 4), static_cast<double>(random() % 4)});
    }
    for (const Vec2& corner : corners) border.emplace_back(corner.x, corner.y);
    border.push_back(border.front());
    const bool truth = boost::geometry::is_simple(border);
    simple += truth ? 1 : 0;
    ASSERT_EQ(IsSimplePolygon(corners), truth) << i << " " << boost::geometry::wkt(border);
  }
  EXPECT_GT(simple, tests::Cases(10'000));
  EXPECT_LT(simple, tests::Cases(40'000));
}

TEST(RegionTest, IsBoundByTheCircleAroundItsBox) {
  const Region box = Region::Polygon({{1, -1}, {1, 2}, {-3, 2}, {-3, -1}});
  EXPECT_EQ(box.bound().centre.x, -1);
  EXPECT_EQ(box.bound().centre.y, 0.5);
  EXPECT_EQ(box.bound().radius_m, 2.5);
  EXPECT_DOUBLE_EQ(box.reach_m(), std::sqrt(13.0));
  EXPECT_DOUBLE_EQ(Region::Polygon({{0, 0}, {0.3, 0}, {0, 0.4}}).reach_m(), 0.4);
}

TEST(RegionTest, ContainsEachOfItsCorners) {
  std::mt19937_64 random(9);
  for (int i = 0; i < 200; ++i) {
    const std::vector<Vec2> corners = RandomCorners(random);
    const Region region = Region::Polygon(corners);
    for (const Vec2& corner : corners) ASSERT_TRUE(region.Contains(corner)) << i;
  }
}

TEST(RegionTest, APointLevelWithCornersIsInsideOrOutsideAsAnyOther) {
  for (const std::vector<Vec2>& corners :
       {std::vector<Vec2>{{1, 0}, {0, 1}, {-1, 0}, {0, -1}}, {{0, -1}, {-1, 0}, {0, 1}, {1, 0}}}) {
    const Region diamond = Region::Polygon(corners);
    EXPECT_GT(diamond.Depth({0, 0}), 0);
    EXPECT_GT(diamond.Depth({0.5, 0}), 0);
    EXPECT_LT(diamond.Depth({-2, 0}), 0);
    EXPECT_LT(diamond.Depth({2, 0}), 0);
    EXPECT_LT(diamond.Depth({-1, 1}), 0);
    EXPECT_LT(diamond.Depth({-1, -1}), 0);
  }
}

TEST(EdgeTest, ThatEndsOnAnotherDoesNotCrossIt) {
  const Edge level = EdgeBetween({0, 0}, {2, 0});
  EXPECT_TRUE(Cross(level, EdgeBetween({1, -1}, {1, 1})));
  EXPECT_TRUE(Cross(level, EdgeBetween({1, 1}, {1, -1})));
  for (const Edge& other : {EdgeBetween({1, 0}, {1, 1}), EdgeBetween({1, 0}, {1, -1}),
                            EdgeBetween({1, 1}, {1, 0}), EdgeBetween({1, -1}, {1, 0})}) {
    EXPECT_FALSE(Cross(level, other));
    EXPECT_FALSE(Cross(other, level));
  }
}

TEST(EdgeTest, WithoutALengthIsAPoint) {
  EXPECT_EQ(Distance2ToEdge({4, 6}, EdgeBetween({1, 2}, {1, 2})), 25);
}

TEST(MovedTest, EqualsIntegrationInSmallSteps) {
  std::mt19937_64 random(5);
  for (int i = 0; i < 200; ++i) {
    const Pose2 start{In(random, -5, 5), In(random, -5, 5), In(random, -3, 3)};
    const double turn = In(random, -6, 6);
    const double distance = In(random, -2, 2);
    double x = start.x_m, y = start.y_m, yaw = start.yaw_rad;
    constexpr int kSteps = 20'000;
    for (int k = 0; k < kSteps; ++k) {
      const double ds = distance / kSteps;
      const double dyaw = turn / kSteps;
      x += ds * std::cos(yaw + dyaw / 2);
      y += ds * std::sin(yaw + dyaw / 2);
      yaw += dyaw;
    }
    const Pose2 got = Moved(start, distance, turn);
    ASSERT_NEAR(got.x_m, x, 1e-7);
    ASSERT_NEAR(got.y_m, y, 1e-7);
    ASSERT_NEAR(got.yaw_rad, yaw, 1e-9);
  }
}

TEST(MovedTest, IsStraightWithoutATurnAndStaysWithoutAWay) {
  const Pose2 ahead = Moved({1, 2, std::numbers::pi / 2}, 3, 0);
  EXPECT_NEAR(ahead.x_m, 1, 1e-15);
  EXPECT_NEAR(ahead.y_m, 5, 1e-15);
  const Pose2 turned = Moved({1, 2, 0.5}, 0, -2);
  EXPECT_EQ(turned.x_m, 1);
  EXPECT_EQ(turned.y_m, 2);
  EXPECT_EQ(turned.yaw_rad, -1.5);
}

TEST(IsSimplePolygonTest, TellsSimplePolygonsFromOthers) {
  EXPECT_TRUE(IsSimplePolygon(kCorner));
  EXPECT_TRUE(IsSimplePolygon({{0, 0}, {1, 0}, {0, 1}}));
  EXPECT_TRUE(IsSimplePolygon({{0, 0}, {1, 0}, {2, 0}, {2, 1}})) << "a corner on a straight line";
  EXPECT_TRUE(IsSimplePolygon({{0, 0}, {0.5, 0}, {1, 0}, {1, 1}})) << "and a small one";
  EXPECT_FALSE(IsSimplePolygon({{0, 0}, {0.5, 0}, {0.25, 0}, {0.25, 0.5}})) << "folded a little";
  EXPECT_FALSE(IsSimplePolygon({{0, 0}, {1, 0}, {0, 1}, {0, 0}})) << "the first corner twice";
  EXPECT_FALSE(IsSimplePolygon({{1, 1}, {1, 1}, {1, 1}})) << "a point";
  EXPECT_FALSE(IsSimplePolygon({{0, 0}, {1, 1}, {2, 2}})) << "a slanted line";
  EXPECT_TRUE(IsSimplePolygon({{1, 1}, {-1, 1}, {-1, -1}, {1, -1}})) << "around the origin";
  EXPECT_FALSE(IsSimplePolygon({{0, 0}, {1, 0}, {0, std::nan("")}})) << "no numbers";
  EXPECT_FALSE(IsSimplePolygon({{1, 2}})) << "one corner";
  EXPECT_FALSE(IsSimplePolygon({})) << "nothing";
  EXPECT_FALSE(IsSimplePolygon({{0, 0}, {1, 0}})) << "a line";
  EXPECT_FALSE(IsSimplePolygon({{0, 0}, {1, 0}, {2, 0}})) << "no area";
  EXPECT_FALSE(IsSimplePolygon({{0, 0}, {2, 2}, {2, 0}, {0, 2}})) << "a bow tie";
  EXPECT_FALSE(IsSimplePolygon({{0, 0}, {0, 0}, {1, 0}, {0, 1}})) << "a corner given twice";
  EXPECT_FALSE(IsSimplePolygon({{0, 0}, {4, 0}, {2, 0}, {2, 2}})) << "an edge folded back";
  EXPECT_FALSE(IsSimplePolygon({{0, 0}, {4, 0}, {4, 4}, {2, 0}, {0, 4}})) << "a corner on an edge";
  EXPECT_FALSE(IsSimplePolygon({{2, 0}, {4, 4}, {4, 0}, {0, 0}, {0, 4}})) << "the first corner";
  EXPECT_FALSE(IsSimplePolygon({{0, 4}, {2, 0}, {4, 4}, {4, 0}, {0, 0}})) << "the second corner";
}

}  // namespace
}  // namespace agent::runtime
