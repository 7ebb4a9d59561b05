#include <cmath>
#include <optional>
#include <random>

#include "gatekeeper/resim/laser_model.h"
#include "gatekeeper/resim/movers.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/resim/walled_world.h"
#include "tests/support/status_matchers.h"

// What moved in a recording stands in the rebuilt world where and when it was.

namespace gatekeeper::resim {
namespace {

using agent::runtime::ExactSinCos;
using agent::runtime::Vec2;
using tests::kFootprint;
using tests::WalledWorld;

// A robot that stands at (2, 1) and looks along x, 20 scans a second.
DriveLog StandingLog(double seconds, double sigma_m = 0.01) {
  return tests::RecordedDrive(WalledWorld::Room(), seconds, {.sigma_m = sigma_m}, {},
                              [](double) { return std::pair(0.0, 0.0); });
}

// Across the robot's view, 2 m ahead of it, at 1 m/s from second 1 to second 4.
std::optional<Vec2> Crossing(double seconds) {
  if (seconds < 1 || seconds > 4) return std::nullopt;
  return Vec2{4, 0.5 + (seconds - 1)};
}

struct Found {
  DriveLog log;
  GridMap map;
  Movers movers;
};

Found FindIn(DriveLog log, Movers::Scans scans = Movers::Scans::kAll) {
  auto map = GridMap::Build(log, kFootprint);
  EXPECT_OK(map.status());
  Movers movers = Movers::Find(*map, log, kFootprint, scans);
  return {std::move(log), *std::move(map), std::move(movers)};
}

int64_t At(const DriveLog& log, double seconds) {
  return log.first_ns() + static_cast<int64_t>(std::llround(seconds * 1e9));
}

TEST(MoversTest, WhoCrossedTheViewCrossesItAgain) {
  DriveLog log = StandingLog(6);
  tests::AddPerson(log, Crossing);
  const Found found = FindIn(std::move(log));
  EXPECT_EQ(found.movers.size(), 1u);
  // Seen from elsewhere than the recorded laser: from the person's other side, and from ahead.
  for (const double seconds : {1.5, 2.0, 2.525, 3.0, 3.5}) {
    const Vec2 person = *Crossing(seconds);
    const Standing standing = found.movers.At(At(found.log, seconds));
    EXPECT_NEAR(standing.Cast({2, person.y}, ExactSinCos(0), 10), 1.88, 0.08) << seconds;
    EXPECT_NEAR(standing.Cast({6, person.y}, ExactSinCos(std::numbers::pi), 10), 2.1, 0.1)
        << "what was seen of it, from behind";
    EXPECT_FALSE(std::isfinite(standing.Cast({2, person.y + 0.4}, ExactSinCos(0), 10))) << seconds;
    EXPECT_FALSE(std::isfinite(standing.Cast({2, person.y}, ExactSinCos(0), 1.7))) << "range";
    EXPECT_TRUE(standing.Touch(kFootprint, {3.7, person.y, 0}));
    EXPECT_FALSE(standing.Touch(kFootprint, {3.5, person.y, 0}));
  }
  for (const double seconds : {0.5, 0.9, 4.2, 5.0})
    EXPECT_FALSE(found.movers.At(At(found.log, seconds)).Touch(kFootprint, {4, 2, 0})) << seconds;
  EXPECT_FALSE(std::isfinite(found.movers.At(At(found.log, 0.5)).Cast({2, 1}, ExactSinCos(0), 10)));
}

TEST(MoversTest, TellsThePointThatIsTouchedAsTheBodySeesIt) {
  DriveLog log = StandingLog(6);
  tests::AddPerson(log, Crossing);
  const Found found = FindIn(std::move(log));
  const Standing standing = found.movers.At(At(found.log, 2));
  const auto ahead = standing.Touch(kFootprint, {3.72, 1.5, 0});
  ASSERT_TRUE(ahead);
  EXPECT_GT(ahead->x, 0);
  const auto behind = standing.Touch(kFootprint, {3.72, 1.5, std::numbers::pi});
  ASSERT_TRUE(behind);
  EXPECT_LT(behind->x, 0);
}

TEST(MoversTest, AnEmptyRoomHasNone) {
  EXPECT_EQ(FindIn(StandingLog(4)).movers.size(), 0u);
  EXPECT_EQ(
      FindIn(tests::RecordedDrive(WalledWorld::Room(), 10, {.sigma_m = 0.02}, {}, tests::Slalom))
          .movers.size(),
      0u);
}

TEST(MoversTest, SpecksOfSingleBeamsAreNone) {
  DriveLog log = StandingLog(4);
  for (size_t i = 28; i < 42; ++i) log.scans[i].ranges_m[180] = 1.5F;
  EXPECT_EQ(FindIn(log).movers.size(), 0u);
  for (size_t i = 30; i < 40; ++i) log.scans[i].ranges_m[181] = 1.5F;
  EXPECT_EQ(FindIn(log).movers.size(), 1u) << "two neighbours";
}

TEST(MoversTest, ThreeSightsMakeOneAndTwoDoNot) {
  for (const size_t sights : {size_t{2}, size_t{3}}) {
    DriveLog log = StandingLog(4);
    for (size_t i = 30; i < 30 + sights; ++i) {
      for (size_t beam = 178; beam < 183; ++beam) log.scans[i].ranges_m[beam] = 1.5F;
    }
    EXPECT_EQ(FindIn(std::move(log)).movers.size(), sights == 3 ? 1u : 0u);
  }
}

// 20 scans a second: 20 lie a second apart.
TEST(MoversTest, WhoIsNotSeenForMoreThanASecondIsSomebodyElse) {
  for (const size_t gap : {size_t{20}, size_t{21}}) {
    DriveLog log = StandingLog(6);
    for (const size_t i : {size_t{30}, size_t{31}, size_t{32}, 32 + gap, 33 + gap, 34 + gap}) {
      for (size_t beam = 178; beam < 183; ++beam) log.scans[i].ranges_m[beam] = 1.5F;
    }
    EXPECT_EQ(FindIn(std::move(log)).movers.size(), gap == 20 ? 1u : 2u) << gap;
  }
}

// 0.3 m of sway and 2 m/s: 0.4 m from scan to scan.
TEST(MoversTest, NobodyIsFasterThanTwoMetresASecond) {
  for (const double step_m : {0.38, 0.42}) {
    DriveLog log = StandingLog(4);
    for (size_t i = 0; i < 6; ++i) {
      for (size_t beam = 179; beam < 182; ++beam)
        log.scans[30 + i].ranges_m[beam] =
            static_cast<float>(0.8 + static_cast<double>(i) * step_m);
    }
    EXPECT_EQ(FindIn(std::move(log)).movers.size(), step_m < 0.4 ? 1u : 0u) << step_m;
  }
}

TEST(MoversTest, TheRobotsOwnPartsAreNotAround) {
  DriveLog log = tests::RecordedDrive(WalledWorld::Room(), 6, {.sigma_m = 0.01}, {}, tests::Slalom);
  for (TimedScan& scan : log.scans) {
    for (size_t beam = 100; beam < 110; ++beam) scan.ranges_m[beam] = 0.22F;
  }
  EXPECT_EQ(FindIn(std::move(log)).movers.size(), 0u);
}

TEST(MoversTest, EverySecondScanPredictsTheOthers) {
  DriveLog log = StandingLog(6);
  tests::AddPerson(log, Crossing);
  const Found found = FindIn(std::move(log), Movers::Scans::kEverySecond);
  ASSERT_EQ(found.movers.size(), 1u);
  for (size_t i = 31; i < 70; i += 2) {
    const TimedScan& scan = found.log.scans[i];
    const double seconds = static_cast<double>(scan.at_ns - found.log.first_ns()) * 1e-9;
    const Vec2 person = *Crossing(seconds);
    const double angle = std::atan2(person.y - 1, person.x - 2);
    const auto beam = static_cast<size_t>(
        std::lround((angle - found.log.angle_min_rad) / found.log.angle_increment_rad));
    const double found_m =
        found.movers.At(scan.at_ns)
            .Cast({2, 1},
                  ExactSinCos(found.log.angle_min_rad +
                              found.log.angle_increment_rad * static_cast<double>(beam)),
                  20);
    EXPECT_NEAR(found_m, static_cast<double>(scan.ranges_m[beam]), 0.05) << seconds;
  }
}

// The same shares of noise are left with and without somebody who walks about.
TEST(MoversTest, WhatMovesIsNoLongerTheLasersNoise) {
  DriveLog log = StandingLog(6);
  tests::AddPerson(log, Crossing);
  const Found found = FindIn(std::move(log));
  const auto without = FitLaser(found.map, {}, found.log);
  const auto with = FitLaser(found.map, found.movers, found.log);
  ASSERT_OK(without.status());
  ASSERT_OK(with.status());
  EXPECT_GT(without->outlier, 0.005);
  EXPECT_LT(with->outlier, 0.35 * without->outlier);
}

TEST(MoversTest, ASimulatedScanShowsThem) {
  DriveLog log = StandingLog(6);
  tests::AddPerson(log, Crossing);
  const Found found = FindIn(std::move(log));
  const auto laser = FitLaser(found.map, found.movers, found.log);
  ASSERT_OK(laser.status());
  const Standing standing = found.movers.At(At(found.log, 2));
  Noise noise(1);
  v1::LaserScan scan;
  SimulateScan(*laser, {found.map, standing}, {2, 1.5, 0}, noise, scan);
  EXPECT_NEAR(scan.ranges_m(180), 1.87, 0.1);
  SimulateScan(*laser, {found.map, found.movers.At(At(found.log, 5))}, {2, 1.5, 0}, noise, scan);
  EXPECT_NEAR(scan.ranges_m(180), 8, 0.1) << "the wall";
}

}  // namespace
}  // namespace gatekeeper::resim
