#include <cmath>
#include <random>

#include "gatekeeper/resim/bearing.h"
#include "gatekeeper/resim/grid_map.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/resim/walled_world.h"
#include "tests/support/cases.h"
#include "tests/support/status_matchers.h"

namespace gatekeeper::resim {
namespace {

using agent::runtime::ExactSinCos;
using agent::runtime::Footprint;
using agent::runtime::Region;
using agent::runtime::Vec2;
using tests::WalledWorld;

Footprint Round(double radius_m) { return Footprint(Region::Circle({0, 0}, radius_m)); }

DriveLog RoomLog() {
  return tests::RecordedDrive(WalledWorld::Room(), 8, {.sigma_m = 0.01}, {}, tests::Slalom);
}

TEST(BearingTest, EqualsTheLibrarysArcTangent) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> any(-30, 30);
  for (int i = 0; i < tests::Cases(200'000); ++i) {
    const double y = any(random);
    const double x = any(random);
    ASSERT_NEAR(ExactAtan2(y, x), std::atan2(y, x), 1e-15) << y << " " << x;
  }
  for (const double y : {-1.0, 0.0, 1.0}) {
    for (const double x : {-1.0, 0.0, 1.0})
      EXPECT_NEAR(ExactAtan2(y, x), x == 0 && y == 0 ? 0 : std::atan2(y, x), 1e-15);
  }
}

TEST(BearingTest, TellsWhereAPointLiesFromARobot) {
  EXPECT_NEAR(BearingRad({1, 1, std::numbers::pi / 2}, {1, 5}), 0, 1e-15);
  EXPECT_NEAR(BearingRad({1, 1, std::numbers::pi / 2}, {5, 1}), -std::numbers::pi / 2, 1e-15);
  EXPECT_NEAR(BearingRad({0, 0, 3}, {-1, -0.2}), std::atan2(-0.2, -1) + 2 * std::numbers::pi - 3,
              1e-15);
}

// Every wall is found where it stands, within one cell, and nothing is found elsewhere.
TEST(GridMapTest, RecoversTheWallsOfARoomToACell) {
  const auto map = GridMap::Build(RoomLog(), Round(0.2));
  ASSERT_OK(map.status());
  const auto to_wall = [](const Vec2& p) {
    const double outer =
        std::min({std::abs(p.x), std::abs(p.x - 10), std::abs(p.y), std::abs(p.y - 6)});
    const double bx = std::max({6 - p.x, p.x - 7, 0.0});
    const double by = std::max({2 - p.y, p.y - 3, 0.0});
    const double inside = std::min({p.x - 6, 7 - p.x, p.y - 2, 3 - p.y});
    return std::min(outer, inside > 0 ? inside : std::hypot(bx, by));
  };
  size_t occupied = 0;
  for (size_t row = 0; row < map->rows(); ++row) {
    for (size_t column = 0; column < map->columns(); ++column) {
      if (map->At(column, row) != GridMap::Cell::kOccupied) continue;
      ++occupied;
      const Vec2 middle{map->corner().x + (static_cast<double>(column) + 0.5) * map->cell_m(),
                        map->corner().y + (static_cast<double>(row) + 0.5) * map->cell_m()};
      EXPECT_LT(to_wall(middle), 1.5 * map->cell_m()) << middle.x << " " << middle.y;
    }
  }
  EXPECT_GT(occupied, 500u);
  for (double x = 0.5; x < 9.5; x += 0.05) {
    EXPECT_TRUE(map->At({x, 0.02}) == GridMap::Cell::kOccupied ||
                map->At({x, -0.02}) == GridMap::Cell::kOccupied)
        << x;
  }
}

TEST(GridMapTest, KnowsWhatItSawAndWhatItDidNot) {
  const auto map = GridMap::Build(RoomLog(), Round(0.2));
  ASSERT_OK(map.status());
  EXPECT_EQ(map->At({3, 1}), GridMap::Cell::kFree);
  EXPECT_EQ(map->At({6.5, 2.5}), GridMap::Cell::kUnknown) << "the inside of the box";
  EXPECT_EQ(map->At({-5, 2}), GridMap::Cell::kUnknown) << "beyond the wall";
  EXPECT_EQ(map->At({std::nan(""), 2}), GridMap::Cell::kUnknown);
}

// The stretch of the ray in the first occupied cell, cell by cell: no walking along the ray.
std::pair<double, double> FirstCell(const GridMap& map, Vec2 origin,
                                    const agent::runtime::SinCos& way, double range_m) {
  double first = std::numeric_limits<double>::infinity();
  double last = first;
  for (size_t row = 0; row < map.rows(); ++row) {
    for (size_t column = 0; column < map.columns(); ++column) {
      if (map.At(column, row) != GridMap::Cell::kOccupied) continue;
      const double low_x = map.corner().x + static_cast<double>(column) * map.cell_m();
      const double low_y = map.corner().y + static_cast<double>(row) * map.cell_m();
      const auto slab = [&](double from, double direction, double low) {
        const double a = (low - from) / direction;
        const double b = (low + map.cell_m() - from) / direction;
        return std::pair(std::min(a, b), std::max(a, b));
      };
      const auto [in_x, out_x] = slab(origin.x, way.cos, low_x);
      const auto [in_y, out_y] = slab(origin.y, way.sin, low_y);
      const double entry = std::max({in_x, in_y, 0.0});
      const double exit = std::min(out_x, out_y);
      if (!(entry < exit) || entry > range_m || entry >= first) continue;
      first = entry;
      last = exit;
    }
  }
  return {first, last};
}

TEST(GridMapTest, CastsAsAnOracleThatLooksAtEveryCell) {
  const auto map = GridMap::Build(RoomLog(), Round(0.2));
  ASSERT_OK(map.status());
  std::mt19937_64 random(3);
  std::uniform_real_distribution<double> x(-1, 11);
  std::uniform_real_distribution<double> y(-1, 7);
  std::uniform_real_distribution<double> angle(-7, 7);
  std::uniform_real_distribution<double> range(0.5, 15);
  int met = 0;
  for (int i = 0; i < tests::Cases(1500); ++i) {
    const Vec2 origin{x(random), y(random)};
    if (map->At(origin) == GridMap::Cell::kUnknown) continue;
    const auto way = ExactSinCos(angle(random));
    const double range_m = range(random);
    const auto [entry, exit] = FirstCell(*map, origin, way, range_m);
    const double found = map->Cast(origin, way, range_m);
    if (std::isfinite(entry)) {
      ++met;
      ASSERT_GE(found, entry - 1e-9) << origin.x << " " << origin.y << " " << way.cos;
      ASSERT_LE(found, exit + 1e-9) << origin.x << " " << origin.y << " " << way.cos;
    } else {
      ASSERT_FALSE(std::isfinite(found));
    }
  }
  EXPECT_GT(met, tests::Cases(1500) / 5);
}

TEST(GridMapTest, CastsToTheTrueWallWithinAFewCentimetres) {
  const WalledWorld world = WalledWorld::Room();
  const auto map = GridMap::Build(RoomLog(), Round(0.2));
  ASSERT_OK(map.status());
  std::mt19937_64 random(4);
  std::uniform_real_distribution<double> angle(-3.1, 3.1);
  std::vector<double> errors;
  for (int i = 0; i < 2000; ++i) {
    const double a = angle(random);
    const double found = map->Cast({3.1, 1.2}, ExactSinCos(a), 20);
    if (std::isfinite(found)) errors.push_back(std::abs(found - world.Cast(3.1, 1.2, a)));
  }
  ASSERT_GT(errors.size(), 1900u);
  std::sort(errors.begin(), errors.end());
  EXPECT_LT(errors[errors.size() / 2], 0.01);
  EXPECT_LT(errors[errors.size() * 95 / 100], 0.05) << "a cell";
}

TEST(GridMapTest, ATouchIsWhatTheFootprintCovers) {
  const auto map = GridMap::Build(RoomLog(), Round(0.2));
  ASSERT_OK(map.status());
  EXPECT_FALSE(map->Hits(Round(0.4), {3, 0.5, 0}));
  EXPECT_TRUE(map->Hits(Round(0.6), {3, 0.5, 0}));
  const Footprint longish(Region::Polygon({{0.7, 0.1}, {-0.1, 0.1}, {-0.1, -0.1}, {0.7, -0.1}}));
  EXPECT_FALSE(map->Hits(longish, {3, 0.5, 0}));
  EXPECT_TRUE(map->Hits(longish, {3, 0.5, -std::numbers::pi / 2})) << "nose to the wall";
  EXPECT_FALSE(map->Hits(longish, {300, 0.5, 0})) << "beyond the map";
}

TEST(GridMapTest, ForgetsWhoWalkedThrough) {
  DriveLog log = RoomLog();
  // A leg 1 m ahead of the robot in a tenth of the scans, seen by five beams.
  for (size_t i = 30; i < 46; ++i) {
    for (size_t beam = 178; beam < 183; ++beam) log.scans[i].ranges_m[beam] = 1.0F;
  }
  const auto map = GridMap::Build(log, Round(0.2));
  ASSERT_OK(map.status());
  const auto pose = log.PoseAt(log.scans[38].at_ns);
  EXPECT_EQ(map->At({pose.x_m + std::cos(pose.yaw_rad), pose.y_m + std::sin(pose.yaw_rad)}),
            GridMap::Cell::kFree);
}

TEST(GridMapTest, RefusesASiteThatIsTooLarge) {
  DriveLog log = RoomLog();
  log.scans.front().ranges_m.front() = 9e5F;
  EXPECT_EQ(GridMap::Build(log, Round(0.2)).status().code(), absl::StatusCode::kResourceExhausted);
  log.scans.front().ranges_m.front() = 3e38F;
  EXPECT_EQ(GridMap::Build(log, Round(0.2)).status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace gatekeeper::resim
