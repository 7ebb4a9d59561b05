#include <cmath>
#include <limits>
#include <random>

#include "agent/runtime/separation.h"
#include "agent/runtime/ssm.h"
#include "gtest/gtest.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/support/cases.h"

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

// A person walks at 1.6 m/s, as the standard assumes.
constexpr SsmLimits kIndoor{.v_human_mps = 1.6,
                            .t_react_s = 0.25,
                            .dec_mps2 = 2.0,
                            .c_m = 0.10,
                            .z_sensor_m = 0.05,
                            .z_robot_m = 0.05};

TEST(SsmTest, SeparationDistancesEqualThoseComputedByHand) {
  // 1.6 * 0.25 = 0.400 of walking while the robot reacts, and 0.200 of C, Z_d and Z_r.
  EXPECT_NEAR(SeparationM(kIndoor, 0), 0.600, 1e-9);
  // At 1 m/s it stops in 0.5 s: 1.6 * 0.75 = 1.200 by the person, 0.250 + 0.250 by the robot.
  EXPECT_NEAR(SeparationM(kIndoor, 1.0), 1.900, 1e-9);
  // At 0.4 m/s in 0.2 s: 1.6 * 0.45 = 0.720; 0.100 + 0.040.
  EXPECT_NEAR(SeparationM(kIndoor, 0.4), 1.060, 1e-9);
  // An arm's cell: t_r 0.1 s, 5 m/s2, C 0.85 m (ISO 13855: a hand reaches through), 0.1 + 0.0 m:
  // at 1.5 m/s 1.6 * (0.1 + 0.3) = 0.640, 0.150 + 0.225, 0.950.
  const SsmLimits cell{.v_human_mps = 1.6,
                       .t_react_s = 0.1,
                       .dec_mps2 = 5,
                       .c_m = 0.85,
                       .z_sensor_m = 0.1,
                       .z_robot_m = 0};
  EXPECT_NEAR(SeparationM(cell, 1.5), 1.965, 1e-9);
}

TEST(SsmTest, TheSpeedIsTheLargestWhoseDistanceFits) {
  EXPECT_NEAR(SsmSpeedMps(kIndoor, 1.900), 1.0, 1e-9);
  EXPECT_NEAR(SsmSpeedMps(kIndoor, 1.060), 0.4, 1e-9);
  EXPECT_EQ(SsmSpeedMps(kIndoor, 0.600), 0) << "just standing";
  EXPECT_GT(SsmSpeedMps(kIndoor, 0.601), 0);
  EXPECT_EQ(SsmSpeedMps(kIndoor, 0.2), 0) << "nearer than a standing robot should be";
  EXPECT_EQ(SsmSpeedMps(kIndoor, kNan), 0);
  EXPECT_EQ(SsmSpeedMps(kIndoor, -kInfinity), 0);
  EXPECT_EQ(SsmSpeedMps(kIndoor, kInfinity), kInfinity) << "nobody there";
}

TEST(SsmTest, SpeedAndDistanceAreEachOthersInverseForAnyLimits) {
  std::mt19937_64 random(1);
  const auto in = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
  };
  for (int i = 0; i < tests::Cases(100'000); ++i) {
    const SsmLimits limits{.v_human_mps = in(0.1, 3),
                           .t_react_s = in(0.01, 1),
                           .dec_mps2 = in(0.1, 10),
                           .c_m = in(0, 1),
                           .z_sensor_m = in(0, 0.2),
                           .z_robot_m = in(0, 0.2)};
    const double distance = in(0, 20);
    const double speed = SsmSpeedMps(limits, distance);
    ASSERT_GE(speed, 0);
    if (speed == 0) {
      ASSERT_LE(distance, SeparationM(limits, 0));
      continue;
    }
    ASSERT_NEAR(SeparationM(limits, speed), distance, 1e-9);
    ASSERT_GT(SeparationM(limits, speed * 1.001), distance);
  }
}

// --- what the scanner sees

class NearestTest : public testing::Test {
 protected:
  static Policy Compiled() {
    v1::ControlPolicy document = tests::NavPolicyDocument();
    v1::SpeedAndSeparation& ssm = *document.mutable_separation()->mutable_ssm();
    ssm.set_source("scan");
    ssm.set_v_human_mps(1.6);
    ssm.set_t_react_s(0.25);
    ssm.set_dec_mps2(2.0);
    ssm.set_c_m(0.1);
    ssm.set_z_sensor_m(0.05);
    ssm.set_z_robot_m(0.05);
    auto policy = Policy::Compile(document);
    EXPECT_TRUE(policy.ok()) << policy.status();
    return *std::move(policy);
  }
  void See(std::initializer_list<float> ranges) {
    v1::LaserScan scan;
    scan.set_angle_min_rad(-0.1);
    scan.set_angle_increment_rad(0.1);
    for (float range : ranges) scan.add_ranges_m(range);
    separation_.See(scan, ++scans_);
  }

  const Policy policy_ = Compiled();
  Separation separation_{policy_};
  uint64_t scans_ = 0;
};

TEST_F(NearestTest, StandsUntilTheFirstScan) {
  EXPECT_TRUE(std::isnan(separation_.nearest_m()));
  EXPECT_EQ(separation_.SsmCapMps(), 0);
}

TEST_F(NearestTest, MeasuresFromTheFootprintToTheNearestValidReturn) {
  See({3.0F, 2.15F, 8.0F});
  EXPECT_NEAR(separation_.nearest_m(), 1.9, 1e-6) << "2.15 m less the hull's 0.25 m";
  EXPECT_NEAR(separation_.SsmCapMps(), 1.0, 1e-6);
  See({8.0F, 9.0F, 1.31F});
  EXPECT_NEAR(separation_.SsmCapMps(), 0.4, 1e-6) << "another beam, a nearer one";
}

TEST_F(NearestTest, TakesNoReturnForNone) {
  constexpr float kNoReturn = std::numeric_limits<float>::infinity();
  See({kNoReturn, 0.0F, std::numeric_limits<float>::quiet_NaN(), -1.0F});
  EXPECT_TRUE(std::isnan(separation_.nearest_m()));
  EXPECT_EQ(separation_.SsmCapMps(), kInfinity);
}

TEST_F(NearestTest, AReturnInsideTheFootprintIsAtItsOutline) {
  See({3.0F, 0.1F, 3.0F});
  EXPECT_EQ(separation_.nearest_m(), 0);
  EXPECT_EQ(separation_.SsmCapMps(), 0);
}

TEST_F(NearestTest, FollowsAScannerThatChangesItsBeams) {
  See({8.0F, 8.0F, 8.0F});
  v1::LaserScan scan;
  scan.set_angle_min_rad(std::numbers::pi / 2);
  scan.set_angle_increment_rad(0.1);
  for (int i = 0; i < 6; ++i) scan.add_ranges_m(0.29F);  // beside it, in the stop zone
  separation_.See(scan, ++scans_);
  std::vector<std::string_view> reasons;
  EXPECT_TRUE(separation_.MustStop(reasons)) << "these beams point to the side, not ahead";
}

TEST(NoSsmTest, CapsNothing) {
  auto policy = Policy::Compile(tests::NavPolicyDocument());
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(Separation(*policy).SsmCapMps(), kInfinity);
}

}  // namespace
}  // namespace agent::runtime
