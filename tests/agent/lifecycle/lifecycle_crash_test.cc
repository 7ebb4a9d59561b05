// The agent is killed at every single effect it has on the world, and started again: whatever the
// moment, the robot ends where it was told to go, and on the way never stands on anything but
// whole, verified units.
#include <filesystem>

#include "agent/trust/unit.h"
#include "gmock/gmock.h"
#include "tests/agent/lifecycle/robot_fixture.h"
#include "tests/support/status_matchers.h"

namespace {

using namespace tests;  // NOLINT: fixtures and proto alias

const SealedUnit& Old() {
  static const SealedUnit unit = MakeUnit({.version = "1.0.0", .model = "the old model"});
  return unit;
}
const SealedUnit& New() {
  static const SealedUnit unit = MakeUnit({.version = "1.1.0", .model = "the new model"});
  return unit;
}

// What must hold at any moment, also right after a kill.
void ExpectSound(const Robot& robot) {
  const v1::Pointer& pointer = robot.control.pointer();
  EXPECT_FALSE(pointer.committed_digest().empty());
  for (const std::string& digest :
       {pointer.committed_digest(), pointer.last_good_digest(), pointer.trial_digest()}) {
    if (digest.empty()) continue;
    const auto unit = agent::trust::VerifyUnit(robot.state / ("slots/" + digest), TestTrust());
    EXPECT_TRUE(unit.ok()) << unit.status();
  }
  EXPECT_LE(pointer.attempts(), 3u);
}

// Turns until `done`, starting again after the kill. False: it never got there.
template <class Done>
bool Live(Robot& robot, Done done, bool& killed) {
  for (int turn = 0; turn < 400; ++turn) {
    if (done()) return true;
    try {
      robot.Turn();
    } catch (const Killed&) {
      killed = true;
      robot.Kill();
      ExpectSound(robot);
      robot.Boot();
    }
  }
  return false;
}

TEST(LifecycleCrashTest, KilledAtAnyMomentOfAnUpdateTheRobotStillCommitsTheNewUnit) {
  int points = 0;
  for (bool killed = true; killed; ++points) {
    Robot robot;
    robot.Runs(Old());
    robot.gatekeeper.Publish(New());
    robot.gatekeeper.Want(New(), v1::STAGE_COMMIT);
    killed = false;
    robot.fuse.Set(points);

    const auto done = [&] {
      return robot.gatekeeper.observed.lifecycle() == v1::UNIT_COMMITTED &&
             robot.gatekeeper.observed.candidate_digest() == New().digest;
    };
    ASSERT_TRUE(Live(robot, done, killed))
        << "killed at effect " << points << ", ended in " << robot.StateName();
    robot.fuse.Remove();
    robot.Turns(15);

    ExpectSound(robot);
    EXPECT_EQ(robot.control.pointer().committed_digest(), New().digest) << points;
    EXPECT_EQ(robot.control.pointer().last_good_digest(), Old().digest) << points;
    EXPECT_EQ(robot.CountIn("slots"), 2u) << points;
    EXPECT_EQ(robot.CountIn("blobs"), 0u) << points;
    int committed = 0;
    for (const auto& [id, event] : robot.gatekeeper.events) {
      committed += event.kind() == "committed" && event.unit_digest() == New().digest ? 1 : 0;
      EXPECT_NE(event.kind(), "unexpected") << event.detail();
    }
    EXPECT_EQ(committed, 1) << points;
    if (testing::Test::HasFailure()) return;
  }
  RecordProperty("crash_points", points);
  EXPECT_GT(points, 50);
}

TEST(LifecycleCrashTest, KilledAtAnyMomentOfARollbackTheRobotStillReturns) {
  for (int point = 0, killed = 1; killed != 0; ++point) {
    Robot robot;
    robot.Runs(Old());
    robot.Runs(New());
    robot.gatekeeper.Want(Old(), v1::STAGE_COMMIT,
                          [](v1::DesiredState& d) { d.set_rollback(true); });
    bool was_killed = false;
    robot.fuse.Set(point);

    const auto done = [&] {
      return robot.gatekeeper.observed.lifecycle() == v1::UNIT_COMMITTED &&
             robot.gatekeeper.observed.control().running_digest() == Old().digest;
    };
    ASSERT_TRUE(Live(robot, done, was_killed)) << "killed at effect " << point;
    killed = was_killed ? 1 : 0;
    EXPECT_TRUE(robot.gatekeeper.fetched.empty());
    ExpectSound(robot);
  }
}

TEST(LifecycleCrashTest, KilledAtAnyMomentOfAFaultedTrialTheRobotReportsItAndDoesNotTryAgain) {
  for (int point = 0, killed = 1; killed != 0; ++point) {
    Robot robot;
    robot.Runs(Old());
    robot.gatekeeper.Publish(New());
    robot.gatekeeper.Want(New(), v1::STAGE_TRIAL);
    ASSERT_TRUE(robot.Reaches("Trying"));
    const int trials = robot.control.trials;
    robot.control.Fault("policy_saturated");
    bool was_killed = false;
    robot.fuse.Set(point);

    const auto done = [&] { return robot.gatekeeper.observed.lifecycle() == v1::ROLLED_BACK; };
    ASSERT_TRUE(Live(robot, done, was_killed)) << "killed at effect " << point;
    killed = was_killed ? 1 : 0;
    robot.fuse.Remove();
    robot.Turns(50);

    EXPECT_EQ(robot.control.trials, trials);
    EXPECT_EQ(robot.gatekeeper.observed.reason(), "policy_saturated");
    ExpectSound(robot);
  }
}

}  // namespace
