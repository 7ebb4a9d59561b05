#include "agent/runtime/arm_contact.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/arm_world.h"
#include "tests/agent/runtime/policy_bounds.h"
#include "tests/support/status_matchers.h"

// What a policy for an arm must say, and what counts as a contact.

namespace agent::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::tests::PolicyDefect;
using ::tests::StatusIs;

// --- contact

class ContactTest : public ArmTest {
 protected:
  ContactTest() {
    Compile([](P& p) {
      (*p.mutable_joints())["j2"].set_tau_abs_max_nm(20);
      p.mutable_arm()->set_contact_trigger("contact");
    });
  }
  TriggerMask Feel(std::initializer_list<double> torques) {
    v1::JointState joints;
    for (double tau : torques) joints.add_tau_nm(tau);
    reasons_.clear();
    return Contacts(*policy_, joints, reasons_);
  }
  std::vector<std::string_view> reasons_;
};

TEST_F(ContactTest, IsATorqueBeyondTheLimit) {
  EXPECT_EQ(Feel({900, 20}), 0U) << "j1 has no limit";
  EXPECT_EQ(Feel({0, -20}), 0U);
  EXPECT_EQ(Feel({0, 20.01}), MaskOf(*policy_->arm().contact_trigger));
  EXPECT_THAT(reasons_, ElementsAre("contact:j2"));
  EXPECT_NE(Feel({0, -20.01}), 0U);
  EXPECT_NE(Feel({0, kNan}), 0U);
}

TEST_F(ContactTest, IsOneOfTheFirstJointToo) {
  Compile([](P& p) {
    (*p.mutable_joints())["j1"].set_tau_abs_max_nm(20);
    p.mutable_arm()->set_contact_trigger("contact");
  });
  EXPECT_EQ(Feel({20, 900}), 0U) << "j2 has no limit";
  EXPECT_EQ(Feel({20.01, 0}), MaskOf(*policy_->arm().contact_trigger));
  EXPECT_THAT(reasons_, ElementsAre("contact:j1"));
}

TEST_F(ContactTest, AMeasurementWithoutTorquesIsAFaultOfTheInput) {
  EXPECT_EQ(Feel({}), MaskOf(policy_->FindInput("joints")->trigger));
  EXPECT_THAT(reasons_, ElementsAre("input:joints:no_torque"));
  EXPECT_EQ(Feel({1}), MaskOf(policy_->FindInput("joints")->trigger));
  Compile([](P&) {});
  EXPECT_EQ(Feel({}), 0U) << "nobody limits them";
}

// --- what is refused at compile

class BadArmRuleTest : public testing::TestWithParam<PolicyDefect> {};

TEST_P(BadArmRuleTest, IsRefusedByThePathOfTheDefect) {
  P policy = TwoLinks();
  GetParam().seed(policy);
  EXPECT_THAT(Policy::Compile(policy).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith(std::string("[") + GetParam().path + "] ")));
}

v1::JointLimit& J1(P& p) { return (*p.mutable_joints())["j1"]; }

INSTANTIATE_TEST_SUITE_P(
    Arm, BadArmRuleTest,
    testing::Values(
        PolicyDefect{"joints.j1.qdd_abs_max_radps2", [](P& p) { J1(p).set_qdd_abs_max_radps2(0); }},
        PolicyDefect{"joints.j1.qddd_abs_max_radps3",
                     [](P& p) { J1(p).set_qddd_abs_max_radps3(0); }},
        PolicyDefect{"joints.j1.tau_abs_max_nm", [](P& p) { J1(p).set_tau_abs_max_nm(-1); }},
        PolicyDefect{"arm.chain", [](P& p) { p.clear_arm(); }},
        PolicyDefect{"arm.chain", [](P& p) { p.mutable_arm()->add_chain(); }},
        PolicyDefect{"arm.chain",
                     [](P& p) {
                       for (int i = 0; i < 2; ++i) p.mutable_arm()->mutable_chain(i)->set_a_m(0);
                     }},
        PolicyDefect{"arm.chain[1]",
                     [](P& p) { p.mutable_arm()->mutable_chain(1)->set_a_m(kNan); }},
        PolicyDefect{"arm.chain[1]",
                     [](P& p) { p.mutable_arm()->mutable_chain(1)->set_alpha_rad(kNan); }},
        PolicyDefect{"arm.chain[0]",
                     [](P& p) { p.mutable_arm()->mutable_chain(0)->set_d_m(kNan); }},
        PolicyDefect{"arm.chain[0]",
                     [](P& p) { p.mutable_arm()->mutable_chain(0)->set_theta_offset_rad(kNan); }},
        PolicyDefect{"arm.tcp_v_max_mps", [](P& p) { p.mutable_arm()->set_tcp_v_max_mps(0); }},
        PolicyDefect{"arm.degraded_scale", [](P& p) { p.mutable_arm()->set_degraded_scale(0); }},
        PolicyDefect{"arm.degraded_scale", [](P& p) { p.mutable_arm()->set_degraded_scale(1.01); }},
        PolicyDefect{"arm.transition_for_ms",
                     [](P& p) { p.mutable_arm()->set_transition_for_ms(0); }},
        PolicyDefect{"arm.contact_trigger", [](P& p) { J1(p).set_tau_abs_max_nm(10); }},
        PolicyDefect{"arm.contact_trigger",
                     [](P& p) { p.mutable_arm()->set_contact_trigger("contact"); }},
        PolicyDefect{"footprint",
                     [](P& p) { p.mutable_footprint()->mutable_circle_m()->set_r(0.2); }},
        PolicyDefect{"envelope[0].pose_sigmas",
                     [](P& p) {
                       p.mutable_arm()->set_tcp_v_max_mps(1);
                       AddBox(p, "inclusion", {-1, -1}, {1, 1}, {0, 1}).set_pose_sigmas(2);
                     }},
        PolicyDefect{"envelope[0].margin_m", [](P& p) {
                       p.mutable_arm()->set_tcp_v_max_mps(1.5);  // 7.5 cm a tick
                       AddBox(p, "inclusion", {-1, -1}, {1, 1}, {0, 1}).set_margin_m(0.037);
                     }}));

TEST(ArmRuleTest, BelongsToArmsOnly) {
  P policy = tests::NavPolicyDocument();
  policy.mutable_arm()->set_tcp_v_max_mps(1);
  EXPECT_THAT(Policy::Compile(policy).status(),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[arm] ")));
}

TEST(ArmRuleTest, TellsBothEndsOfARangeThatIsNone) {
  P policy = TwoLinks();
  J1(policy).set_q_min_rad(0.75);
  J1(policy).set_q_max_rad(0.5);
  EXPECT_THAT(Policy::Compile(policy).status(),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("must be above q_min_rad (0.75), is 0.5")));
}

TEST(ArmRuleTest, ALinkMayBeALengthAlongItsAxisAlone) {
  P policy = TwoLinks();
  for (int i = 0; i < 2; ++i) {
    policy.mutable_arm()->mutable_chain(i)->set_a_m(0);
    policy.mutable_arm()->mutable_chain(i)->set_d_m(0.3);
  }
  EXPECT_OK(Policy::Compile(policy).status());
}

TEST_F(ContactTest, ARaisedInputIsThatOfTheJoints) {
  for (const char* trigger : {"input_stale", "model_failed"}) {
    Compile([&](P& p) {
      (*p.mutable_joints())["j2"].set_tau_abs_max_nm(20);
      p.mutable_arm()->set_contact_trigger("contact");
      (*p.mutable_inputs())["joints"].set_trigger(trigger);
    });
    const TriggerMask raised = Feel({});
    EXPECT_EQ(raised, MaskOf(policy_->FindInput("joints")->trigger));
    EXPECT_EQ(policy_->triggers().at(policy_->arm().joints_trigger), trigger);
  }
}

TEST(ArmRuleTest, ALongStopIsLookedAtInStrides) {
  P policy = TwoLinks();
  EXPECT_EQ(TicksALook(*Policy::Compile(policy)), 1);
  J1(policy).set_qdd_abs_max_radps2(1 / (0.05 * 63.5));
  EXPECT_EQ(TicksALook(*Policy::Compile(policy)), 1) << "64 looks";
  J1(policy).set_qdd_abs_max_radps2(1 / (0.05 * 64.5));
  EXPECT_EQ(TicksALook(*Policy::Compile(policy)), 2);
  J1(policy).set_qdd_abs_max_radps2(0.15);  // 133 ticks from 1 rad/s
  EXPECT_EQ(TicksALook(*Policy::Compile(policy)), 3);
}

}  // namespace
}  // namespace agent::runtime
