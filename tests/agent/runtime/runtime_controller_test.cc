#include <cmath>
#include <limits>

#include "agent/runtime/controller.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/support/status_matchers.h"

namespace agent::runtime {
namespace {

using agent::base::RunOutcome;
using std::chrono::seconds;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::tests::DrivenRobot;
using ::tests::kStartOfTime;
namespace v1 = ::gatekeeper::v1;

// --- driving
// -----------------------------------------------------------------------------------------

TEST(ControllerTest, DrivesWhatTheModelAsksForWhenNothingSpeaksAgainstIt) {
  DrivenRobot robot;
  robot.DriveAtEight();
  const Tick& tick = robot.Tick();
  EXPECT_EQ(tick.state, "NOMINAL");
  EXPECT_THAT(tick.raw, ElementsAre(Near(0.8), 0.0));
  EXPECT_THAT(tick.enforced, ElementsAre(Near(0.8), 0.0));
  EXPECT_THAT(tick.triggers, IsEmpty());
  EXPECT_THAT(tick.reasons, IsEmpty());
  EXPECT_FALSE(tick.stop || tick.clamped || tick.model_fault || tick.nonfinite);
  EXPECT_NEAR(tick.clearance_m, 4.25, 1e-12);
  EXPECT_EQ(tick.infer, std::chrono::microseconds(70));
  EXPECT_EQ(tick.digest, std::string(64, 'a'));
}

TEST(ControllerTest, StandsUntilTheInputsHaveComeAndBeenCalm) {
  DrivenRobot robot;
  robot.unit.model->says = {0.8F, 0.0F};
  EXPECT_EQ(robot.Silence().state, "CONTROLLED_STOP");
  EXPECT_THAT(robot.Silence().enforced, ElementsAre(0, 0));
  EXPECT_EQ(robot.unit.model->runs, 0) << "there is nothing to run it on";
  EXPECT_EQ(robot.Tick().state, "SAFE_STOPPED");
  EXPECT_EQ(robot.Ticks(10).state, "NOMINAL");
}

TEST(ControllerTest, StartsGentlyAfterASwap) {
  DrivenRobot robot;
  robot.unit.model->says = {0.8F, 0.0F};
  robot.Ticks(30);
  EXPECT_THAT(robot.Tick().enforced, ElementsAre(Near(0.4), 0.0)) << "transition: 0.4 m/s";
  robot.Ticks(10);
  EXPECT_GT(robot.Tick().enforced[0], 0.4) << "2 s have passed";
}

TEST(ControllerTest, ASwapInDrivingKeepsTheCommandContinuous) {
  DrivenRobot robot;
  robot.DriveAtEight();
  tests::Unit other(std::string(64, 'c'));
  other.model->says = {0.8F, 0.0F};
  robot.controller.SwapTo(other.pilot.get(), nullptr, robot.now);
  const Tick& tick = robot.Tick();
  EXPECT_EQ(tick.digest, std::string(64, 'c'));
  EXPECT_EQ(tick.state, "NOMINAL") << "zero missed ticks";
  EXPECT_THAT(tick.enforced, ElementsAre(Near(0.7), 0.0)) << "on the way to the transition's cap";
}

TEST(ControllerTest, SwappingToTheSameUnitChangesNothing) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.controller.SwapTo(robot.unit.pilot.get(), robot.previous.pilot.get(), robot.now);
  EXPECT_THAT(robot.Tick().enforced, ElementsAre(Near(0.8), 0.0));
}

TEST(ControllerTest, AnEarlierTimeCountsAsTheLastOne) {
  DrivenRobot robot;
  robot.DriveAtEight();
  const Nanos last = robot.controller.Step(robot.now).now;
  const Tick& tick = robot.controller.Step(robot.now - seconds(5));
  EXPECT_EQ(tick.now, last);
  EXPECT_THAT(tick.enforced, ElementsAre(Near(0.8), 0.0));
}

// --- model outputs
// -----------------------------------------------------------------------------------

TEST(ControllerTest, ANonFiniteOutputIsNoOutput) {
  for (const std::vector<float>& bad :
       {std::vector<float>{kNanF, 0}, {0.5F, std::numeric_limits<float>::infinity()}}) {
    DrivenRobot robot;
    robot.DriveAtEight();
    robot.unit.model->says = bad;
    const Tick& tick = robot.Tick();
    EXPECT_TRUE(tick.nonfinite);
    EXPECT_TRUE(tick.model_fault);
    EXPECT_THAT(tick.raw, IsEmpty());
    EXPECT_THAT(tick.triggers, ElementsAre("nonfinite"));
    EXPECT_EQ(tick.state, "SIMPLE_CONTROLLER") << "there is no previous unit";
    EXPECT_THAT(tick.enforced, ElementsAre(Near(0.7), Near(0))) << "braking with 2 m/s2";
  }
}

TEST(ControllerTest, AMissedDeadlineBrakesAlongTheLastCommand) {
  DrivenRobot robot;
  robot.unit.model->says = {0.8F, 0.2F};
  robot.Ticks(100);
  robot.unit.model->outcome = RunOutcome::kDeadlineMissed;
  const Tick& tick = robot.Tick();
  EXPECT_TRUE(tick.deadline_missed);
  EXPECT_EQ(tick.state, "NOMINAL");
  EXPECT_THAT(tick.raw, IsEmpty());
  EXPECT_THAT(tick.enforced, ElementsAre(Near(0.7), Near(0.175))) << "2 m/s2, on the same curve";
  EXPECT_THAT(tick.reasons, ElementsAre("substituted"));
  EXPECT_FALSE(tick.clamped);
}

TEST(ControllerTest, TooManyMissedDeadlinesLeaveTheNominalState) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->outcome = RunOutcome::kDeadlineMissed;
  robot.Ticks(2);
  const Tick& tick = robot.Tick();
  EXPECT_THAT(tick.triggers, ElementsAre("deadline_miss"));
  EXPECT_TRUE(tick.model_fault);
  EXPECT_EQ(tick.state, "SIMPLE_CONTROLLER");
}

TEST(ControllerTest, OneMissedDeadlineNowAndThenIsForgiven) {
  DrivenRobot robot;
  robot.DriveAtEight();
  for (int i = 0; i < 40; ++i) {
    robot.unit.model->outcome = i % 20 == 0 ? RunOutcome::kDeadlineMissed : RunOutcome::kDone;
    EXPECT_EQ(robot.Tick().state, "NOMINAL");
  }
}

TEST(ControllerTest, AFailedRunActsAtOnce) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->outcome = RunOutcome::kFailed;
  const Tick& tick = robot.Tick();
  EXPECT_THAT(tick.triggers, ElementsAre("model_failed"));
  EXPECT_TRUE(tick.model_fault);
}

TEST(ControllerTest, AModelThatStaysBrokenIsNotBelievedAfterTheQuietTime) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->outcome = RunOutcome::kFailed;
  robot.Ticks(20 * 60);
  EXPECT_EQ(robot.Tick().state, "SAFE_STOPPED") << "it is run unheard, and still fails";
  robot.unit.model->outcome = RunOutcome::kDone;
  robot.Ticks(20 * 5);
  EXPECT_EQ(robot.Tick().state, "NOMINAL");
}

TEST(ControllerTest, AModelWhoseOutputChangesItsSizeSelectsTheStrongestFallbackAtOnce) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {0.8F};
  const Tick& tick = robot.Tick();
  EXPECT_EQ(tick.state, "ESTOP_LATCHED");
  EXPECT_THAT(tick.enforced, ElementsAre(0, 0));
  EXPECT_TRUE(tick.stop);
  EXPECT_THAT(tick.triggers, Contains("invariant_broken"));
  EXPECT_TRUE(robot.controller.latch().latched);
}

TEST(ControllerTest, AModelWhoseInputChangesItsSizeSelectsTheStrongestFallbackUnasked) {
  DrivenRobot robot;
  robot.DriveAtEight();
  const int runs = robot.unit.model->runs;
  robot.unit.model->Shorten(0);
  EXPECT_EQ(robot.Tick().state, "ESTOP_LATCHED");
  EXPECT_EQ(robot.unit.model->runs, runs);
}

TEST(ControllerTest, APilotWithoutAModelIsAFailedModel) {
  DrivenRobot robot;
  robot.unit.pilot->model = nullptr;
  EXPECT_THAT(robot.Ticks(3).triggers, Contains("model_failed"));
}

TEST(ControllerTest, AModelThatLivesOffItsLimitsSpendsTheClampBudget) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {0.8F, 2.0F};
  for (int i = 0; i < 41; ++i) {
    const Tick& tick = robot.Tick();
    EXPECT_TRUE(tick.clamped);
    EXPECT_EQ(tick.state, "NOMINAL") << i;
  }
  const Tick& tick = robot.Tick();
  EXPECT_THAT(tick.triggers, ElementsAre("policy_saturated"));
  EXPECT_TRUE(tick.model_fault);
  EXPECT_EQ(tick.state, "SIMPLE_CONTROLLER");
}

TEST(ControllerTest, StartingUpAndTransitionSpendNoClampBudget) {
  DrivenRobot robot;
  robot.unit.model->says = {0.8F, 0.5F};
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(robot.Tick().clamped) << i;
}

void WithConfidence(v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
  v1::Confidence& confidence = *policy.mutable_output()->mutable_confidence();
  confidence.set_enter_below(0.3);
  confidence.set_leave_above(0.5);
  confidence.set_leave_hold_ms(200);
  confidence.set_trigger("low_confidence");
  v1::Trigger& trigger = *rules.add_triggers();
  trigger.set_id("low_confidence");
  trigger.set_layer("model");
  trigger.set_to("DEGRADED");
  trigger.mutable_clear()->set_quiet_ms(50);
  v1::OutputBinding& output = *card.add_outputs();
  output.set_tensor("command");
  output.set_index(2);
  output.set_field("confidence");
}

TEST(ControllerTest, LowConfidenceDegradesUntilItHasRisenForItsTime) {
  DrivenRobot robot(WithConfidence);
  robot.unit.model->says = {0.8F, 0.0F, 0.9F};
  robot.Ticks(100);
  robot.unit.model->says[2] = 0.2F;
  EXPECT_EQ(robot.Tick().state, "DEGRADED");
  const Tick& slow = robot.Ticks(20);
  EXPECT_THAT(slow.enforced, ElementsAre(Near(0.4), 0.0));
  EXPECT_TRUE(slow.model_fault);
  EXPECT_NEAR(slow.confidence, 0.2, 1e-6);
  robot.unit.model->says[2] = 0.6F;
  EXPECT_EQ(robot.Ticks(4).state, "DEGRADED");
  EXPECT_EQ(robot.Ticks(2).state, "NOMINAL");
}

// --- inputs
// ------------------------------------------------------------------------------------------

TEST(ControllerTest, AStaleInputStopsTheRobotAndItDrivesOnWhenItIsBack) {
  DrivenRobot robot;
  robot.DriveAtEight();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(robot.Silence().state, "NOMINAL") << "250 ms are allowed";
  const Tick& stale = robot.Silence();
  EXPECT_EQ(stale.state, "CONTROLLED_STOP");
  EXPECT_THAT(stale.triggers, ElementsAre("input_stale"));
  EXPECT_THAT(stale.reasons, Contains("input:scan:old"));
  EXPECT_FALSE(stale.model_fault) << "not the model's fault";
  for (int i = 0; i < 25; ++i) robot.Silence();
  EXPECT_EQ(robot.Silence().state, "SAFE_STOPPED");
  EXPECT_EQ(robot.Ticks(9).state, "SAFE_STOPPED");
  EXPECT_EQ(robot.Ticks(3).state, "NOMINAL");
}

TEST(ControllerTest, DoesNotRunTheModelOnStaleInputs) {
  DrivenRobot robot;
  robot.DriveAtEight();
  for (int i = 0; i < 6; ++i) robot.Silence();
  const int runs = robot.unit.model->runs;
  robot.Silence();
  EXPECT_EQ(robot.unit.model->runs, runs);
}

TEST(ControllerTest, ALostLinkDegradesAfterItsTimeWhoeverSaysSo) {
  for (bool by_link : {true, false}) {
    DrivenRobot robot;
    robot.DriveAtEight();
    if (by_link) robot.controller.SetLink(false, robot.now);
    const auto radio = [&](v1::Observation& packet) { packet.set_network_up(by_link); };
    for (int i = 0; i < 100; ++i) EXPECT_EQ(robot.Tick(radio).state, "NOMINAL") << i;
    EXPECT_EQ(robot.Tick(radio).state, "DEGRADED");
    robot.controller.SetLink(true, robot.now);
    EXPECT_EQ(robot.Ticks(59).state, "DEGRADED");
    EXPECT_EQ(robot.Ticks(2).state, "NOMINAL");
  }
}

TEST(ControllerTest, AnObstacleInTheStopZoneStopsAndItsLeavingReleases) {
  DrivenRobot robot;
  robot.DriveAtEight();
  const auto obstacle = [](v1::Observation& packet) { tests::PutAhead(packet, 0.4F); };
  const Tick& stopped = robot.Tick(obstacle);
  EXPECT_THAT(stopped.enforced, ElementsAre(0, 0));
  EXPECT_THAT(stopped.reasons, Contains("stop_zone:touch"));
  EXPECT_EQ(stopped.state, "NOMINAL") << "a stop zone is no fault";
  EXPECT_THAT(robot.Ticks(7).enforced, ElementsAre(0, 0));
  EXPECT_GT(robot.Ticks(2).enforced[0], 0);
}

TEST(ControllerTest, CrossingAnEdgeIsAnEmergency) {
  DrivenRobot robot;
  robot.DriveAtEight();
  const Tick& tick =
      robot.Tick([](v1::Observation& packet) { packet.mutable_odom()->set_x_m(19.76); });
  EXPECT_EQ(tick.state, "EMERGENCY_STOP");
  EXPECT_THAT(tick.triggers, ElementsAre("envelope_breach"));
  EXPECT_THAT(tick.reasons, Contains("outside:hall"));
  EXPECT_NEAR(tick.clearance_m, -0.01, 1e-9);
  EXPECT_TRUE(robot.controller.latch().latched);
}

// --- without a unit
// ----------------------------------------------------------------------------------

TEST(ControllerTest, WithoutAnyUnitItHoldsTheRobot) {
  Controller controller{LatchState{}};
  const Tick& tick = controller.Step(kStartOfTime);
  EXPECT_EQ(tick.state, "SAFE");
  EXPECT_TRUE(tick.stop);
  EXPECT_THAT(tick.enforced, IsEmpty());
  EXPECT_EQ(tick.digest, "");
}

TEST(ControllerTest, LosingTheLastUnitInDrivingIsAControlledStop) {
  DrivenRobot robot;
  robot.unit.model->says = {0.8F, 0.4F};
  robot.Ticks(100);
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  const Tick& tick = robot.Tick();
  EXPECT_EQ(tick.state, "SAFE");
  EXPECT_THAT(tick.enforced, ElementsAre(Near(0.76), Near(0.38)));
  EXPECT_FALSE(tick.stop);
  const Tick& later = robot.Ticks(20);
  EXPECT_THAT(later.enforced, ElementsAre(0, 0));
  EXPECT_TRUE(later.stop);
}

TEST(ControllerTest, ATicksViewsOutliveTheSwapThatFollowsIt) {
  auto robot = std::make_unique<DrivenRobot>();
  robot->DriveAtEight();
  robot->unit.model->says = {kNanF, 0};
  const Tick& tick = robot->Tick();
  robot->controller.SwapTo(nullptr, nullptr, robot->now);
  robot->unit.pilot.reset();
  EXPECT_THAT(tick.triggers, ElementsAre("nonfinite"));
}

// --- records
// -----------------------------------------------------------------------------------------

TEST(ControllerTest, RecordsAndCommandsSayWhatTheTickSays) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.unit.model->says = {1.2F, 0.0F};
  const Tick& tick = robot.Tick();
  const v1::TickRecord record = ToRecord(tick);
  EXPECT_EQ(record.now_ns(), robot.now.count());
  EXPECT_NEAR(record.raw(0), 1.2, 1e-6);
  EXPECT_EQ(record.enforced(0), tick.enforced[0]);
  EXPECT_EQ(record.state(), "NOMINAL");
  EXPECT_THAT(record.reasons(), ElementsAre("speed", "acceleration", "jerk"));
  EXPECT_TRUE(record.clamped());
  EXPECT_EQ(record.infer_ns(), 70'000);
  EXPECT_EQ(record.unit_digest(), std::string(64, 'a'));
  v1::Command command;
  WriteCommand(tick, 7, 99, command);
  EXPECT_EQ(command.seq(), 7U);
  EXPECT_EQ(command.stamp_ns(), 99);
  EXPECT_EQ(command.values(0), tick.enforced[0]);
  EXPECT_FALSE(command.stop());
  EXPECT_EQ(command.state(), "NOMINAL");
}

}  // namespace
}  // namespace agent::runtime
