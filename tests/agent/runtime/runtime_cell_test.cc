#include <cmath>
#include <random>

#include "agent/runtime/controller.h"
#include "agent/runtime/tool_point.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/cases.h"
#include "tests/support/status_matchers.h"

// The shipped manipulator cell: its three files fit together, and the arm that is driven by them
// keeps to its table whatever the model says.

namespace agent::runtime {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
namespace v1 = ::gatekeeper::v1;

void MakeCell(v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
  policy = tests::Document<v1::ControlPolicy>("cell/control_policy.yaml", "control_policy/1");
  rules = tests::Document<v1::FallbackRules>("cell/fallback_rules.yaml", "fallback_rules/1");
  card = tests::Document<v1::ModelCard>("cell/card.yaml", "model_card/1");
}

// The fingers over the middle of the table, pointing down.
const std::vector<double> kHome = {0, 1.2, -1.8, -0.97, -1.57, 0};

class CellTest : public testing::Test {
 protected:
  CellTest() { controller_.SwapTo(unit_.pilot.get(), nullptr, now_); }

  void Say(const std::vector<double>& targets, float confidence = 0.9F) {
    unit_.model->says.assign(targets.begin(), targets.end());
    unit_.model->says.push_back(confidence);
  }
  // The drives have followed; the newest picture is here.
  const Tick& Ticks(int count) {
    const Tick* tick = nullptr;
    for (int i = 0; i < count; ++i) {
      now_ += std::chrono::milliseconds(20);
      v1::Observation packet;
      packet.set_stamp_ns(now_.count());
      packet.set_want_command(true);
      packet.set_network_up(true);
      packet.set_estop_pressed(estop_);
      for (size_t j = 0; j < at_.size(); ++j) {
        packet.mutable_joints()->add_q_rad(at_[j]);
        packet.mutable_joints()->add_qd_radps(0);
        if (torques_) packet.mutable_joints()->add_tau_nm(torque_);
      }
      v1::Image& image = *packet.mutable_image();
      image.set_width(64);
      image.set_height(64);
      image.set_encoding("mono8");
      image.set_data(std::string(64 * 64, '\x40'));
      controller_.Observe(packet, now_);
      tick = &controller_.Step(now_);
      if (!tick->enforced.empty()) at_ = tick->enforced;
    }
    return *tick;
  }
  Vec3 Tool() const { return ToolPoint(policy().arm().chain, at_); }
  const Policy& policy() const { return unit_.pilot->rules->policy; }

  tests::Unit unit_{std::string(64, 'c'), MakeCell};
  Controller controller_{LatchState{}};
  Nanos now_ = tests::kStartOfTime;
  std::vector<double> at_ = kHome;
  double torque_ = 5;
  bool torques_ = true;
  bool estop_ = false;
};

TEST_F(CellTest, StartsAtHomeAndGoesWhereTheModelSays) {
  Say(kHome);
  const Tick& tick = Ticks(120);
  EXPECT_EQ(tick.state, "NOMINAL");
  EXPECT_GT(tick.clearance_m, 0.2);
  std::vector<double> over_vice = kHome;
  over_vice[0] = 0.9;
  Say(over_vice);
  Ticks(400);
  EXPECT_NEAR(at_[0], 0.9, 1e-6);
}

TEST_F(CellTest, NoTargetLeavesTheTableTouchesTheViceOrIsTooFast) {
  std::mt19937_64 random(1);
  const auto in = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random() >> 11) * 0x1p-53;
  };
  double nearest = 1;
  for (int run = 0; run < std::max(3, tests::Cases(60)); ++run) {
    std::vector<double> goal = kHome;
    for (double& q : goal) q += in(-1.5, 1.5);
    Say(goal);
    for (int tick = 0; tick < 100; ++tick) {
      const Vec3 before = Tool();
      Ticks(1);
      const Vec3 after = Tool();
      ASSERT_LE(Distance(before, after), 0.25 * 0.02 * 1.001);
      const double clearance = ToolClearanceM(policy(), at_);
      ASSERT_GT(clearance, 0.025) << run;
      nearest = std::min(nearest, clearance);
      if (after.x > 0.30 && after.y < -0.35) {
        ASSERT_LE(Distance(before, after), 0.1 * 0.02 * 1.001) << "beside a hand";
      }
    }
  }
  if (tests::Cases(60) == 60) {  // a few drives need not come that near
    EXPECT_LT(nearest, 0.04) << "it was driven against its edges";
  }
}

TEST_F(CellTest, AContactBrakesEveryJointAndStands) {
  std::vector<double> goal = kHome;
  goal[0] = 1.5;
  Say(goal);
  Ticks(150);
  torque_ = 16;  // the wrist feels something
  std::vector<double> before = at_;
  const Tick& first = Ticks(1);
  EXPECT_EQ(first.state, "CONTROLLED_STOP");
  EXPECT_THAT(first.triggers, ElementsAre("contact"));
  EXPECT_THAT(first.reasons, Contains("contact:wrist_1"));
  EXPECT_NE(at_[0], before[0]) << "no joint jumps to a halt";
  const Tick& stands = Ticks(25);
  EXPECT_EQ(stands.state, "SAFE_STOPPED");
  EXPECT_TRUE(stands.stop);
  before = at_;
  torque_ = 5;
  Ticks(100);
  EXPECT_EQ(at_, before) << "until an operator has looked";
}

TEST_F(CellTest, AnArmThatFeelsNothingIsNotDriven) {
  Say(kHome);
  Ticks(10);
  torques_ = false;
  const Tick& tick = Ticks(1);
  EXPECT_THAT(tick.triggers, ElementsAre("input_stale"));
  EXPECT_THAT(tick.reasons, Contains("input:joints:no_torque"));
}

TEST_F(CellTest, AToolWhereItCannotBeIsAnEmergency) {
  Say(kHome);
  Ticks(10);
  at_ = {1.57, 0.2, -0.2, 0, 1.57, 0};  // stretched out over the table's edge
  const Tick& tick = Ticks(1);
  EXPECT_THAT(tick.triggers, Contains("envelope_breach"));
  EXPECT_LT(tick.clearance_m, 0);
  Ticks(40);
  EXPECT_TRUE(controller_.latch().latched);
}

TEST_F(CellTest, AModelThatIsUnsureIsDrivenSlowly) {
  Say(kHome);
  Ticks(120);
  std::vector<double> goal = kHome;
  goal[0] = 1.5;
  Say(goal, 0.1F);
  Ticks(50);
  const Vec3 before = Tool();
  const Tick& tick = Ticks(1);
  EXPECT_EQ(tick.state, "DEGRADED");
  EXPECT_NEAR(Distance(before, Tool()), 0.1 * 0.02, 1e-4);
}

TEST_F(CellTest, AnEmergencyStopBrakesAndLatches) {
  std::vector<double> goal = kHome;
  goal[0] = 1.5;
  Say(goal);
  Ticks(150);
  estop_ = true;
  EXPECT_EQ(Ticks(1).state, "EMERGENCY_STOP");
  const Tick& tick = Ticks(25);
  EXPECT_EQ(tick.state, "ESTOP_LATCHED");
  EXPECT_TRUE(controller_.latch().latched);
}

}  // namespace
}  // namespace agent::runtime
