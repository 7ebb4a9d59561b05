#include "agent/runtime/controller.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/agent/runtime/numbers.h"

// The unit that stands by and drives when the model of the one at the wheel fails.

namespace agent::runtime {
namespace {

using agent::base::RunOutcome;
using ::testing::ElementsAre;
using ::testing::Not;
using ::tests::DrivenRobot;

TEST(PreviousUnitTest, DrivesThePreviousUnitWhenTheModelFails) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.previous.model->says = {0.3F, 0.1F};
  robot.unit.model->says = {kNanF, 0.0F};
  const Tick& first = robot.Tick();
  EXPECT_EQ(first.state, "PREVIOUS_MODEL");
  EXPECT_THAT(first.enforced, ElementsAre(Near(0.7), 0.0)) << "one tick of braking, then it drives";
  const Tick& tick = robot.Ticks(10);
  EXPECT_THAT(tick.raw, ElementsAre(Near(0.3), Near(0.1)));
  EXPECT_THAT(tick.enforced, ElementsAre(Near(0.3), Near(0.1)));
  EXPECT_EQ(tick.digest, std::string(64, 'b'));
  EXPECT_TRUE(tick.model_fault) << "the active unit's fault holds";
}

TEST(PreviousUnitTest, GivesUpThePreviousUnitForGoodWhenThatFailsToo) {
  for (RunOutcome outcome : {RunOutcome::kFailed, RunOutcome::kDeadlineMissed}) {
    DrivenRobot robot;
    robot.GivePrevious();
    robot.DriveAtEight();
    robot.unit.model->says = {kNanF, 0.0F};
    robot.previous.model->says = {0.4F, 0.0F};
    robot.Ticks(2);
    robot.previous.model->outcome = outcome;
    const Tick& tick = robot.Ticks(3);
    EXPECT_EQ(tick.state, "SIMPLE_CONTROLLER");
    robot.previous.model->outcome = RunOutcome::kDone;
    robot.Ticks(10);
    EXPECT_THAT(robot.Tick().state, Not("PREVIOUS_MODEL"));
  }
}

TEST(PreviousUnitTest, ToleratesAMissedDeadlineOfThePreviousUnit) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  robot.Ticks(2);
  robot.previous.model->outcome = RunOutcome::kDeadlineMissed;
  EXPECT_EQ(robot.Ticks(2).state, "PREVIOUS_MODEL");
  EXPECT_TRUE(robot.Tick().deadline_missed);
}

TEST(PreviousUnitTest, DoesNotReturnToAModelThatIsStillLost) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.previous.model->says = {0.3F, 0.0F};
  Pilot lost = *robot.unit.pilot;
  lost.model = nullptr;
  robot.controller.SwapTo(&lost, robot.previous.pilot.get(), robot.now);
  for (int i = 0; i < 300; ++i) ASSERT_EQ(robot.Tick().state, "PREVIOUS_MODEL") << i;

  robot.GivePrevious();  // the unit with its model again

  EXPECT_EQ(robot.Ticks(99).state, "PREVIOUS_MODEL");
  EXPECT_EQ(robot.Tick().state, "NOMINAL");
}

TEST(PreviousUnitTest, ReturnsToTheModelAfterTheQuietTime) {
  DrivenRobot robot;
  robot.GivePrevious();
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  robot.Tick();
  robot.unit.model->says = {0.8F, 0.0F};
  EXPECT_EQ(robot.Ticks(199).state, "PREVIOUS_MODEL");
  const Tick& back = robot.Tick();
  EXPECT_EQ(back.state, "NOMINAL");
  EXPECT_THAT(robot.Ticks(20).enforced, ElementsAre(Near(0.4), 0.0))
      << "leaving a fallback is a transition";
}

TEST(PreviousUnitTest, APreviousUnitWithOtherCommandsOrTheSameDigestIsNone) {
  DrivenRobot robot;
  robot.controller.SwapTo(robot.unit.pilot.get(), robot.unit.pilot.get(), robot.now);
  robot.DriveAtEight();
  robot.unit.model->says = {kNanF, 0.0F};
  EXPECT_EQ(robot.Tick().state, "SIMPLE_CONTROLLER");
}

}  // namespace
}  // namespace agent::runtime
