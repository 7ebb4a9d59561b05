#include <cmath>
#include <limits>
#include <numbers>

#include "agent/base/split_mix.h"
#include "gatekeeper/ingest/scan_mount.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

// A laser's beams as the middle of the robot would have seen them.

namespace {

namespace v1 = gatekeeper::v1;
using gatekeeper::ingest::FlatTransform;
using gatekeeper::ingest::kMostBeams;
using gatekeeper::ingest::MountScan;
using std::numbers::pi;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using tests::StatusIs;

v1::LaserScan Scan(double angle_min_rad, double increment_rad, const std::vector<float>& ranges_m) {
  v1::LaserScan scan;
  scan.set_angle_min_rad(angle_min_rad);
  scan.set_angle_increment_rad(increment_rad);
  for (const float range_m : ranges_m) scan.add_ranges_m(range_m);
  return scan;
}

// The beam of a scan all around that looks there.
float At(const v1::LaserScan& scan, double degrees) {
  const double beam =
      std::round((degrees * pi / 180 - scan.angle_min_rad()) / scan.angle_increment_rad());
  return scan.ranges_m(static_cast<int>(beam));
}

TEST(ScanMountTest, NearerThanAMillimetreIsNoOffset) {
  v1::LaserScan scan = Scan(-1, 0.1, {1, 0, 3});
  ASSERT_OK(MountScan({.pose = {0.0009, 0, 0}}, scan));
  EXPECT_THAT(scan.ranges_m(), ElementsAre(1, 0, 3));
  EXPECT_EQ(scan.angle_min_rad(), -1);
  ASSERT_OK(MountScan({.pose = {0.0011, 0, 0}}, scan));
  EXPECT_EQ(scan.ranges_m_size(), 62);
}

TEST(ScanMountTest, ATurnedScansMiddleBeamLooksSomewhereBetweenMinusAndPlusHalfATurn) {
  for (const double yaw_rad : {-3.1, -1.0, 0.5, 3.1}) {
    v1::LaserScan scan = Scan(2, 0.1, std::vector<float>(11, 1));  // its middle looks to 2.5
    ASSERT_OK(MountScan({.pose = {0, 0, yaw_rad}}, scan));
    const double middle_rad = scan.angle_min_rad() + 0.5;
    EXPECT_LE(std::abs(middle_rad), pi);
    EXPECT_NEAR(std::remainder(middle_rad - 2.5 - yaw_rad, 2 * pi), 0, 1e-12);
  }
}

TEST(ScanMountTest, UpsideDownAndTurnedTheSamePointsAreSeen) {
  v1::LaserScan scan = Scan(-0.3, 0.2, {1, 2, 3, 4});
  // About x by half a turn, then to the left by 0.5: a beam at angle a looks to 0.5 - a.
  ASSERT_OK(MountScan({.pose = {0, 0, 0.5}, .upright = -1}, scan));
  EXPECT_THAT(scan.ranges_m(), ElementsAre(4, 3, 2, 1));
  EXPECT_NEAR(scan.angle_min_rad(), 0.5 - 0.3, 1e-12);
  EXPECT_EQ(scan.angle_increment_rad(), 0.2);
}

TEST(ScanMountTest, BetweenTwoReturnsStandsTheNearerAndBesideOneThatSawNothingNothing) {
  const double degree = pi / 180;
  // A laser 0.5 m to the left, looking right: 1 m to a pole at its right, then a wall, then
  // nothing.
  v1::LaserScan scan = Scan(-10 * degree, 10 * degree, {1, 4, 0, 2});
  ASSERT_OK(MountScan({.pose = {0, 0.5, -pi / 2}}, scan));
  ASSERT_EQ(scan.ranges_m_size(), 36);
  EXPECT_NEAR(At(scan, -110), std::hypot(std::sin(10 * degree), std::cos(10 * degree) - 0.5), 1e-6);
  EXPECT_NEAR(At(scan, -100), At(scan, -110), 1e-6) << "between pole and wall the pole";
  EXPECT_NEAR(At(scan, -90), 3.5, 1e-6);
  EXPECT_EQ(At(scan, -80), 0);
  EXPECT_EQ(At(scan, 90), 0);
}

TEST(ScanMountTest, AReturnAtTheBodysOwnOriginIsNotLost) {
  v1::LaserScan scan = Scan(pi, 1, {0.25});
  ASSERT_OK(MountScan({.pose = {0.25, 0, 0}}, scan));
  float nearest_m = 9;
  for (const float range_m : scan.ranges_m())
    if (range_m > 0) nearest_m = std::min(nearest_m, range_m);
  EXPECT_NEAR(nearest_m, 0.001, 1e-9);
}

TEST(ScanMountTest, WhatIsNoReturnStaysNone) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  v1::LaserScan scan = Scan(0, 0.1, {kInf, NAN, 0, -1});
  ASSERT_OK(MountScan({.pose = {0.3, 0, 0}}, scan));
  EXPECT_THAT(scan.ranges_m(), Each(0));
}

TEST(ScanMountTest, ALaserThatSeesAllAroundHasNoHoleBehindIt) {
  for (const int beams : {90, 361, 667}) {
    const double increment_rad = 2 * pi / beams;
    v1::LaserScan scan =
        Scan(-pi, increment_rad, std::vector<float>(static_cast<size_t>(beams), 2));
    ASSERT_OK(MountScan({.pose = {0.4, -0.3, 1}}, scan));
    EXPECT_EQ(scan.ranges_m_size(), beams);
    for (const float range_m : scan.ranges_m()) {
      EXPECT_GE(range_m, 1.5f);
      EXPECT_LE(range_m, 2.5f);
    }
  }
}

// Whatever a laser saw: on the way from the body to any point between two neighbouring returns, no
// beam tells of more room than there is up to the nearer of the two.
TEST(ScanMountTest, NoBeamBetweenTwoReturnsTellsOfMoreRoomThanTheNearer) {
  agent::base::SplitMix random(11);
  const auto between = [&random](double least, double most) {
    return least + (most - least) * random.Uniform();
  };
  for (int round = 0; round < 200; ++round) {
    const double increment_rad = between(0.01, 0.2);
    const FlatTransform sensor{.pose = {between(-1, 1), between(-1, 1), between(-4, 4)}};
    v1::LaserScan scan = Scan(between(-3, 0), increment_rad, {});
    for (int i = 0; i < 20; ++i)
      scan.add_ranges_m(random.Uniform() < 0.2 ? 0 : static_cast<float>(between(0.05, 6)));
    const v1::LaserScan seen = scan;
    ASSERT_OK(MountScan(sensor, scan));
    const auto point = [&](int i) {
      const double way = sensor.pose.yaw_rad + seen.angle_min_rad() + increment_rad * i;
      return std::pair(sensor.pose.x_m + seen.ranges_m(i) * std::cos(way),
                       sensor.pose.y_m + seen.ranges_m(i) * std::sin(way));
    };
    for (int i = 0; i + 1 < seen.ranges_m_size(); ++i) {
      if (seen.ranges_m(i) == 0 || seen.ranges_m(i + 1) == 0) continue;
      const auto [ax, ay] = point(i);
      const auto [bx, by] = point(i + 1);
      const double from_rad = std::atan2(ay, ax);
      const double turn_rad = std::remainder(std::atan2(by, bx) - from_rad, 2 * pi);
      const double room_m = std::min(std::hypot(ax, ay), std::hypot(bx, by));
      for (int beam = 0; beam < scan.ranges_m_size(); ++beam) {
        const double bearing_rad = scan.angle_min_rad() + scan.angle_increment_rad() * beam;
        const double on_way = std::remainder(bearing_rad - from_rad, 2 * pi) / turn_rad;
        if (!(on_way >= 1e-4 && on_way <= 1 - 1e-4)) continue;  // at a return stands that one
        ASSERT_GT(scan.ranges_m(beam), 0) << round << " beam " << beam;
        ASSERT_LE(scan.ranges_m(beam), room_m + 1e-5) << round << " beam " << beam;
      }
    }
  }
}

TEST(ScanMountTest, AScanOfMoreBeamsThanAreMadeIsRefused) {
  v1::LaserScan scan = Scan(0, 2 * pi / kMostBeams, {1});
  ASSERT_OK(MountScan({.pose = {1, 0, 0}}, scan));
  EXPECT_EQ(scan.ranges_m_size(), static_cast<int>(kMostBeams));
  v1::LaserScan fine = Scan(0, 2 * pi / (kMostBeams + 1), {1});
  EXPECT_THAT(MountScan({.pose = {1, 0, 0}}, fine),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("up to 4096 beams")));
  v1::LaserScan still = Scan(0, 0, {1});
  EXPECT_THAT(MountScan({.pose = {1, 0, 0}}, still),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("1 beams 0 rad apart")));
  v1::LaserScan many = Scan(0, 1, std::vector<float>(kMostBeams + 1, 1));
  EXPECT_THAT(MountScan({.pose = {1, 0, 0}}, many),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("4097 beams 1 rad apart")));
}

}  // namespace
