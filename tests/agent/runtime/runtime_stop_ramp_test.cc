#include "agent/runtime/stop_ramp.h"
#include "gtest/gtest.h"

namespace agent::runtime {
namespace {

TEST(StopRampTest, WithoutJerkDeceleratesAtOnce) {
  const StopRamp ramp{.dec_mps2 = 2};
  EXPECT_EQ(ramp.SpeedLostMps(0.5), 1.0);
  EXPECT_EQ(ramp.MeanDecMps2(0, 0.05), 2.0);
  EXPECT_EQ(ramp.MeanDecMps2(1, 1), 2.0);
  EXPECT_EQ(ramp.StopSeconds(1), 0.5);
}

TEST(StopRampTest, GrowsByItsJerkAndThenStays) {
  const StopRamp ramp{.dec_mps2 = 1, .jerk_mps3 = 2};
  EXPECT_EQ(ramp.SpeedLostMps(0), 0.0);
  EXPECT_DOUBLE_EQ(ramp.SpeedLostMps(0.25), 0.0625);
  EXPECT_DOUBLE_EQ(ramp.SpeedLostMps(0.5), 0.25) << "where both formulas meet";
  EXPECT_DOUBLE_EQ(ramp.SpeedLostMps(1.5), 1.25);
}

TEST(StopRampTest, TakesASecondAndAQuarterFromAMetreASecond) {
  const StopRamp ramp{.dec_mps2 = 1, .jerk_mps3 = 2};
  EXPECT_DOUBLE_EQ(ramp.StopSeconds(1), 1.25);
  EXPECT_DOUBLE_EQ(ramp.StopSeconds(0.25), 0.5) << "just reaches full deceleration";
  EXPECT_DOUBLE_EQ(ramp.StopSeconds(0.04), 0.2) << "never reaches it";
}

TEST(StopRampTest, StandsExactlyWhenItsStopTimeIsOver) {
  for (double jerk : {0.0, 0.3, 2.0, 50.0}) {
    const StopRamp ramp{.dec_mps2 = 0.8, .jerk_mps3 = jerk};
    for (double speed = 0.01; speed < 2; speed *= 1.3) {
      EXPECT_NEAR(ramp.SpeedLostMps(ramp.StopSeconds(speed)), speed, 1e-12) << jerk;
    }
  }
}

TEST(StopRampTest, TheMeansOfItsTicksAddUpToTheSpeedLost) {
  const StopRamp ramp{.dec_mps2 = 1, .jerk_mps3 = 3};
  double lost = 0;
  double at = 0;
  for (double step : {0.05, 0.01, 0.2, 0.05, 0.3, 0.05}) {
    const double mean = ramp.MeanDecMps2(at, at + step);
    EXPECT_LE(mean, 1.0 + 1e-12);
    lost += mean * step;
    at += step;
  }
  EXPECT_NEAR(lost, ramp.SpeedLostMps(at), 1e-12);
}

TEST(StopRampTest, BetweenOneTimeAndTheSameItDeceleratesAsItDoesThen) {
  const StopRamp ramp{.dec_mps2 = 1, .jerk_mps3 = 2};
  EXPECT_DOUBLE_EQ(ramp.MeanDecMps2(0.25, 0.25), 0.5);
  EXPECT_DOUBLE_EQ(ramp.MeanDecMps2(3, 3), 1);
}

}  // namespace
}  // namespace agent::runtime
