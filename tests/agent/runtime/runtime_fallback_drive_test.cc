#include <cmath>

#include "agent/runtime/controller.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/agent/runtime/rules_world.h"

// What a robot does in its fallback states: brakes softly, drives after gaps, waits at the dock,
// and is on probation after a re-arm.

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::tests::DrivenRobot;
namespace v1 = ::gatekeeper::v1;

void MakeRich(v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard&) {
  policy = tests::RichPolicyDocument();
  // Doubt needs a model that tells it, which this one does not.
  policy.mutable_output()->clear_confidence();
  rules = tests::RichFallbackDocument();
  rules.mutable_triggers()->RemoveLast();
  tests::Rule(rules, "policy_saturated").set_to("DEGRADED");
  policy.mutable_envelope()->SwapElements(0, 2);  // the dock first
}

void LoseTheScan(v1::Observation& packet) { packet.clear_scan(); }

// --- a stop with jerk

TEST(StopTest, SoftensByItsJerkAndStandsWhenItsTimeIsOver) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.Tick(LoseTheScan);
  for (int i = 0; i < 4; ++i) robot.Tick(LoseTheScan);
  ASSERT_EQ(robot.Tick(LoseTheScan).state, "CONTROLLED_STOP");
  // By 2 m/s3 up to 1 m/s2: j t^2 / 2 until half a second, then linear.
  double t = 0.05;
  EXPECT_THAT(robot.controller.Step(robot.now).enforced[0], Near(0.8 - t * t)) << "no time passed";
  while (t < 1.0) {
    const Tick& tick = robot.Tick(LoseTheScan);
    t += 0.05;
    const double lost = t < 0.5 ? t * t : 0.25 + (t - 0.5);
    ASSERT_EQ(tick.state, "CONTROLLED_STOP");
    ASSERT_THAT(tick.enforced[0], Near(0.8 - lost)) << t;
  }
  EXPECT_THAT(robot.Tick(LoseTheScan).enforced[0], Near(0));
  robot.Tick(LoseTheScan);
  EXPECT_EQ(robot.Tick(LoseTheScan).state, "SAFE_STOPPED");
}

TEST(StopTest, AnotherStopAfterItStartsItsOwnRamp) {
  DrivenRobot robot;
  robot.DriveAtEight();
  for (int i = 0; i < 16; ++i) robot.Tick(LoseTheScan);
  robot.estop = true;
  const double before = robot.controller.Step(robot.now).enforced[0];
  const Tick& tick = robot.Tick(LoseTheScan);
  EXPECT_EQ(tick.state, "EMERGENCY_STOP");
  EXPECT_THAT(tick.enforced[0], Near(before - 0.1)) << "2 m/s2 at once";
}

TEST(StopTest, ASecondStopOfTheSameKindBeginsSoftlyAgain) {
  DrivenRobot robot;
  robot.DriveAtEight();
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 5; ++i) robot.Tick(LoseTheScan);
    const double before = robot.controller.Step(robot.now).enforced[0];
    const Tick& tick = robot.Tick(LoseTheScan);
    ASSERT_EQ(tick.state, "CONTROLLED_STOP");
    EXPECT_THAT(tick.enforced[0], Near(before - 0.0025));
    robot.Ticks(200);
  }
}

// --- follow_gap

// A world in which the hall is open to one side only.
void WallAheadAndLeft(v1::Observation& packet) {
  for (int i = 40; i <= 100; ++i) packet.mutable_scan()->set_ranges_m(i, 1.0F);
}

TEST(GapDriverTest, TakesOverAtItsOwnSpeedWhenNoModelIsLeft) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  EXPECT_EQ(robot.Tick().state, "SIMPLE_CONTROLLER");
  const Tick& tick = robot.Ticks(20);
  EXPECT_EQ(tick.state, "SIMPLE_CONTROLLER");
  EXPECT_THAT(tick.enforced, ElementsAre(Near(0.3), Near(0)));
  EXPECT_FALSE(tick.stop);
  EXPECT_FALSE(tick.clamped) << "that is told of models only";
}

TEST(GapDriverTest, SlowsDownAsTheDriveCanBrake) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  EXPECT_THAT(robot.Tick().enforced[0], Near(0.7));
  EXPECT_THAT(robot.Tick().enforced[0], Near(0.6));
}

TEST(GapDriverTest, NeverSetsARobotInMotionThatStands) {
  DrivenRobot robot;
  robot.Ticks(100);  // the model says so
  robot.unit.model->says = {kNanF, 0.0F};
  const Tick& tick = robot.Ticks(20);
  EXPECT_EQ(tick.state, "SIMPLE_CONTROLLER");
  EXPECT_THAT(tick.enforced, ElementsAre(0, 0));
  robot.unit.model->says = {0.0F, 0.3F};
  robot.Ticks(300);
  robot.unit.model->says = {kNanF, 0.0F};
  EXPECT_GT(robot.Ticks(20).enforced[0], 0) << "one that turns on the spot does not stand";
}

TEST(GapDriverTest, TurnsTowardsTheGap) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  for (int i = 0; i < 10; ++i) robot.Tick(WallAheadAndLeft);
  const Tick& tick = robot.Tick(WallAheadAndLeft);
  EXPECT_EQ(tick.state, "SIMPLE_CONTROLLER");
  EXPECT_LT(tick.enforced[1], -0.3);
}

TEST(GapDriverTest, PassesThroughTheWholePolicy) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  robot.Ticks(20);
  const auto at_the_wall = [](v1::Observation& packet) { packet.mutable_odom()->set_x_m(19.68); };
  const Tick& wall = robot.Tick(at_the_wall);
  EXPECT_LT(wall.enforced[0], 0.3);
  EXPECT_THAT(wall.reasons, Contains("envelope:hall"));
  robot.Ticks(20);
  const Tick& touched = robot.Tick([](v1::Observation& packet) { tests::PutAhead(packet, 0.4F); });
  EXPECT_EQ(touched.enforced[0], 0);
}

TEST(GapDriverTest, GivesWayAtOnceWhenItIsBlind) {
  DrivenRobot robot;
  robot.unit.model->says = {kNanF, 0.0F};
  EXPECT_EQ(robot.Ticks(5).state, "SIMPLE_CONTROLLER");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(robot.Tick(LoseTheScan).state, "SIMPLE_CONTROLLER") << "no older than 250 ms";
  }
  EXPECT_EQ(robot.Tick(LoseTheScan).state, "CONTROLLED_STOP");
}

TEST(GapDriverTest, GivesWayWhenItIsBlindWhateverElseThatLeadsTo) {
  DrivenRobot robot([](v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
    MakeRich(policy, rules, card);
    tests::Rule(rules, "input_stale").set_to("DEGRADED");
  });
  robot.unit.model->says = {kNanF, 0.0F};
  EXPECT_EQ(robot.Ticks(5).state, "SIMPLE_CONTROLLER");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(robot.Tick(LoseTheScan).state, "SIMPLE_CONTROLLER") << i;
  }
  EXPECT_EQ(robot.Tick(LoseTheScan).state, "CONTROLLED_STOP");
}

TEST(GapDriverTest, DrivesOnWhileWhatItDoesNotNeedIsLost) {
  DrivenRobot robot([](v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
    MakeRich(policy, rules, card);
    tests::Rule(rules, "input_stale").set_to("SIMPLE_CONTROLLER");
    tests::State(rules, "SIMPLE_CONTROLLER").add_needs("goal_bearing_rad");
  });
  robot.DriveAtEight();
  for (int i = 0; i < 40; ++i) {
    robot.Tick([](v1::Observation& packet) { packet.mutable_signals()->erase("goal_range_m"); });
  }
  EXPECT_EQ(robot.Tick().state, "SIMPLE_CONTROLLER");
  EXPECT_GT(robot.Tick().enforced[0], 0);
}

TEST(GapDriverTest, IsNotTriedWithoutAFreshPose) {
  DrivenRobot robot;
  robot.Ticks(5);
  robot.unit.model->outcome = base::RunOutcome::kFailed;
  for (int i = 0; i < 5; ++i) {
    robot.Tick([](v1::Observation& packet) { packet.clear_odom(); });
  }
  EXPECT_EQ(robot.Tick([](v1::Observation& packet) { packet.clear_odom(); }).state,
            "CONTROLLED_STOP");
}

TEST(GapDriverTest, HandsBackToTheModelThroughATransition) {
  DrivenRobot robot;
  robot.unit.model->outcome = base::RunOutcome::kFailed;
  EXPECT_EQ(robot.Ticks(5).state, "SIMPLE_CONTROLLER");
  robot.unit.model->outcome = base::RunOutcome::kDone;
  robot.unit.model->says = {0.8F, 0.0F};
  robot.Ticks(99);
  EXPECT_EQ(robot.Tick().state, "NOMINAL");
  EXPECT_THAT(robot.Ticks(20).enforced, ElementsAre(Near(0.4), Near(0)));
}

// --- defer

TEST(DockTest, WaitsAtTheDockByAFreshPoseOnly) {
  for (const bool at_dock : {true, false}) {
    for (const bool posed : {true, false}) {
      DrivenRobot robot(MakeRich);
      // Odometry does not raise a trigger of its own here, so that its absence shows in the
      // deferral.
      const auto live = [&](v1::Observation& packet) {
        packet.set_network_up(false);
        if (at_dock) packet.mutable_odom()->set_y_m(2);
        if (!posed && robot.now > tests::kStartOfTime + seconds(1)) packet.clear_odom();
      };
      for (int i = 0; i < 60; ++i) robot.Tick(live);
      const TriggerMask network = MaskOf(robot.unit.pilot->rules->fallback.network_down());
      const bool active = (robot.controller.fallback().active & network) != 0;
      EXPECT_EQ(active, !(at_dock && posed)) << at_dock << posed;
    }
  }
}

TEST(DockTest, ActsAtTheEndOfItsTimeEvenThere) {
  DrivenRobot robot(MakeRich);
  const auto live = [](v1::Observation& packet) {
    packet.set_network_up(false);
    packet.mutable_odom()->set_y_m(2);
  };
  for (int i = 0; i < 140; ++i) ASSERT_EQ(robot.Tick(live).state, "NOMINAL");
  EXPECT_EQ(robot.Tick(live).state, "CONTROLLED_STOP");
}

// --- probation

class ProbationDriveTest : public testing::Test {
 protected:
  // Stopped by the button, looked after, re-armed and started.
  void SetUp() override {
    robot_.DriveAtEight();
    robot_.estop = true;
    robot_.Tick();
    robot_.estop = false;
    robot_.Ticks(100);
    ASSERT_OK(robot_.controller.Rearm(robot_.now));
    robot_.asking = false;
    robot_.Ticks(30);
    ASSERT_EQ(robot_.Tick().state, "SAFE_STOPPED");
    robot_.asking = true;
  }
  DrivenRobot robot_;
};

TEST_F(ProbationDriveTest, KeepsTransitionLimitsForAMinuteOfDriving) {
  EXPECT_THAT(robot_.Ticks(1190).enforced, ElementsAre(Near(0.4), Near(0)));
  EXPECT_TRUE(robot_.controller.latch().probation);
  EXPECT_THAT(robot_.Ticks(40).enforced, ElementsAre(Near(0.8), Near(0)));
}

TEST_F(ProbationDriveTest, AnyTriggerStopsTheRobot) {
  robot_.Ticks(100);
  robot_.unit.model->says = {kNanF, 0.0F};
  const Tick& tick = robot_.Tick();
  EXPECT_EQ(tick.state, "SAFE_STOPPED") << "no other model, no gap";
  EXPECT_TRUE(tick.stop);
}

TEST_F(ProbationDriveTest, DoesNotPassWhileTheRobotStands) {
  robot_.unit.model->says = {0.0F, 0.0F};
  robot_.Ticks(20 * 120);
  EXPECT_EQ(robot_.controller.fallback().probation, seconds(60));
  EXPECT_TRUE(robot_.controller.latch().probation);
}

TEST_F(ProbationDriveTest, IsLetGoOfOnDiskWhenTheRobotStandsAfterIt) {
  robot_.Ticks(20 * 70);
  EXPECT_EQ(robot_.controller.fallback().probation, Nanos{0});
  EXPECT_TRUE(robot_.controller.latch().probation) << "nobody writes files while it drives";
  robot_.unit.model->says = {0.0F, 0.0F};
  robot_.Ticks(30);
  EXPECT_FALSE(robot_.controller.latch().probation);
}

TEST_F(ProbationDriveTest, StartsAnewAfterALossOfPower) {
  robot_.Ticks(600);
  DrivenRobot after({}, robot_.controller.latch());
  after.unit.model->says = {0.8F, 0.0F};
  EXPECT_THAT(after.Ticks(1000).enforced, ElementsAre(Near(0.4), Near(0)));
  EXPECT_THAT(after.Ticks(240).enforced, ElementsAre(Near(0.8), Near(0)));
}

TEST_F(ProbationDriveTest, OutlivesUnitsThatComeAndGo) {
  robot_.Ticks(600);
  robot_.controller.SwapTo(nullptr, nullptr, robot_.now);
  robot_.Ticks(10);
  robot_.controller.SwapTo(robot_.previous.pilot.get(), nullptr, robot_.now);
  EXPECT_EQ(robot_.controller.fallback().probation, seconds(60));
  robot_.controller.SwapTo(robot_.unit.pilot.get(), nullptr, robot_.now);
  EXPECT_EQ(robot_.controller.fallback().probation, seconds(60));
}

TEST(ProbationStartTest, FollowsARearmWithoutAnyUnitToo) {
  DrivenRobot robot;
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  robot.estop = true;
  robot.Tick();
  robot.estop = false;
  robot.Ticks(200);
  ASSERT_OK(robot.controller.Rearm(robot.now));
  robot.controller.SwapTo(robot.unit.pilot.get(), nullptr, robot.now);
  EXPECT_EQ(robot.controller.fallback().probation, seconds(60));
}

TEST(ProbationStartTest, FollowsAStartThatWasAwaitedBeforeALossOfPower) {
  DrivenRobot robot({}, {.latched = false, .awaiting_start = true, .cause = {}});
  EXPECT_EQ(robot.controller.fallback().probation, seconds(60));
}

TEST(ProbationStartTest, NobodyIsOnItWhoWasNotRearmed) {
  DrivenRobot robot;
  robot.DriveAtEight();
  EXPECT_EQ(robot.controller.fallback().probation, Nanos{0});
  EXPECT_FALSE(robot.controller.latch().probation);
}

}  // namespace
}  // namespace agent::runtime
