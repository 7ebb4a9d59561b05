#include <cmath>

#include "agent/runtime/controller.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/support/status_matchers.h"

// A robot whose unit is gone, or that has none yet: the built-in rules stop it and keep its latch.

namespace agent::runtime {
namespace {

using agent::base::RunOutcome;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::tests::DrivenRobot;
using ::tests::kRefused;
using ::tests::kStartOfTime;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

void TellAll(v1::ControlPolicy& policy, v1::FallbackRules&, v1::ModelCard& card) {
  v1::Confidence& confidence = *policy.mutable_output()->mutable_confidence();
  confidence.set_enter_below(0.1);
  confidence.set_leave_above(0.2);
  confidence.set_leave_hold_ms(200);
  confidence.set_trigger("deadline_miss");
  v1::Uncertainty& uncertainty = *policy.mutable_output()->mutable_uncertainty();
  uncertainty.set_enter_above(0.9);
  uncertainty.set_leave_below(0.8);
  uncertainty.set_leave_hold_ms(200);
  uncertainty.set_trigger("deadline_miss");
  uint32_t index = 2;
  for (const char* field : {"confidence", "uncertainty"}) {
    v1::OutputBinding& output = *card.add_outputs();
    output.set_tensor("command");
    output.set_index(index++);
    output.set_field(field);
  }
}

TEST(WithoutUnitTest, ATickTellsNothingOfTheUnitThatIsGone) {
  DrivenRobot robot(TellAll);
  robot.unit.model->says = {1.2F, 0, 0.5F, 0.25F};
  robot.Ticks(100);
  robot.controller.SetSignal("soc_temp_degC", 80, robot.now);
  const Tick& before = robot.Tick();
  ASSERT_EQ(before.raw.size(), 2U);
  ASSERT_EQ(before.confidence, 0.5);
  ASSERT_EQ(before.uncertainty, 0.25);
  ASSERT_LT(before.derate, 1);
  ASSERT_FALSE(std::isnan(before.nearest_m) || std::isnan(before.clearance_m));
  ASSERT_GT(before.infer, Nanos{0});
  ASSERT_FALSE(before.digest.empty() || before.requirements.empty());

  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  const Tick& tick = robot.Tick();

  EXPECT_THAT(tick.raw, IsEmpty());
  EXPECT_EQ(tick.confidence, 1);
  EXPECT_EQ(tick.uncertainty, 0);
  EXPECT_EQ(tick.derate, 1);
  EXPECT_TRUE(std::isnan(tick.nearest_m));
  EXPECT_TRUE(std::isnan(tick.clearance_m));
  EXPECT_EQ(tick.infer, Nanos{0});
  EXPECT_EQ(tick.digest, "");
  EXPECT_THAT(tick.requirements, IsEmpty());
  EXPECT_THAT(tick.reasons, ElementsAre("no_unit"));
  EXPECT_THAT(robot.Tick().reasons, ElementsAre("no_unit")) << "once a tick";
}

TEST(WithoutUnitTest, AFaultOfTheUnitThatIsGoneIsNotToldAgain) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {std::nanf(""), 0};
  ASSERT_TRUE(robot.Tick().nonfinite);
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  const Tick& tick = robot.Tick();
  EXPECT_FALSE(tick.nonfinite || tick.model_fault || tick.deadline_missed || tick.clamped);
  EXPECT_EQ(robot.controller.fallback(), FallbackStatus{});
}

TEST(WithoutUnitTest, BrakesWithTheBuiltInDecelerationToAPlainZero) {
  DrivenRobot robot;
  robot.unit.model->says = {0.8F, -0.4F};
  robot.Ticks(100);
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  for (int i = 1; i <= 19; ++i) {
    const Tick& tick = robot.Tick();
    EXPECT_NEAR(tick.enforced[0], 0.8 - 0.04 * i, 1e-6) << "0.8 m/s2";
    EXPECT_FALSE(tick.stop);
  }
  const Tick& tick = robot.Ticks(2);
  EXPECT_THAT(tick.enforced, ElementsAre(0, 0));
  EXPECT_FALSE(std::signbit(tick.enforced[1]));
  EXPECT_TRUE(tick.stop);
}

TEST(WithoutUnitTest, TwoTicksAtOneTimeHoldAStandingRobot) {
  DrivenRobot robot;
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  robot.Tick();
  const Tick& again = robot.controller.Step(robot.now);
  EXPECT_THAT(again.enforced, ElementsAre(0, 0));
  EXPECT_TRUE(again.stop);
}

TEST(WithoutUnitTest, APressBetweenTwoTicksLatches) {
  Controller controller{LatchState{}};
  for (const bool pressed : {true, false}) {
    v1::Observation packet = tests::Packet(kStartOfTime);
    packet.set_estop_pressed(pressed);
    controller.Observe(packet, kStartOfTime);
  }
  EXPECT_EQ(controller.Step(kStartOfTime).state, "SAFE_LATCHED");
  EXPECT_THAT(controller.Step(kStartOfTime + milliseconds(50)).triggers, IsEmpty());
}

TEST(WithoutUnitTest, APressLeavesAnOlderLatchAsItIs) {
  const LatchState before{.latched = true, .cause = "envelope_breach", .probation = true};
  Controller controller{before};
  v1::Observation packet = tests::Packet(kStartOfTime);
  packet.set_estop_pressed(true);
  controller.Observe(packet, kStartOfTime);
  controller.Step(kStartOfTime);
  EXPECT_EQ(controller.latch(), before);
}

TEST(WithoutUnitTest, ALatchThatWasReadAwaitsNoStart) {
  const Controller controller{LatchState{.latched = true, .awaiting_start = true, .cause = {}}};
  EXPECT_FALSE(controller.latch().awaiting_start);
  EXPECT_FALSE(controller.latch().probation);
}

TEST(WithoutUnitTest, APressWhileAStartIsAwaitedEndsTheWaiting) {
  DrivenRobot robot({}, LatchState{.awaiting_start = true, .cause = {}});
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  robot.estop = true;
  robot.Tick();
  robot.estop = false;
  robot.controller.SwapTo(robot.unit.pilot.get(), nullptr, robot.now);
  EXPECT_THAT(robot.Ticks(20).triggers, ElementsAre("latched"));
}

// --- re-arm: stood for 5 s by odometry and joints of the last half second

class StandingTest : public testing::Test {
 protected:
  // Ticks of 50 ms with a packet each.
  void Live(int ticks, const std::function<void(v1::Observation&)>& edit = {}) {
    for (int i = 0; i < ticks; ++i) {
      now_ += milliseconds(50);
      v1::Observation packet = tests::Packet(now_);
      if (edit) edit(packet);
      controller_.Observe(packet, now_);
      controller_.Step(now_);
    }
  }
  Controller controller_{LatchState{.latched = true, .cause = "estop_button"}};
  Nanos now_ = kStartOfTime;
};

TEST_F(StandingTest, TrustsOdometryForHalfASecondAndNoLonger) {
  for (const auto& [age, trusted] :
       {std::pair{milliseconds(500), true}, {milliseconds(501), false}}) {
    Controller controller{LatchState{.latched = true, .cause = "estop_button"}};
    Nanos now = kStartOfTime;
    controller.Observe(tests::Packet(now), now);
    for (int i = 0; i < 11; ++i) {
      now += age;
      controller.Step(now);
      controller.Observe(tests::Packet(now), now);
    }
    EXPECT_EQ(controller.MayRearm(now).ok(), trusted) << age.count();
  }
}

TEST_F(StandingTest, JointsMayMoveAsFastAsTheirNoise) {
  const auto joints = [](double radps) {
    return [radps](v1::Observation& packet) {
      packet.mutable_joints()->add_q_rad(0);
      packet.mutable_joints()->add_qd_radps(radps);
    };
  };
  Live(101, joints(-0.1001));
  EXPECT_THAT(controller_.MayRearm(now_), StatusIs(kRefused, HasSubstr("5 s")));
  Live(101, joints(-0.1));
  EXPECT_OK(controller_.MayRearm(now_));
}

TEST_F(StandingTest, UnderNewRulesTheLatchHoldsAtOnceAndMayBeRearmedAtOnce) {
  tests::Unit unit(std::string(64, 'a'));
  Live(101);
  controller_.SwapTo(unit.pilot.get(), nullptr, now_);
  const Fallback& rules = unit.pilot->rules->fallback;
  EXPECT_EQ(controller_.fallback().active, MaskOf(rules.latched()));
  EXPECT_EQ(controller_.fallback().triggers[rules.latched()].place, rules.latch_state());
  EXPECT_EQ(controller_.fallback().state, rules.latch_state());
  EXPECT_OK(controller_.MayRearm(now_));
}

TEST_F(StandingTest, ARobotThatIsNotLatchedTakesItsRulesAsTheyAre) {
  tests::Unit unit(std::string(64, 'a'));
  Controller controller{LatchState{}};
  controller.SwapTo(unit.pilot.get(), nullptr, now_);
  EXPECT_EQ(controller.fallback(), FallbackStatus{});
}

}  // namespace
}  // namespace agent::runtime
