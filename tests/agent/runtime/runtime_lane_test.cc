#include "agent/runtime/controller.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"

// The shipped lane follower: its three files fit together, and what they say is what a tug does.

namespace agent::runtime {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
namespace v1 = ::gatekeeper::v1;

void MakeTug(v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
  policy = tests::Document<v1::ControlPolicy>("lane/control_policy.yaml", "control_policy/1");
  rules = tests::Document<v1::FallbackRules>("lane/fallback_rules.yaml", "fallback_rules/1");
  card = tests::Document<v1::ModelCard>("lane/card.yaml", "model_card/1");
}

class LaneTest : public testing::Test {
 protected:
  LaneTest() {
    controller_.SwapTo(unit_.pilot.get(), nullptr, now_);
    Say(1.5F, 0);
  }

  void Say(float vx, float wz, float confidence = 0.9F, float uncertainty = 0.02F) {
    unit_.model->says = {vx, wz, confidence, uncertainty};
  }
  // The tug follows what it is told, along the lane.
  const Tick& Ticks(int count) {
    const Tick* tick = nullptr;
    for (int i = 0; i < count; ++i) {
      now_ += std::chrono::milliseconds(50);
      x_m_ += vx_mps_ * 0.05;
      controller_.Observe(Packet(), now_);
      controller_.SetSignal("soc_temp_degC", 50, now_);
      tick = &controller_.Step(now_);
      vx_mps_ = tick->enforced[0];
    }
    return *tick;
  }
  v1::Observation Packet() const {
    v1::Observation packet;
    packet.set_stamp_ns(now_.count());
    packet.set_want_command(true);
    packet.set_network_up(true);
    v1::LaserScan& scan = *packet.mutable_scan();
    scan.set_angle_min_rad(-2.3);
    scan.set_angle_increment_rad(0.046);
    for (int i = 0; i <= 100; ++i) scan.add_ranges_m(nearest_m_);
    v1::Odometry& odom = *packet.mutable_odom();
    odom.set_x_m(x_m_);
    odom.set_y_m(1.5);
    odom.set_vx_mps(vx_mps_);
    if (sigma_) odom.set_pose_sigma_m(0.03);
    v1::Image& image = *packet.mutable_image();
    image.set_width(80);
    image.set_height(30);
    image.set_encoding("mono8");
    image.set_data(std::string(80 * 30, '\x40'));
    return packet;
  }

  tests::Unit unit_{std::string(64, 'a'), MakeTug};
  Controller controller_{LatchState{}};
  Nanos now_ = tests::kStartOfTime;
  double x_m_ = 2;
  double vx_mps_ = 0;
  float nearest_m_ = 12;
  bool sigma_ = true;
};

TEST_F(LaneTest, ReachesFullSpeedOnAFreeLaneAndBrakesForTheGate) {
  Ticks(200);
  EXPECT_NEAR(vx_mps_, 1.5, 1e-6);
  while (x_m_ < 22.2) Ticks(1);  // its nose is half a metre before the gate, as the zone's margin
  EXPECT_LE(vx_mps_, 0.4 + 1e-6);
  const Tick& tick = Ticks(1);
  EXPECT_THAT(tick.reasons, Contains("speed_zone:gate"));
}

TEST_F(LaneTest, SlowsForAPersonAndStandsBeforeOne) {
  Ticks(150);
  nearest_m_ = 1.37F + 1.55F;  // from the nose's corner: 0.5 m/s by hand
  const Tick& slow = Ticks(1);
  EXPECT_THAT(slow.reasons, Contains("ssm"));
  EXPECT_LT(slow.enforced[0], 0.6);
  EXPECT_GT(slow.enforced[0], 0.4);
  EXPECT_EQ(slow.state, "NOMINAL") << "a person in the way is no fault";
  nearest_m_ = 2.0F;
  EXPECT_THAT(Ticks(1).enforced, ElementsAre(0, 0));
}

TEST_F(LaneTest, AnUnsureModelIsDrivenSlowly) {
  Ticks(150);
  Say(1.5F, 0, 0.3F);
  EXPECT_THAT(Ticks(1).triggers, ElementsAre("low_confidence"));
  Say(1.5F, 0, 0.9F, 0.2F);
  EXPECT_THAT(Ticks(1).triggers, Contains("high_uncertainty"));
  EXPECT_EQ(Ticks(30).state, "DEGRADED");
  EXPECT_NEAR(vx_mps_, 0.5, 1e-6);
}

TEST_F(LaneTest, APoseThatDoesNotTellHowSureItIsIsNone) {
  Ticks(150);
  sigma_ = false;
  EXPECT_THAT(Ticks(1).reasons, Contains("envelope:no_pose"));
  Ticks(30);
  EXPECT_EQ(vx_mps_, 0);
}

}  // namespace
}  // namespace agent::runtime
