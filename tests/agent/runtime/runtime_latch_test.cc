#include "agent/runtime/controller.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/support/status_matchers.h"

// Emergency stop, latch, re-arm and start.

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::tests::DrivenRobot;
using ::tests::kRefused;
using ::tests::kStartOfTime;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

// Pressed in driving, braked, latched, released.
void StopByButton(DrivenRobot& robot) {
  robot.DriveAtEight();
  robot.estop = true;
  robot.Tick();
  robot.estop = false;
  robot.Ticks(30);
}

TEST(LatchTest, TheButtonBrakesHardAndLatches) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.estop = true;
  const Tick& first = robot.Tick();
  EXPECT_EQ(first.state, "EMERGENCY_STOP");
  EXPECT_NEAR(first.enforced[0], 0.7, 1e-6) << "2 m/s2";
  EXPECT_TRUE(robot.controller.latch().latched) << "written down before the robot stands";
  EXPECT_EQ(robot.controller.latch().cause, "estop_button");
  const Tick& later = robot.Ticks(10);
  EXPECT_EQ(later.state, "ESTOP_LATCHED");
  EXPECT_TRUE(later.stop);
  EXPECT_THAT(later.enforced, ElementsAre(0, 0));
}

TEST(LatchTest, APressBetweenTwoTicksIsNotMissed) {
  DrivenRobot robot;
  robot.DriveAtEight();
  v1::Observation press = tests::Packet(robot.now + milliseconds(10));
  press.set_estop_pressed(true);
  robot.controller.Observe(press, robot.now + milliseconds(10));
  EXPECT_EQ(robot.Tick().state, "EMERGENCY_STOP");
}

TEST(LatchTest, TellsEveryCause) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.estop = true;
  robot.Tick([](v1::Observation& packet) { packet.mutable_odom()->set_x_m(20.01); });
  EXPECT_EQ(robot.controller.latch().cause, "envelope_breach, estop_button");
}

TEST(LatchTest, APauseInAskingWithoutALatchIsNone) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.asking = false;
  robot.Ticks(60);
  robot.asking = true;
  EXPECT_EQ(robot.Tick().state, "NOMINAL");
  robot.asking = false;
  EXPECT_EQ(robot.Ticks(60).state, "NOMINAL");
}

TEST(LatchTest, ReleasingTheButtonMovesNothing) {
  DrivenRobot robot;
  StopByButton(robot);
  const Tick& tick = robot.Ticks(20 * 600);
  EXPECT_EQ(tick.state, "ESTOP_LATCHED");
  EXPECT_THAT(tick.enforced, ElementsAre(0, 0));
}

TEST(LatchTest, SurvivesALossOfPower) {
  DrivenRobot before;
  StopByButton(before);
  DrivenRobot after({}, before.controller.latch());
  after.unit.model->says = {0.8F, 0.0F};
  EXPECT_EQ(after.Tick().state, "ESTOP_LATCHED");
  EXPECT_EQ(after.Ticks(1000).state, "ESTOP_LATCHED");
  EXPECT_EQ(after.controller.latch().cause, "estop_button");
}

TEST(LatchTest, SurvivesALossOfPowerWhileStillBraking) {
  DrivenRobot before;
  before.DriveAtEight();
  before.estop = true;
  before.Tick();
  DrivenRobot after({}, before.controller.latch());
  EXPECT_EQ(after.Tick().state, "ESTOP_LATCHED");
}

TEST(LatchTest, SurvivesEverySwap) {
  DrivenRobot robot;
  StopByButton(robot);
  robot.controller.SwapTo(robot.previous.pilot.get(), nullptr, robot.now);
  EXPECT_EQ(robot.Tick().state, "ESTOP_LATCHED");
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  EXPECT_EQ(robot.Tick().state, "SAFE_LATCHED");
  robot.controller.SwapTo(robot.unit.pilot.get(), nullptr, robot.now);
  EXPECT_EQ(robot.Tick().state, "ESTOP_LATCHED");
}

TEST(LatchTest, ABreachByTheModelStaysLatchedWhenTheModelIsSwappedAway) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.Tick([](v1::Observation& packet) { packet.mutable_odom()->set_x_m(20.01); });
  robot.controller.SwapTo(robot.previous.pilot.get(), nullptr, robot.now);
  EXPECT_EQ(robot.Tick().state, "ESTOP_LATCHED");
}

TEST(LatchTest, AStopThatEndsInALatchByItselfIsKeptToo) {
  // A robot whose ticks come too late to brake in time: CONTROLLED_STOP, its else, its then.
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.now += milliseconds(300);
  const Tick& braking = robot.controller.Step(robot.now);
  EXPECT_EQ(braking.state, "CONTROLLED_STOP");
  EXPECT_NEAR(braking.enforced[0], 0.2, 1e-6);
  // Time jumps, and with it the bound for the stop: the machine asks before the command is
  // computed.
  robot.now += milliseconds(1500);
  EXPECT_EQ(robot.controller.Step(robot.now).state, "EMERGENCY_STOP");
  robot.now += milliseconds(50);
  EXPECT_EQ(robot.controller.Step(robot.now).state, "ESTOP_LATCHED");
  EXPECT_TRUE(robot.controller.latch().latched);
  EXPECT_EQ(robot.controller.latch().cause, "input_stale");
  EXPECT_EQ(robot.Ticks(100).state, "ESTOP_LATCHED") << "the input is back, the latch holds";
}

// --- re-arm
// ------------------------------------------------------------------------------------------

TEST(RearmTest, IsRefusedWhileTheButtonIsPressed) {
  DrivenRobot robot;
  StopByButton(robot);
  robot.estop = true;
  robot.Ticks(100);
  EXPECT_THAT(robot.controller.Rearm(robot.now), StatusIs(kRefused, HasSubstr("button")));
}

TEST(RearmTest, IsRefusedBeforeTheRobotHasStood) {
  DrivenRobot robot;
  StopByButton(robot);
  robot.measured_mps = 0.06;
  robot.Tick();
  robot.measured_mps = 0.05;
  robot.Ticks(59);
  EXPECT_THAT(robot.controller.Rearm(robot.now), StatusIs(kRefused, HasSubstr("stood")));
  robot.Ticks(2);
  EXPECT_OK(robot.controller.Rearm(robot.now));
}

TEST(RearmTest, IsRefusedWhenNobodyKnowsWhetherTheRobotStands) {
  DrivenRobot robot;
  StopByButton(robot);
  for (int i = 0; i < 200; ++i) robot.Tick([](v1::Observation& packet) { packet.clear_odom(); });
  EXPECT_THAT(robot.controller.Rearm(robot.now), StatusIs(kRefused, HasSubstr("stood for 3.0 s")));
}

TEST(RearmTest, IsRefusedWhileTheRobotTurns) {
  DrivenRobot robot;
  StopByButton(robot);
  const auto turning = [&](double wz_radps) {
    for (int i = 0; i < 100; ++i) {
      robot.Tick([&](v1::Observation& packet) { packet.mutable_odom()->set_wz_radps(wz_radps); });
    }
  };
  turning(0.11);
  EXPECT_THAT(robot.controller.Rearm(robot.now), StatusIs(kRefused, HasSubstr("stood")));
  turning(0.1);
  EXPECT_OK(robot.controller.Rearm(robot.now));
}

TEST(RearmTest, IsRefusedByAPressThatNoTickHasSeenYet) {
  DrivenRobot robot;
  StopByButton(robot);
  robot.Ticks(100);
  for (const bool pressed : {true, false}) {
    v1::Observation packet = tests::Packet(robot.now);
    packet.set_estop_pressed(pressed);
    robot.controller.Observe(packet, robot.now);
  }
  EXPECT_THAT(robot.controller.Rearm(robot.now), StatusIs(kRefused, HasSubstr("button")));
}

TEST(RearmTest, IsRefusedBeforeTheFirstTick) {
  Controller controller{LatchState{.latched = true, .cause = "estop_button"}};
  EXPECT_THAT(controller.Rearm(kStartOfTime), StatusIs(kRefused, HasSubstr("5 s")));
}

TEST(RearmTest, AnOperatorsActAwaitsNoStart) {
  DrivenRobot robot;
  robot.DriveAtEight();
  for (int i = 0; i < 6; ++i) {
    for (int lost = 0; lost < 6; ++lost) {
      robot.Tick([](v1::Observation& packet) { packet.clear_scan(); });
    }
    robot.Ticks(20);
  }
  ASSERT_EQ(robot.Tick().state, "SAFE_STOPPED");
  EXPECT_OK(robot.controller.MayRearm(robot.now));
  EXPECT_EQ(robot.Tick().state, "SAFE_STOPPED") << "asking changes nothing";
  ASSERT_OK(robot.controller.Rearm(robot.now));
  EXPECT_EQ(robot.Tick().state, "NOMINAL");
  EXPECT_FALSE(robot.controller.latch().probation);
}

TEST(RearmTest, IsRefusedWhenNobodyEverToldWhetherTheRobotStands) {
  DrivenRobot robot({}, LatchState{.latched = true, .cause = "estop_button"});
  for (int i = 0; i < 200; ++i) robot.Tick([](v1::Observation& packet) { packet.clear_odom(); });
  EXPECT_THAT(robot.controller.Rearm(robot.now), StatusIs(kRefused, HasSubstr("stood")));
}

TEST(RearmTest, IsRefusedWhenTheOdometryIsStuck) {
  DrivenRobot robot;
  StopByButton(robot);
  const int64_t stamp = robot.now.count();
  for (int i = 0; i < 200; ++i) {
    robot.Tick([&](v1::Observation& packet) { packet.mutable_odom()->set_stamp_ns(stamp); });
  }
  EXPECT_THAT(robot.controller.Rearm(robot.now), StatusIs(kRefused, HasSubstr("stood")));
}

TEST(RearmTest, AnEarlierTimeCountsAsThatOfTheLastTick) {
  DrivenRobot robot;
  StopByButton(robot);
  robot.Ticks(100);
  EXPECT_OK(robot.controller.Rearm(kStartOfTime));
}

TEST(RearmTest, IsRefusedWhenNothingIsLatched) {
  DrivenRobot robot;
  robot.DriveAtEight();
  EXPECT_THAT(robot.controller.Rearm(robot.now), StatusIs(kRefused, HasSubstr("nothing waits")));
}

class RearmedTest : public testing::Test {
 protected:
  void SetUp() override {
    StopByButton(robot_);
    robot_.Ticks(100);
    ASSERT_OK(robot_.controller.Rearm(robot_.now));
  }
  void ExpectStanding(const Tick& tick) {
    EXPECT_EQ(tick.state, "SAFE_STOPPED");
    EXPECT_THAT(tick.triggers, ElementsAre("awaiting_start"));
    EXPECT_THAT(tick.enforced, ElementsAre(0, 0));
    EXPECT_TRUE(tick.stop);
  }
  DrivenRobot robot_;
};

TEST_F(RearmedTest, PermitsAndMovesNothing) {
  EXPECT_FALSE(robot_.controller.latch().latched);
  EXPECT_TRUE(robot_.controller.latch().awaiting_start);
  ExpectStanding(robot_.Ticks(1000));
}

TEST_F(RearmedTest, StartsWhenTheProgramPausedAndAsksAgain) {
  robot_.Ticks(2);
  robot_.asking = false;
  ExpectStanding(robot_.Ticks(20));
  robot_.asking = true;
  const Tick& tick = robot_.Tick();
  EXPECT_EQ(tick.state, "NOMINAL");
  EXPECT_FALSE(robot_.controller.latch().awaiting_start);
  EXPECT_LE(robot_.Ticks(20).enforced[0], 0.4) << "gently";
}

TEST_F(RearmedTest, APauseBelowASecondIsNoStart) {
  robot_.Ticks(2);
  robot_.asking = false;
  robot_.Ticks(19);
  robot_.asking = true;
  ExpectStanding(robot_.Ticks(5));
}

TEST_F(RearmedTest, PacketsOfSingleChannelsInBetweenAreNoStart) {
  for (int i = 0; i < 100; ++i) {
    robot_.asking = i % 2 == 0;
    robot_.Tick();
  }
  ExpectStanding(robot_.Tick());
}

TEST_F(RearmedTest, AwaitingTheStartSurvivesALossOfPower) {
  DrivenRobot after({}, robot_.controller.latch());
  after.unit.model->says = {0.8F, 0.0F};
  ExpectStanding(after.Ticks(100));
}

TEST_F(RearmedTest, TheButtonLatchesAgain) {
  robot_.estop = true;
  robot_.Ticks(5);
  EXPECT_TRUE(robot_.controller.latch().latched);
  EXPECT_FALSE(robot_.controller.latch().awaiting_start);
  EXPECT_THAT(robot_.Tick().triggers, ElementsAre("estop_button")) << "no start is awaited now";
  robot_.estop = false;
  robot_.asking = false;
  robot_.Ticks(40);
  robot_.asking = true;
  EXPECT_EQ(robot_.Ticks(5).state, "ESTOP_LATCHED") << "a start without a new re-arm";
}

// --- without a unit
// ----------------------------------------------------------------------------------

TEST(RulesOnlyLatchTest, TheButtonLatchesWithoutAUnit) {
  Controller controller{LatchState{}};
  v1::Observation packet = tests::Packet(kStartOfTime);
  packet.set_estop_pressed(true);
  controller.Observe(packet, kStartOfTime);
  const Tick& tick = controller.Step(kStartOfTime);
  EXPECT_EQ(tick.state, "SAFE_LATCHED");
  EXPECT_THAT(tick.triggers, Contains("estop_button"));
  EXPECT_TRUE(controller.latch().latched);
  EXPECT_THAT(controller.Rearm(kStartOfTime), StatusIs(kRefused, HasSubstr("button")));
}

TEST(RulesOnlyLatchTest, IsRearmedAfterAStandstillOfFiveSeconds) {
  Controller controller{LatchState{.latched = true, .cause = "estop_button"}};
  Nanos now = kStartOfTime;
  const auto live = [&](int ticks) {
    for (int i = 0; i < ticks; ++i) {
      now += milliseconds(50);
      controller.Observe(tests::Packet(now), now);
      controller.Step(now);
    }
  };
  live(100);
  EXPECT_THAT(controller.Rearm(now), StatusIs(kRefused, HasSubstr("5 s")));
  live(1);
  EXPECT_OK(controller.Rearm(now));
  EXPECT_FALSE(controller.latch().latched);
  EXPECT_TRUE(controller.latch().awaiting_start);
  EXPECT_THAT(controller.Rearm(now), StatusIs(kRefused, HasSubstr("nothing waits")));
}

TEST(RulesOnlyLatchTest, TheButtonInDrivingWithoutRulesZeroesAtOnce) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  robot.estop = true;
  EXPECT_THAT(robot.Tick().enforced, ElementsAre(0, 0));
}

}  // namespace
}  // namespace agent::runtime
