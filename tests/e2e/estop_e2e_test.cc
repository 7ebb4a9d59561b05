#include <gmock/gmock.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/robot_site.h"
#include "tests/e2e/stage.h"

// An emergency stop with the real programs: it holds over kill -9, and ends by two people's signed
// approvals and somebody's press of start, never by itself; with a network and without.

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
  // The robot may be asked once it stands.
  bool AsksForApprovals() {
    return Eventually([this] { return robot_->View().observed().control().has_rearm(); });
  }
  Finished Approve(const std::string& name, std::vector<std::string> signature) {
    std::vector<std::string> words = {"robot", "rearm", "r1", "--reason", "the aisle is free"};
    words.insert(words.end(), signature.begin(), signature.end());
    const Finished approved = stage_.Cli(words);
    EXPECT_THAT(approved.out + approved.err, HasSubstr(name));
    return approved;
  }
  Finished ApprovedBy(const std::string& name) { return Approve(name, stage_.SignedBy(name)); }
  // Somebody lets go of start, and presses it.
  void PressStart() {
    robot_->program().AskForCommands(false);
    EXPECT_TRUE(Eventually([this] { return robot_->program().QuietFor(std::chrono::seconds(2)); }));
    robot_->program().AskForCommands(true);
  }
  // Beside the robot, without any network.
  Finished AtTheRobot(const std::vector<std::string>& approvals) {
    std::vector<std::string> words = {GATEKEEPER_AGENT, "rearm", "--state", robot_->state()};
    words.insert(words.end(), approvals.begin(), approvals.end());
    return RunProgram(words);
  }
  // The path of an approval of the challenge in this file.
  std::string SignedFile(const std::string& challenge, const std::string& name) {
    std::vector<std::string> words = {"rearm", "sign", challenge};
    const std::vector<std::string> signature = stage_.SignedBy(name);
    words.insert(words.end(), signature.begin(), signature.end());
    const Finished made = stage_.Cli(words);
    EXPECT_EQ(made.code, 0) << made.err;
    const std::string path = stage_.path(name + ".json");
    WriteWhole(path, made.out);
    return path;
  }

  Stage stage_;
  std::unique_ptr<RobotSite> robot_;
  std::string digest_;
};

TEST_F(EstopTest, OnlyTwoPeoplesApprovalAndANewStartLetTheRobotMoveAgain) {
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

  // One person is not two, whatever role they claim.
  ASSERT_TRUE(AsksForApprovals()) << robot_->Describe();
  const Finished one = ApprovedBy("ada");
  EXPECT_EQ(one.code, 0) << one.err;
  EXPECT_THAT(one.out, HasSubstr("still wanted"));
  std::vector<std::string> twice = stage_.SignedBy("ada");
  twice[3] = "safety_officer";
  const Finished again = Approve("ada", twice);
  EXPECT_EQ(again.code, 4) << again.err;
  EXPECT_THAT(again.err, HasSubstr("listed for 'ada' as 'local_operator'"));
  ExpectNoMotionFor(20, "because one person approved");

  // The button is looked at again: while it is pressed nobody re-arms.
  robot_->program().PressStop(true);
  ASSERT_TRUE(robot_->program().LiveThrough(10));
  const Finished pressed = ApprovedBy("bo");
  EXPECT_EQ(pressed.code, 6) << pressed.err;
  EXPECT_THAT(pressed.err, HasSubstr("button"));
  robot_->program().PressStop(false);
  ExpectNoMotionFor(20, "after a refused re-arm");

  const Finished rearmed = ApprovedBy("bo");
  EXPECT_EQ(rearmed.code, 0) << rearmed.err << robot_->Describe();
  EXPECT_THAT(rearmed.out, HasSubstr("does not move by itself"));
  ASSERT_TRUE(StopsIn("SAFE_STOPPED")) << robot_->Describe();
  ExpectNoMotionFor(40, "because it was re-armed while its program went on asking");

  PressStart();
  EXPECT_TRUE(Eventually([this] { return Speed() > 0.1; })) << robot_->Describe();
  EXPECT_EQ(robot_->program().Lived().units, std::set<std::string>{digest_});

  EXPECT_TRUE(Eventually([this] { return !robot_->View().observed().control().latched(); }));
  const Finished once_more = stage_.Cli({"rearm", "challenge", "r1"});
  EXPECT_EQ(once_more.code, 6) << once_more.err;
  EXPECT_THAT(once_more.err, HasSubstr("nothing waits for re-arm"));
  const Finished incidents = stage_.Cli({"incident", "list"});
  EXPECT_THAT(incidents.out, HasSubstr("Emergency stop of r1"));
  const std::string audit = stage_.Cli({"audit", "list"}).out;
  EXPECT_THAT(audit, HasSubstr("ada as local_operator"));
  EXPECT_THAT(audit, HasSubstr("bo as safety_officer"));
  EXPECT_THAT(robot_->pointer().complaint(), IsEmpty());
}

TEST_F(EstopTest, ApprovalsAreCarriedToARobotWithoutNetworkAndWorkOnce) {
  robot_->agent().Kill9();
  robot_->program().PressStop(true);
  ASSERT_TRUE(StopsIn("ESTOP_LATCHED")) << robot_->Describe();
  robot_->program().PressStop(false);

  Finished asked;
  ASSERT_TRUE(Eventually([&] {
    asked = AtTheRobot({});
    return asked.code == 0;
  })) << asked.err;
  const std::string challenge = stage_.path("challenge.json");
  WriteWhole(challenge, asked.out);
  const std::string ada = SignedFile(challenge, "ada");
  const std::string bo = SignedFile(challenge, "bo");

  const Finished one = AtTheRobot({ada, ada});
  EXPECT_EQ(one.code, 6) << one.err;
  EXPECT_THAT(one.err, HasSubstr("'ada' approves twice"));
  ExpectNoMotionFor(20, "because one person approved twice");

  // The standstill its rules ask for may not be over when the first pair comes.
  Finished both;
  ASSERT_TRUE(Eventually([&] {
    both = AtTheRobot({ada, bo});
    return both.code == 0;
  })) << both.err
      << robot_->Describe();
  EXPECT_THAT(both.out, HasSubstr("does not move by itself"));
  ASSERT_TRUE(StopsIn("SAFE_STOPPED")) << robot_->Describe();
  ExpectNoMotionFor(20, "because it was re-armed");

  const Finished nothing = AtTheRobot({ada, bo});
  EXPECT_EQ(nothing.code, 6) << nothing.err;
  EXPECT_THAT(nothing.err, HasSubstr("asks for no approvals"));
  robot_->program().PressStop(true);
  ASSERT_TRUE(StopsIn("ESTOP_LATCHED")) << robot_->Describe();
  robot_->program().PressStop(false);
  ASSERT_TRUE(Eventually([&] { return AtTheRobot({}).code == 0; }));
  const Finished replayed = AtTheRobot({ada, bo});
  EXPECT_EQ(replayed.code, 6) << replayed.err;
  EXPECT_THAT(replayed.err, HasSubstr("incident"));
  ExpectNoMotionFor(20, "because used approvals came again");
}

}  // namespace
}  // namespace tests
