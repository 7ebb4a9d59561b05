#include <limits>

#include "agent/runtime/controller.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"

// Units that come and go while the robot drives, and the previous one standing by.

namespace agent::runtime {
namespace {

using agent::base::RunOutcome;
using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::tests::DrivenRobot;
using ::tests::kStartOfTime;
namespace v1 = ::gatekeeper::v1;

constexpr float kNanF = std::numeric_limits<float>::quiet_NaN();

auto Near(double value) { return DoubleNear(value, 1e-6); }

TEST(SwapTest, ATicksViewsOutliveSeveralSwaps) {
  auto robot = std::make_unique<DrivenRobot>();
  robot->DriveAtEight();
  robot->unit.model->says = {kNanF, 0};
  const Tick& tick = robot->Tick();
  auto other = std::make_unique<tests::Unit>(std::string(64, 'c'));
  robot->controller.SwapTo(other->pilot.get(), nullptr, robot->now);
  robot->controller.SwapTo(nullptr, nullptr, robot->now);
  robot->unit.pilot.reset();
  other.reset();
  EXPECT_THAT(tick.triggers, ElementsAre("nonfinite"));
  EXPECT_EQ(tick.state, "SIMPLE_CONTROLLER");
}

TEST(SwapTest, BeingToldAgainThatThereIsNoUnitChangesNothing) {
  Controller controller{LatchState{.awaiting_start = true, .cause = {}}};
  controller.SwapTo(nullptr, nullptr, kStartOfTime);
  EXPECT_EQ(controller.Step(kStartOfTime).state, "SAFE");
  EXPECT_EQ(controller.fallback().probation, Nanos{0}) << "there are no rules to take it from";
  EXPECT_TRUE(controller.latch().probation);
}

TEST(SwapTest, APreviousUnitWithoutAnActiveOneDoesNotDrive) {
  DrivenRobot robot;
  robot.DriveAtEight();
  robot.previous.model->says = {0.8F, 0.0F};
  robot.controller.SwapTo(nullptr, robot.previous.pilot.get(), robot.now);
  EXPECT_EQ(robot.Tick().state, "SAFE");
  EXPECT_THAT(robot.Ticks(30).enforced, ElementsAre(0, 0));
  EXPECT_EQ(robot.previous.model->runs, 0);
}

TEST(SwapTest, APreviousUnitThatIsTakenAwayWhileItDrivesIsBrakedFor) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.previous.model->says = {0.8F, 0.0F};
  robot.unit.model->says = {kNanF, 0.0F};
  ASSERT_EQ(robot.Ticks(10).state, "PREVIOUS_MODEL");
  const double before = robot.Tick().enforced[0];
  const int runs = robot.previous.model->runs;

  robot.controller.SwapTo(robot.unit.pilot.get(), nullptr, robot.now);
  const Tick& tick = robot.Tick();

  EXPECT_EQ(tick.state, "SIMPLE_CONTROLLER");
  EXPECT_LT(tick.enforced[0], before);
  EXPECT_THAT(tick.raw, IsEmpty());
  EXPECT_EQ(robot.previous.model->runs, runs);
}

TEST(SwapTest, APreviousUnitIsNotBlamedForInputsThatAreAway) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.previous.model->says = {0.3F, 0.0F};
  robot.unit.model->says = {kNanF, 0.0F};
  ASSERT_EQ(robot.Ticks(10).state, "PREVIOUS_MODEL");
  for (int i = 0; i < 5; ++i) robot.Silence();
  ASSERT_EQ(robot.Silence().state, "CONTROLLED_STOP") << "the inputs are old";
  EXPECT_EQ(robot.Ticks(20).state, "PREVIOUS_MODEL") << "they are back, and it drives again";
}

TEST(SwapTest, DrivesWithoutAnInputThatIsNotRequired) {
  DrivenRobot robot([](v1::ControlPolicy& policy, v1::FallbackRules&, v1::ModelCard&) {
    (*policy.mutable_inputs())["imu"] = policy.inputs().at("odom");
    (*policy.mutable_inputs())["imu"].set_required(false);
  });
  robot.DriveAtEight();
  const Tick& tick = robot.Tick();
  EXPECT_EQ(tick.state, "NOMINAL");
  EXPECT_THAT(tick.enforced, ElementsAre(Near(0.8), 0.0));
}

TEST(SwapTest, TheButtonHoldsARobotWithoutAUnitAsLongAsItWasLastSeenPressed) {
  DrivenRobot robot;
  robot.controller.SwapTo(nullptr, nullptr, robot.now);
  robot.estop = true;
  robot.Tick();
  const Tick& tick = robot.Silence();
  EXPECT_THAT(tick.triggers, ElementsAre("estop_button")) << "nobody said it was released";
  EXPECT_EQ(tick.state, "SAFE_LATCHED");
  EXPECT_EQ(robot.controller.latch().cause, "estop_button");
  robot.estop = false;
  EXPECT_THAT(robot.Tick().triggers, IsEmpty());
}

// --- requirements, where several samples are decided in one tick

TEST(SwapTest, AnUnknownOutcomeIsNotHiddenByOneThatHolds) {
  DrivenRobot robot([](v1::ControlPolicy& policy, v1::FallbackRules&, v1::ModelCard&) {
    policy.clear_requirements();
    v1::Requirement& requirement = *policy.add_requirements();
    requirement.set_id("calm");
    requirement.set_formula("always[0,0.1](raw_vx_mps < 9)");
    requirement.set_trigger("requirement_violated");
  });
  robot.DriveAtEight();
  ASSERT_EQ(robot.Tick().requirements.at(0).verdict, monitor::Verdict::kHolds);
  // Two periods later: the sample before last is known to hold, the last one reaches the tick in
  // which there is no answer.
  robot.now += DrivenRobot::kPeriod;
  robot.unit.model->outcome = RunOutcome::kDeadlineMissed;
  EXPECT_EQ(robot.Tick().requirements.at(0).verdict, monitor::Verdict::kUnknown);
}

}  // namespace
}  // namespace agent::runtime
