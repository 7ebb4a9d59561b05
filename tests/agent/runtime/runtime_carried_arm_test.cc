#include <functional>
#include <vector>

#include "agent/runtime/controller.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/agent/runtime/numbers.h"

// What a tick hands on to the next one where an arm is carried by wheels.

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::tests::DrivenRobot;
namespace v1 = ::gatekeeper::v1;

constexpr double kStep = 0.05;

// Joints that brake with 4 rad/s2, beside all that wheels tell.
void MakeCarriedArm(v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card,
                    const std::vector<std::string>& joints) {
  tests::MakeArm(policy, joints);
  for (auto& [name, joint] : *policy.mutable_joints()) joint.set_qdd_abs_max_radps2(4);
  policy.mutable_arm()->set_degraded_scale(1);
  rules.mutable_states()->erase("SIMPLE_CONTROLLER");
  tests::StopAsJointsDo(rules);
  (*rules.mutable_states())["PREVIOUS_MODEL"].set_else_("CONTROLLED_STOP");
  for (int i = rules.triggers_size(); i-- > 0;) {
    if (rules.triggers(i).id() == "requirement_violated") {
      rules.mutable_triggers()->DeleteSubrange(i, 1);
    }
  }
  const v1::OutputBinding first = card.outputs(0);
  card.clear_outputs();
  for (const std::string& joint : joints) {
    v1::OutputBinding& output = *card.add_outputs();
    output = first;
    output.set_index(static_cast<uint32_t>(card.outputs_size() - 1));
    output.set_field(joint);
  }
  // Where the tool may be. The odometry of what carries the arm is far away from there.
  v1::EnvelopeZone& cell = *policy.add_envelope();
  cell.set_id("cell");
  cell.set_kind("inclusion");
  cell.set_frame("map");
  for (const auto& [x, y] : {std::pair{-1.0, -1.0}, {1.0, -1.0}, {1.0, 1.0}, {-1.0, 1.0}}) {
    v1::Point& point = *cell.add_polygon_m();
    point.set_x(x);
    point.set_y(y);
  }
  for (const double height : {-1.0, 1.0}) cell.add_z_m(height);
  cell.set_margin_m(0.1);
  cell.set_trigger("envelope_breach");
}

tests::Unit::Edit CarriedArm(const std::vector<std::string>& joints, double rate_hz = 20) {
  return [=](v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
    MakeCarriedArm(policy, rules, card, joints);
    policy.mutable_command()->set_rate_hz(rate_hz);
    rules.set_mrc_within_ms(5000);  // slower ticks see and stop later
    for (v1::Trigger& trigger : *rules.mutable_triggers()) {
      if (trigger.detect_ms() > 0) trigger.set_detect_ms(trigger.detect_ms() + 250);
    }
  };
}

class ArmHandoverTest : public testing::Test {
 protected:
  // A tick later, the first of which the arm's joints were seen where they are told to be.
  const Tick& Ticks(DrivenRobot& robot, int count) {
    for (int i = 1; i < count; ++i) robot.Tick(joints_);
    return robot.Tick(joints_);
  }
  std::vector<double> q_ = {0.5, -0.5};
  std::function<void(v1::Observation&)> joints_ = [this](v1::Observation& packet) {
    for (const double q : q_) {
      packet.mutable_joints()->add_q_rad(q);
      packet.mutable_joints()->add_qd_radps(0);
    }
  };
};

TEST_F(ArmHandoverTest, AnArmIsNotJudgedByWhereItsBaseSaysItIs) {
  DrivenRobot robot(CarriedArm({"shoulder", "elbow"}));
  robot.unit.model->says = {0.5F, -0.5F};
  const Tick& tick = Ticks(robot, 40);
  EXPECT_EQ(tick.state, "NOMINAL");
  EXPECT_THAT(tick.triggers, IsEmpty());
  EXPECT_LT(tick.clearance_m, 2) << "of its tool";
}

TEST_F(ArmHandoverTest, AnArmAfterWheelsStartsFromWhereItIsMeasured) {
  DrivenRobot robot;
  robot.unit.model->says = {0.8F, 0.0F};
  Ticks(robot, 100);
  tests::Unit arm(std::string(64, 'c'), CarriedArm({"shoulder", "elbow"}));
  arm.model->says = {1.5F, -0.5F};
  robot.controller.SwapTo(arm.pilot.get(), nullptr, robot.now);
  EXPECT_THAT(Ticks(robot, 1).enforced, ElementsAre(Near(0.51), Near(-0.5))) << "4 rad/s2";
  EXPECT_THAT(Ticks(robot, 1).enforced, ElementsAre(Near(0.53), Near(-0.5))) << "and on from there";
}

TEST_F(ArmHandoverTest, WheelsAfterAnArmStartFromRest) {
  DrivenRobot robot(CarriedArm({"shoulder", "elbow"}));
  robot.unit.model->says = {0.5F, -0.5F};
  Ticks(robot, 40);
  robot.unit.model->says = {1.5F, -0.5F};
  ASSERT_GT(Ticks(robot, 4).enforced[0], 0.55) << "it moves";
  tests::Unit wheels(std::string(64, 'c'));
  wheels.model->says = {0.8F, 0.0F};
  robot.controller.SwapTo(wheels.pilot.get(), nullptr, robot.now);
  const Tick& tick = Ticks(robot, 1);
  ASSERT_EQ(tick.state, "NOMINAL");
  EXPECT_THAT(tick.enforced, ElementsAre(Near(10 * kStep * kStep), 0.0)) << "all that jerk allows";
}

TEST_F(ArmHandoverTest, AnArmWithMoreJointsIsFollowedInAllOfThem) {
  DrivenRobot robot(CarriedArm({"shoulder", "elbow"}));
  robot.unit.model->says = {0.5F, -0.5F};
  Ticks(robot, 40);
  tests::Unit other(std::string(64, 'c'), CarriedArm({"shoulder", "elbow", "wrist"}));
  other.model->says = {1.5F, -0.5F, 0.25F};
  q_ = {0.5, -0.5, 0.25};
  robot.controller.SwapTo(other.pilot.get(), nullptr, robot.now);
  EXPECT_THAT(Ticks(robot, 1).enforced,
              ElementsAre(Near(0.5 + 4 * kStep * kStep), Near(-0.5), Near(0.25)));
  const double before = Ticks(robot, 9).enforced[0];
  robot.estop = true;
  const Tick& tick = Ticks(robot, 1);
  EXPECT_NEAR(tick.enforced[0], before + (1 - 4 * kStep) * kStep, 1e-6) << "1 rad/s is braked";
  EXPECT_FALSE(tick.stop);
}

TEST_F(ArmHandoverTest, NothingIsWaitedForOfAnArmThatIsGone) {
  DrivenRobot robot(CarriedArm({"shoulder", "elbow"}));
  robot.unit.model->says = {0.5F, -0.5F};
  Ticks(robot, 40);
  robot.unit.model->says = {1.5F, -0.5F};
  Ticks(robot, 10);
  tests::Unit other(std::string(64, 'c'), CarriedArm({"shoulder", "elbow", "wrist"}));
  robot.controller.SwapTo(other.pilot.get(), nullptr, robot.now);
  robot.estop = true;
  const Tick& tick = Ticks(robot, 3);  // the third joint is never measured
  EXPECT_THAT(tick.enforced, IsEmpty());
  EXPECT_EQ(tick.state, "ESTOP_LATCHED") << "no joint is known to move";
}

TEST_F(ArmHandoverTest, TheSpeedOfTargetsIsThatOverThePeriodOfTheRules) {
  DrivenRobot robot(CarriedArm({"shoulder", "elbow"}, 10));
  robot.unit.model->says = {0.5F, -0.5F};
  const auto tick = [&]() -> const Tick& {
    robot.now += milliseconds(50);  // and the robot's own 50
    return Ticks(robot, 1);
  };
  for (int i = 0; i < 20; ++i) tick();
  robot.unit.model->says = {1.5F, -0.5F};
  for (int i = 0; i < 4; ++i) tick();
  const double before = tick().enforced[0];
  const double moving = tick().enforced[0] - before;
  ASSERT_NEAR(moving, 0.1, 1e-6) << "1 rad/s";
  robot.estop = true;
  EXPECT_NEAR(tick().enforced[0], before + moving + (1 - 4 * 0.1) * 0.1, 1e-6);
}

TEST_F(ArmHandoverTest, ALateTickBrakesTargetsForOnePeriod) {
  DrivenRobot robot(CarriedArm({"shoulder", "elbow"}));
  robot.unit.model->says = {0.5F, -0.5F};
  Ticks(robot, 40);
  robot.unit.model->says = {1.5F, -0.5F};
  const double before = Ticks(robot, 10).enforced[0];
  robot.estop = true;
  robot.now += milliseconds(50);
  EXPECT_NEAR(Ticks(robot, 1).enforced[0], before + (1 - 4 * kStep) * kStep, 1e-6);
}

}  // namespace
}  // namespace agent::runtime
