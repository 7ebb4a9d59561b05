#include <gmock/gmock.h>

#include <memory>
#include <string>

#include "tests/e2e/robot_site.h"
#include "tests/e2e/stage.h"

// An emergency stop with the real programs: it holds over kill -9, and ends by a person's word and
// a second person's press of start, never by itself.

namespace tests {
namespace {

namespace v1 = ::gatekeeper::v1;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class EstopTest : public testing::Test {
 protected:
  EstopTest() {
    stage_.Serve();
    EXPECT_EQ(stage_.Cli({"fleet", "create", "north"}).code, 0);
    robot_ = std::make_unique<RobotSite>(stage_, "north", "r1");
    digest_ = stage_.PushedUnit("1.0.0");
    EXPECT_EQ(stage_
                  .Cli({"rollout", "start", digest_, "--fleet", "north", "--plan", stage_.at_once(),
                        "--watch", "--timeout", "300"})
                  .code,
              0);
    EXPECT_TRUE(Eventually([this] { return Speed() > 0.1; })) << robot_->Describe();
  }

  // The fastest of the next ten ticks.
  double Speed() {
    robot_->Forget();
    EXPECT_TRUE(robot_->program().LiveThrough(10)) << robot_->Describe();
    return robot_->program().Lived().fastest_mps;
  }
  bool StopsIn(const std::string& state) {
    return Eventually([&] {
      const bool stands = Speed() == 0;
      const v1::Command last = robot_->program().Lived().last;
      return stands && last.stop() && last.state() == state;
    });
  }
  // A while, counted in the robot's own ticks, in which nothing may move.
  void ExpectNoMotionFor(uint64_t ticks, const std::string& when) {
    robot_->Forget();
    EXPECT_TRUE(robot_->program().LiveThrough(ticks)) << robot_->Describe();
    EXPECT_EQ(robot_->program().Lived().fastest_mps, 0) << "it moves " << when;
    EXPECT_TRUE(robot_->program().Lived().last.stop()) << "it may move " << when;
  }
  bool IsLatched() {
    return Eventually([this] { return robot_->View().observed().control().latched(); });
  }
  Finished Rearm() { return stage_.Cli({"robot", "rearm", "r1", "--reason", "the aisle is free"}); }

  Stage stage_;
  std::unique_ptr<RobotSite> robot_;
  std::string digest_;
};

TEST_F(EstopTest, OnlyRearmingAndANewStartLetTheRobotMoveAgain) {
  robot_->program().PressStop(true);
  ASSERT_TRUE(StopsIn("ESTOP_LATCHED")) << robot_->Describe();
  ASSERT_TRUE(IsLatched()) << robot_->Describe();

  robot_->program().PressStop(false);
  ExpectNoMotionFor(20, "because the button was let go");

  robot_->control().Kill9();
  robot_->control().Start();
  ASSERT_TRUE(StopsIn("ESTOP_LATCHED")) << robot_->Describe();
  ASSERT_TRUE(IsLatched()) << robot_->Describe();
  ExpectNoMotionFor(20, "because control was killed");

  // The button is looked at again: while it is pressed nobody re-arms.
  robot_->program().PressStop(true);
  ASSERT_TRUE(robot_->program().LiveThrough(10));
  EXPECT_EQ(Rearm().code, 0) << "the robot itself refuses, and says so";
  ASSERT_TRUE(Eventually([this] {
    return robot_->control().Log().find("rearm_refused") != std::string::npos;
  })) << robot_->Describe();
  robot_->program().PressStop(false);
  ExpectNoMotionFor(20, "after a refused re-arm");

  const Finished rearmed = Rearm();
  EXPECT_EQ(rearmed.code, 0) << rearmed.err;
  EXPECT_THAT(rearmed.out, HasSubstr("does not move by itself"));
  ASSERT_TRUE(StopsIn("SAFE_STOPPED")) << robot_->Describe();
  ExpectNoMotionFor(40, "because it was re-armed while its program went on asking");

  // Somebody lets go of start, and presses it.
  robot_->program().AskForCommands(false);
  EXPECT_TRUE(Eventually([this] { return robot_->program().QuietFor(std::chrono::seconds(2)); }));
  robot_->program().AskForCommands(true);
  EXPECT_TRUE(Eventually([this] { return Speed() > 0.1; })) << robot_->Describe();
  EXPECT_EQ(robot_->program().Lived().units, std::set<std::string>{digest_});

  const Finished again = Rearm();
  EXPECT_EQ(again.code, 6) << again.err;
  EXPECT_THAT(again.err, HasSubstr("nothing waits for re-arm"));
  const Finished incidents = stage_.Cli({"incident", "list"});
  EXPECT_THAT(incidents.out, HasSubstr("Emergency stop of r1"));
  EXPECT_THAT(stage_.Cli({"audit", "list"}).out, HasSubstr("robot.rearm"));
  EXPECT_THAT(robot_->pointer().complaint(), IsEmpty());
}

}  // namespace
}  // namespace tests
