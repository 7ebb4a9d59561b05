#include <algorithm>
#include <cmath>
#include <numbers>

#include "agent/runtime/limits.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/arm_world.h"

// The tool point: its speed and its zones.

namespace agent::runtime {
namespace {

using ::testing::Contains;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST_F(ArmTest, TheToolIsNeverFasterThanItMay) {
  Compile([](P& p) { p.mutable_arm()->set_tcp_v_max_mps(0.25); });
  last_raw_ = {0.0, 0.5};
  const Enforcement result = Run({0.05, 0.55});
  EXPECT_THAT(result.reasons, ElementsAre("tool_speed"));
  EXPECT_TRUE(result.clamped) << "its own step was too fast";
  const auto& chain = policy_->arm().chain;
  EXPECT_NEAR(Distance(ToolPoint(chain, last_), ToolPoint(chain, result.values)), 0.25 * kPeriodS,
              1e-4);
  EXPECT_NEAR(result.values[0] / (result.values[1] - 0.5), 1, 1e-9) << "on the same way";
  last_raw_ = {0.05, 0.55};
  EXPECT_FALSE(Run({0.05, 0.55}).clamped) << "it only waits for the arm";
  situation_.degraded = true;
  const Enforcement degraded = Run({0.01, 0.5});
  EXPECT_THAT(degraded.reasons, IsEmpty()) << "half the speed is 6.25 mm a tick";
  EXPECT_THAT(Run({0.025, 0.525}).reasons, ElementsAre("degraded"));
}

TEST_F(ArmTest, AToolThatIsTooFastIsTheModelsFaultWhereItsOwnStepWas) {
  Compile([](P& p) { p.mutable_arm()->set_tcp_v_max_mps(0.25); });
  EXPECT_FALSE(Run({0.05, 0.55}).clamped) << "nobody knows what it said before";
  last_raw_ = {0.0, 0.5};
  EXPECT_TRUE(Run({0.05, 0.55}).clamped);
  situation_.degraded = true;
  EXPECT_FALSE(Run({0.025, 0.525}).clamped) << "it need not know that it is degraded";
}

TEST_F(ArmTest, AnOwnToolStepThatIsTooFarByNoMoreThanNoiseIsNoFaultOfTheModel) {
  for (const auto& [largest_mps, blamed] : {std::pair{kNoise, false}, {0.75 * kNoise, true}}) {
    // Half a turn of so small an arm moves its tool by 2 kNoise to the last bit.
    Compile([v = largest_mps](P& p) {
      SetJoints(p, [](v1::JointLimit& j) {
        j.set_q_max_rad(4);
        j.set_qd_abs_max_radps(4);
      });
      p.mutable_arm()->set_tcp_v_max_mps(v);
      p.mutable_arm()->mutable_chain(0)->set_a_m(kNoise);
      p.mutable_arm()->mutable_chain(0)->set_d_m(0.05);  // along the axis: it moves nothing
      p.mutable_arm()->mutable_chain(1)->set_a_m(0);
    });
    situation_.acc_s = 1;
    last_ = {0, 0};
    last_raw_ = {0, 0};
    const Enforcement result = Run({std::numbers::pi, 0});
    EXPECT_THAT(result.reasons, ElementsAre("tool_speed"));
    EXPECT_EQ(result.clamped, blamed);
  }
}

TEST_F(ArmTest, TheToolGoesAsFarAsItMayToAMillionthOfTheStep) {
  Compile([](P& p) { p.mutable_arm()->set_tcp_v_max_mps(0.25); });
  const ToolPath path(*policy_, last_, {.seconds = kPeriodS, .scale = 1});
  constexpr double kShares = 1 << 20;
  for (const double step : {0.028, 0.031, 0.034, 0.037, 0.041, 0.044, 0.047, 0.05}) {
    const double shares = Run({step, 0.5 + step}).values[0] / step * kShares;
    const double whole = std::round(shares);
    EXPECT_NEAR(shares, whole, 1e-6) << step;
    const auto blocked = [&, step = step](double n) {
      const std::vector<double> steps = {n / kShares * step, n / kShares * step};
      return !path.Blocker(steps).empty();
    };
    EXPECT_FALSE(blocked(whole)) << step;
    EXPECT_TRUE(blocked(whole + 1)) << step;
  }
}

TEST_F(ArmTest, TheToolStopsBeforeAnEdge) {
  // Reaches 0.6 m; the cell ends at x = 0.5 m.
  Compile([](P& p) {
    SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(4); });
    p.mutable_arm()->set_tcp_v_max_mps(0.5);
    AddBox(p, "inclusion", {-1, -1}, {0.5, 1}, {-0.5, 0.5});
  });
  last_ = {0, 1.6};
  bool blocked = false;
  for (int i = 0; i < 100; ++i) {
    const Enforcement result = Drive({0, last_[1] - 0.04});
    ASSERT_LE(ToolPoint(policy_->arm().chain, last_).x, 0.5 - 0.03 + 1e-9);
    for (std::string_view reason : result.reasons) {
      blocked = blocked || reason == "envelope:inclusion1";
    }
  }
  EXPECT_TRUE(blocked);
  EXPECT_GT(ToolPoint(policy_->arm().chain, last_).x, 0.46);
  EXPECT_TRUE(Run({0, last_[1] - 0.04}).clamped);
  situation_.degraded = true;
  EXPECT_THAT(Run({0, last_[1] - 0.04}).reasons, Contains("envelope:inclusion1"));
  situation_.degraded = false;
  EXPECT_THAT(Drive({0, last_[1] + 0.005}).reasons, IsEmpty()) << "and back";
}

TEST_F(ArmTest, NearerThanTheMarginOnlyWaysThatLeadNoNearerAreOpen) {
  Compile([](P& p) { AddBox(p, "inclusion", {-1, -1}, {0.5, 1}, {-0.5, 0.5}); });
  last_ = {0, std::acos(0.19 / 0.3)};  // x = 0.49, a centimetre before the edge
  EXPECT_THAT(Run({0, last_[1] - 0.01}).values, ElementsAre(0, DoubleNear(last_[1], 1e-6)));
  EXPECT_THAT(Run({0, last_[1] + 0.01}).reasons, IsEmpty());
}

TEST_F(ArmTest, ZonesHoldForTheirHeightsOnly) {
  for (const auto& [heights, blocked] : {std::pair{std::pair{-0.2, 0.2}, true},
                                         {std::pair{0.1, 0.5}, false},
                                         {std::pair{-0.5, -0.1}, false}}) {
    Compile([&, z = heights](P& p) { AddBox(p, "exclusion", {0.5, -1}, {1, 1}, z); });
    last_ = {0, 1.0};
    for (int i = 0; i < 40; ++i) Drive({0, std::max(0.0, last_[1] - 0.04)});
    EXPECT_EQ(ToolPoint(policy_->arm().chain, last_).x < 0.5, blocked) << heights.first;
  }
}

TEST_F(ArmTest, ASpeedZoneIsEnteredAtItsSpeed) {
  Compile([](P& p) {
    SetJoints(p, [](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(2); });
    p.mutable_arm()->set_tcp_v_max_mps(0.5);
    AddBox(p, "speed", {0.55, -1}, {1, 1}, {-0.5, 0.5}).set_vx_max_mps(0.1);
  });
  last_ = {0, 1.8};
  double fastest_outside = 0;
  for (int i = 0; i < 200; ++i) {
    const Vec3 before = ToolPoint(policy_->arm().chain, last_);
    const std::vector<double> wanted = {0, std::max(0.0, last_[1] - 0.05)};
    Drive(wanted);
    last_raw_ = wanted;
    const Vec3 after = ToolPoint(policy_->arm().chain, last_);
    const double speed = Distance(before, after) / kPeriodS;
    if (after.x > 0.55 - 0.03) {
      ASSERT_LE(speed, 0.1 + 1e-6) << i;
    } else {
      fastest_outside = std::max(fastest_outside, speed);
    }
  }
  EXPECT_GT(fastest_outside, 0.2);
  EXPECT_GT(ToolPoint(policy_->arm().chain, last_).x, 0.59);
}

TEST_F(ArmTest, RoomIsTheDistanceToTheZonesWallsFloorAndCeiling) {
  Compile([](P& p) {
    AddBox(p, "inclusion", {-1, -1}, {1, 1}, {0, 2});
    AddBox(p, "exclusion", {0.2, 0.2}, {0.4, 0.4}, {0.5, 1});
  });
  const MapZone& cell = policy_->envelope()[0];
  const MapZone& post = policy_->envelope()[1];
  EXPECT_NEAR(ToolRoomM(cell, {0, 0, 0.3}), 0.3, 1e-12) << "the floor";
  EXPECT_NEAR(ToolRoomM(cell, {0, 0, 1.9}), 0.1, 1e-12) << "the ceiling";
  EXPECT_NEAR(ToolRoomM(cell, {0.9, 0, 1}), 0.1, 1e-12) << "a wall";
  EXPECT_NEAR(ToolRoomM(cell, {0, 0, -0.2}), -0.2, 1e-12);
  EXPECT_NEAR(ToolRoomM(cell, {1.3, 0, 2.4}), -0.5, 1e-12) << "beyond wall and ceiling";
  EXPECT_NEAR(ToolRoomM(post, {0.3, 0.3, 1.2}), 0.2, 1e-12) << "above the post";
  EXPECT_NEAR(ToolRoomM(post, {0.3, 0.3, 0.9}), -0.1, 1e-12) << "in it";
  EXPECT_NEAR(ToolRoomM(post, {0.7, 0.3, 1.4}), 0.5, 1e-12);
  const std::vector<double> straight = {0, 0};
  EXPECT_NEAR(ToolClearanceM(*policy_, straight), 0, 1e-12) << "on the floor";
}

TEST_F(ArmTest, AToolOverAnEdgeIsABreach) {
  Compile([](P& p) { AddBox(p, "inclusion", {-1, -1}, {0.5, 1}, {-0.5, 0.5}); });
  std::vector<std::string_view> reasons;
  EXPECT_EQ(ToolBreaches(*policy_, std::vector<double>{0, 1.3}, reasons), 0U);
  EXPECT_NE(ToolBreaches(*policy_, std::vector<double>{0, 0.5}, reasons), 0U);
  EXPECT_THAT(reasons, ElementsAre("outside:inclusion1"));
  EXPECT_LT(ToolClearanceM(*policy_, std::vector<double>{0, 0.5}), 0);
  Compile([](P&) {});
  EXPECT_TRUE(std::isnan(ToolClearanceM(*policy_, std::vector<double>{0, 0})));
}

TEST_F(ArmTest, ASpeedZoneIsNoEdge) {
  Compile([](P& p) {
    AddBox(p, "inclusion", {-2, -2}, {2, 2}, {-0.5, 0.5});
    AddBox(p, "speed", {0.5, -1}, {1, 1}, {-0.5, 0.5}).set_vx_max_mps(0.1);
  });
  const std::vector<double> within = {0, 0};
  EXPECT_NEAR(ToolClearanceM(*policy_, within), 0.5, 1e-12) << "to the ceiling";
  std::vector<std::string_view> reasons;
  EXPECT_EQ(ToolBreaches(*policy_, within, reasons), 0U);
  EXPECT_THAT(reasons, IsEmpty());
}

TEST_F(ArmTest, AToolRightOnAnEdgeIsNoBreach) {
  Compile([](P& p) {
    for (int i = 0; i < 2; ++i) p.mutable_arm()->mutable_chain(i)->set_a_m(0.25);
    AddBox(p, "inclusion", {-1, -1}, {0.5, 1}, {-0.5, 0.5});
  });
  std::vector<std::string_view> reasons;
  const std::vector<double> straight = {0, 0};
  ASSERT_EQ(ToolClearanceM(*policy_, straight), 0);
  EXPECT_EQ(ToolBreaches(*policy_, straight, reasons), 0U);
}

// --- a step and the stop after it, asked directly

class ToolPathTest : public ArmTest {
 protected:
  // Joints that may be as fast as asked and stop at once, or shed `acceleration`.
  void Limit(
      double tool_mps, double acceleration = 1e3, const std::function<void(P&)>& edit = [](P&) {}) {
    Compile([&](P& p) {
      SetJoints(p, [&](v1::JointLimit& j) { j.set_qdd_abs_max_radps2(acceleration); });
      p.mutable_arm()->set_tcp_v_max_mps(tool_mps);
      edit(p);
    });
  }
  std::string Blocker(const std::vector<double>& from, const std::vector<double>& step,
                      double scale = 1) const {
    const ToolPath path(*policy_, from, {.seconds = kPeriodS, .scale = scale});
    return std::string(path.Blocker(step));
  }
};

// The elbow opens as the shoulder gives way: the straight arm's tool comes nearer faster and
// faster, at last 0.0318 m within a quarter of the step.
TEST_F(ToolPathTest, TheLastPieceOfAStepIsLookedAtToo) {
  Limit(2.4);
  EXPECT_EQ(Blocker({0, 0}, {-0.5, 1}), "tool_speed");
  Limit(2.6);
  EXPECT_EQ(Blocker({0, 0}, {-0.5, 1}), "");
}

TEST_F(ToolPathTest, ASpeedIsTooFastByMoreThanRounding) {
  Limit(1);
  const auto turned_by = [](double chord_m) { return 4 * 2 * std::asin(chord_m / 2 / 0.6); };
  EXPECT_EQ(Blocker({0, 0}, {turned_by(kPeriodS / 4 + 5e-12), 0}), "");
  EXPECT_EQ(Blocker({0, 0}, {turned_by(kPeriodS / 4 + 2e-11), 0}), "tool_speed");
}

TEST_F(ToolPathTest, AStopIsLookedAtTickByTick) {
  Limit(0.3, 4);
  EXPECT_EQ(Blocker({0, 0}, {0, 0.9 * kPeriodS}), "") << "0.27 m/s, and slower ever after";
}

TEST_F(ToolPathTest, ALongStopIsGivenTheTimeOfItsStride) {
  Limit(0.3, 0.15);
  ASSERT_EQ(TicksALook(*policy_), 3);
  EXPECT_EQ(Blocker({0, 0}, {0, 0.9 * kPeriodS}), "");
}

TEST_F(ToolPathTest, AStopLastsUntilTheLastJointStands) {
  // From 1 rad/s the shoulder goes on by 0.225 rad; the elbow, the last one, stands.
  Limit(1, 2, [](P& p) { AddBox(p, "inclusion", {-1, -1}, {1, 0.3}, {-0.5, 0.5}); });
  EXPECT_EQ(Blocker({0, 0}, {kPeriodS, 0}), "");
  EXPECT_EQ(Blocker({0.3, 0}, {kPeriodS, 0}), "envelope:inclusion1");
}

TEST_F(ToolPathTest, NearerThanItsMarginATimeOfRoundingIsNoNearer) {
  Limit(1, 1e3, [](P& p) { AddBox(p, "inclusion", {-1, -1}, {0.5, 1}, {-0.5, 0.5}); });
  // x = 0.49 m, and a turn of the elbow moves it by its sine.
  const double elbow = std::acos(0.19 / 0.3);
  const double turn_per_m = 1 / (0.3 * std::sin(elbow));
  EXPECT_EQ(Blocker({0, elbow}, {0, 0}), "");
  EXPECT_EQ(Blocker({0, elbow}, {0, -5e-12 * turn_per_m}), "");
  EXPECT_EQ(Blocker({0, elbow}, {0, -2e-11 * turn_per_m}), "envelope:inclusion1");
}

TEST_F(ToolPathTest, ASpeedZoneHoldsFromItsMarginOn) {
  for (const auto& [margin_m, blocker] : {std::pair{0.03125, "speed_zone:speed1"}, {0.03124, ""}}) {
    Limit(1, 1e3, [m = margin_m](P& p) {
      for (int i = 0; i < 2; ++i) p.mutable_arm()->mutable_chain(i)->set_a_m(0.25);
      v1::EnvelopeZone& zone = AddBox(p, "speed", {0.53125, -1}, {1, 1}, {-0.5, 0.5});
      zone.set_vx_max_mps(0.1);
      zone.set_margin_m(m);
    });
    EXPECT_EQ(Blocker({-0.04, 0}, {0.04, 0}), blocker) << "it ends at x = 0.5 m";
  }
}

TEST_F(ToolPathTest, TheSlowestOfAllLimitsHoldsAndTheFirstOfEqualOnesIsNamed) {
  struct Case {
    double tool_scale, first_mps, second_mps;
    const char* blocker;
  };
  for (const Case& c :
       {Case{1, 0.1, 0.2, "speed_zone:speed1"}, Case{1, 0.2, 0.1, "speed_zone:speed2"},
        Case{1, 0.1, 0.1, "speed_zone:speed1"}, Case{0.1, 0.1, 0.1, "tool_speed"},
        Case{0.1, 0.9, 0.9, "tool_speed"}, Case{1, 0.9, 0.9, ""}}) {
    Limit(1, 1e3, [&c](P& p) {
      for (const double mps : {c.first_mps, c.second_mps}) {
        AddBox(p, "speed", {0, -1}, {1, 1}, {-0.5, 0.5}).set_vx_max_mps(mps);
      }
    });
    // 0.15 m/s, or 0.6 m/s where nothing may block.
    const double radps = *c.blocker == '\0' ? 1 : 0.25;
    EXPECT_EQ(Blocker({0, 0}, {radps * kPeriodS, 0}, c.tool_scale), c.blocker)
        << c.tool_scale << " " << c.first_mps << " " << c.second_mps;
  }
}

}  // namespace
}  // namespace agent::runtime
