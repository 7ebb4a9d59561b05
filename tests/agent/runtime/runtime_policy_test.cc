#include <cmath>

#include "agent/runtime/policy.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/agent/runtime/policy_bounds.h"
#include "tests/support/status_matchers.h"

namespace agent::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;
using ::tests::Confidence;
using ::tests::NavPolicyDocument;
using ::tests::Nominal;
using ::tests::PolicyDefect;
using ::tests::StatusIs;
using ::tests::Touch;
namespace v1 = ::gatekeeper::v1;

TEST(PolicyTest, CompilesTheDemoRobotsPolicy) {
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(NavPolicyDocument()));
  EXPECT_EQ(policy.command().period, std::chrono::milliseconds(50));
  EXPECT_EQ(policy.nominal().vx_max_mps, 1.0);
  EXPECT_EQ(policy.envelope().size(), 2U);
  EXPECT_EQ(policy.separation().size(), 2U);
  EXPECT_EQ(policy.clamp_budget().window_ticks, 80U);
  EXPECT_EQ(policy.clamp_budget().max_clamped, 40U);
  EXPECT_THAT(policy.triggers(),
              ElementsAre("input_stale", "deadline_miss", "nonfinite", "policy_saturated",
                          "hardware_limit", "envelope_breach", "requirement_violated"));
  EXPECT_EQ(policy.FindInput("imu"), nullptr);
  EXPECT_EQ(policy.FindInput("scan")->max_age, std::chrono::milliseconds(250));
}

v1::ControlPolicy ArmPolicy() {
  v1::ControlPolicy policy = NavPolicyDocument();
  tests::MakeArm(policy, {"j1", "j2"});
  return policy;
}

TEST(PolicyTest, CompilesAnArm) {
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(ArmPolicy()));
  EXPECT_EQ(policy.command().type, CommandType::kJoints);
  EXPECT_EQ(policy.joints().size(), 2U);
}

class BadPolicyTest : public testing::TestWithParam<PolicyDefect> {};

TEST_P(BadPolicyTest, IsRefusedByThePathOfTheDefect) {
  v1::ControlPolicy policy = NavPolicyDocument();
  GetParam().seed(policy);
  EXPECT_THAT(Policy::Compile(policy),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith(std::string("[") + GetParam().path + "] ")));
}

using P = v1::ControlPolicy;
INSTANTIATE_TEST_SUITE_P(
    Header, BadPolicyTest,
    testing::Values(
        PolicyDefect{"schema", [](P& p) { p.set_schema("control_policy/2"); }},
        PolicyDefect{"id", [](P& p) { p.clear_id(); }},
        PolicyDefect{"version", [](P& p) { p.set_version(0); }},
        PolicyDefect{"robot_class", [](P& p) { p.set_robot_class("boat"); }},
        PolicyDefect{"units", [](P& p) { p.set_units("US"); }},
        PolicyDefect{"frames.site", [](P& p) { p.mutable_frames()->clear_site(); }},
        PolicyDefect{"command.rate_hz", [](P& p) { p.mutable_command()->set_rate_hz(0); }},
        PolicyDefect{"command.rate_hz", [](P& p) { p.mutable_command()->set_rate_hz(kNan); }},
        PolicyDefect{"command.rate_hz", [](P& p) { p.mutable_command()->set_rate_hz(1001); }},
        PolicyDefect{"command.type", [](P& p) { p.mutable_command()->set_type("wrench"); }},
        PolicyDefect{"command.fields", [](P& p) { p.mutable_command()->add_fields("vy_mps"); }}));

INSTANTIATE_TEST_SUITE_P(
    InputsAndDeadline, BadPolicyTest,
    testing::Values(
        PolicyDefect{"inputs", [](P& p) { p.clear_inputs(); }},
        PolicyDefect{"inputs",
                     [](P& p) {
                       for (auto& [name, rule] : *p.mutable_inputs()) rule.set_required(false);
                     }},
        PolicyDefect{"inputs",
                     [](P& p) {
                       for (int i = 0; i < 65; ++i) {
                         (*p.mutable_inputs())["s" + std::to_string(i)] = p.inputs().at("odom");
                       }
                     }},
        PolicyDefect{"inputs.scan.trigger",
                     [](P& p) { (*p.mutable_inputs())["scan"].clear_trigger(); }},
        PolicyDefect{"inputs.scan.max_age_ms",
                     [](P& p) { (*p.mutable_inputs())["scan"].set_max_age_ms(0); }},
        PolicyDefect{"inputs.scan.max_age_ms",
                     [](P& p) { (*p.mutable_inputs())["scan"].set_max_age_ms(86'400'001); }},
        PolicyDefect{"inputs.odom.max_future_ms",
                     [](P& p) { (*p.mutable_inputs())["odom"].set_max_future_ms(-1); }},
        PolicyDefect{"inputs.odom.stuck_after_ms",
                     [](P& p) { (*p.mutable_inputs())["odom"].set_stuck_after_ms(kNan); }},
        PolicyDefect{"inputs.scan.min_valid_fraction",
                     [](P& p) { (*p.mutable_inputs())["scan"].set_min_valid_fraction(1.1); }},
        PolicyDefect{"inputs.scan.min_valid_fraction",
                     [](P& p) { (*p.mutable_inputs())["scan"].set_min_valid_fraction(-0.1); }},
        PolicyDefect{"inputs.odom.min_valid_fraction",
                     [](P& p) { (*p.mutable_inputs())["odom"].set_min_valid_fraction(0.5); }},
        PolicyDefect{"deadline.hard_ms", [](P& p) { p.mutable_deadline()->set_hard_ms(0); }},
        PolicyDefect{"deadline.hard_ms", [](P& p) { p.mutable_deadline()->set_hard_ms(50); }},
        PolicyDefect{"deadline.max_consecutive",
                     [](P& p) { p.mutable_deadline()->set_max_consecutive(0); }},
        PolicyDefect{"deadline.window.n", [](P& p) { p.mutable_deadline()->clear_window(); }},
        PolicyDefect{"deadline.window.n",
                     [](P& p) { p.mutable_deadline()->mutable_window()->set_n(100'001); }},
        PolicyDefect{"deadline.window.max",
                     [](P& p) { p.mutable_deadline()->mutable_window()->set_max(200); }},
        PolicyDefect{"deadline.trigger", [](P& p) { p.mutable_deadline()->clear_trigger(); }},
        PolicyDefect{"output.nonfinite", [](P& p) { p.mutable_output()->set_nonfinite("pass"); }},
        PolicyDefect{"output.trigger", [](P& p) { p.mutable_output()->clear_trigger(); }}));

TEST(PolicyTest, TakesAConfidenceWithAGap) {
  P policy = NavPolicyDocument();
  Confidence(policy);
  ASSERT_OK_AND_ASSIGN(const Policy compiled, Policy::Compile(policy));
  EXPECT_EQ(compiled.confidence()->leave_hold, std::chrono::milliseconds(500));
}

INSTANTIATE_TEST_SUITE_P(
    Confidence, BadPolicyTest,
    testing::Values(PolicyDefect{"output.confidence.enter_below",
                                 [](P& p) { Confidence(p).set_enter_below(0); }},
                    PolicyDefect{"output.confidence.leave_above",
                                 [](P& p) { Confidence(p).set_leave_above(0.3); }},
                    PolicyDefect{"output.confidence.leave_above",
                                 [](P& p) { Confidence(p).set_leave_above(kInfinity); }},
                    PolicyDefect{"output.confidence.leave_hold_ms",
                                 [](P& p) { Confidence(p).set_leave_hold_ms(0); }},
                    PolicyDefect{"output.confidence.trigger",
                                 [](P& p) { Confidence(p).clear_trigger(); }}));

INSTANTIATE_TEST_SUITE_P(
    Limits, BadPolicyTest,
    testing::Values(
        PolicyDefect{"limits.nominal.vx_max_mps", [](P& p) { Nominal(p).clear_vx_max_mps(); }},
        PolicyDefect{"limits.nominal.vx_max_mps", [](P& p) { Nominal(p).set_vx_max_mps(0); }},
        PolicyDefect{"limits.nominal.vx_min_mps", [](P& p) { Nominal(p).clear_vx_min_mps(); }},
        PolicyDefect{"limits.nominal.vx_min_mps", [](P& p) { Nominal(p).set_vx_min_mps(0.1); }},
        PolicyDefect{"limits.nominal.vx_min_mps",
                     [](P& p) { Nominal(p).set_vx_min_mps(-kInfinity); }},
        PolicyDefect{"limits.nominal.wz_acc_max_radps2",
                     [](P& p) { Nominal(p).clear_wz_acc_max_radps2(); }},
        PolicyDefect{"limits.nominal.wz_acc_max_radps2",
                     [](P& p) { Nominal(p).set_wz_acc_max_radps2(-1); }},
        PolicyDefect{"limits.nominal.speed_points_mps",
                     [](P& p) { Nominal(p).clear_speed_points_mps(); }},
        PolicyDefect{"limits.nominal.speed_points_mps",
                     [](P& p) { Nominal(p).set_speed_points_mps(1, 0); }},
        PolicyDefect{"limits.nominal.speed_points_mps",
                     [](P& p) { Nominal(p).set_speed_points_mps(0, -0.1); }},
        PolicyDefect{"limits.nominal.speed_points_mps",
                     [](P& p) { Nominal(p).set_speed_points_mps(2, kNan); }},
        PolicyDefect{"limits.nominal.wz_abs_max_radps",
                     [](P& p) { Nominal(p).add_wz_abs_max_radps(1); }},
        PolicyDefect{"limits.nominal.wz_abs_max_radps",
                     [](P& p) { Nominal(p).set_wz_abs_max_radps(2, 1.6); }},
        PolicyDefect{"limits.nominal.acc_max_mps2",
                     [](P& p) { Nominal(p).set_acc_max_mps2(0, 0); }},
        PolicyDefect{"limits.nominal.dec_max_mps2", [](P& p) { Nominal(p).clear_dec_max_mps2(); }},
        PolicyDefect{"limits.transition.for_ms",
                     [](P& p) { p.mutable_limits()->clear_transition(); }},
        PolicyDefect{"limits.transition.vx_max_mps",
                     [](P& p) { p.mutable_limits()->mutable_transition()->set_vx_max_mps(1.1); }},
        PolicyDefect{"limits.transition.vx_max_mps",
                     [](P& p) { p.mutable_limits()->mutable_transition()->set_vx_max_mps(0); }},
        PolicyDefect{
            "limits.transition.acc_max_mps2",
            [](P& p) { p.mutable_limits()->mutable_transition()->set_acc_max_mps2(0, 0); }},
        PolicyDefect{
            "limits.transition.acc_max_mps2",
            [](P& p) { p.mutable_limits()->mutable_transition()->set_acc_max_mps2(0, 1.3); }},
        PolicyDefect{"limits.degraded.acc_max_mps2",
                     [](P& p) { p.mutable_limits()->mutable_degraded()->add_acc_max_mps2(1.1); }},
        PolicyDefect{"limits.degraded.vx_max_mps",
                     [](P& p) { p.mutable_limits()->mutable_degraded()->clear_vx_max_mps(); }},
        PolicyDefect{"limits.degraded.vx_max_mps",
                     [](P& p) { p.mutable_limits()->mutable_degraded()->set_vx_max_mps(1.1); }},
        PolicyDefect{"limits.degraded.vx_max_mps",
                     [](P& p) { p.mutable_limits()->mutable_degraded()->set_vx_max_mps(0); }},
        PolicyDefect{
            "limits.degraded.wz_abs_max_radps",
            [](P& p) { p.mutable_limits()->mutable_degraded()->add_wz_abs_max_radps(0.5); }},
        PolicyDefect{
            "limits.degraded.wz_abs_max_radps",
            [](P& p) { p.mutable_limits()->mutable_degraded()->set_wz_abs_max_radps(0, 1.6); }},
        PolicyDefect{
            "limits.degraded.wz_abs_max_radps",
            [](P& p) { p.mutable_limits()->mutable_degraded()->set_wz_abs_max_radps(0, -1); }},
        PolicyDefect{"limits.clamp_budget.window_s",
                     [](P& p) { p.mutable_limits()->clear_clamp_budget(); }},
        PolicyDefect{"limits.clamp_budget.window_s",
                     [](P& p) { p.mutable_limits()->mutable_clamp_budget()->set_window_s(1e6); }},
        PolicyDefect{"limits.clamp_budget.window_s",
                     [](P& p) { p.mutable_limits()->mutable_clamp_budget()->set_window_s(0.02); }},
        PolicyDefect{
            "limits.clamp_budget.max_fraction",
            [](P& p) { p.mutable_limits()->mutable_clamp_budget()->set_max_fraction(-0.1); }},
        PolicyDefect{"limits.clamp_budget.max_fraction",
                     [](P& p) { p.mutable_limits()->mutable_clamp_budget()->set_max_fraction(1); }},
        PolicyDefect{"limits.clamp_budget.trigger",
                     [](P& p) { p.mutable_limits()->mutable_clamp_budget()->clear_trigger(); }},
        PolicyDefect{"joints", [](P& p) { (*p.mutable_joints())["j1"].set_q_max_rad(1); }}));

v1::EnvelopeZone& Hall(P& p) { return *p.mutable_envelope(0); }
v1::EnvelopeZone& Stairs(P& p) { return *p.mutable_envelope(1); }
v1::BodyZone& NearZone(P& p) { return *p.mutable_separation()->mutable_zones(1); }
v1::EnvelopeZone& SpeedZone(P& p) {
  v1::EnvelopeZone& zone = Stairs(p);
  zone.set_kind("speed");
  zone.clear_trigger();
  zone.set_vx_max_mps(0.3);
  return zone;
}

INSTANTIATE_TEST_SUITE_P(
    Zones, BadPolicyTest,
    testing::Values(
        PolicyDefect{"envelope", [](P& p) { (*p.mutable_inputs())["odom"].set_required(false); }},
        PolicyDefect{"envelope",
                     [](P& p) {
                       for (int i = 0; i < 63; ++i) *p.add_envelope() = Hall(p);
                     }},
        PolicyDefect{"envelope[0].id", [](P& p) { Hall(p).clear_id(); }},
        PolicyDefect{"envelope[0].id", [](P& p) { Stairs(p).set_id("hall"); }},
        PolicyDefect{"envelope[0].kind", [](P& p) { Hall(p).set_kind("keepout"); }},
        PolicyDefect{"envelope[0].frame", [](P& p) { Hall(p).set_frame("odom"); }},
        PolicyDefect{"envelope[0].margin_m", [](P& p) { Hall(p).set_margin_m(0); }},
        PolicyDefect{"envelope[0].margin_m", [](P& p) { Hall(p).set_margin_m(kNan); }},
        PolicyDefect{"envelope[0].trigger", [](P& p) { Hall(p).clear_trigger(); }},
        PolicyDefect{"envelope[0].vx_max_mps", [](P& p) { Hall(p).set_vx_max_mps(1); }},
        PolicyDefect{"envelope[0]", [](P& p) { Hall(p).mutable_circle_m()->set_r(1); }},
        PolicyDefect{"envelope[0]", [](P& p) { Hall(p).clear_polygon_m(); }},
        PolicyDefect{"envelope[0].polygon_m",
                     [](P& p) { Hall(p).mutable_polygon_m(0)->set_x(kNan); }},
        PolicyDefect{"envelope[0].polygon_m",
                     [](P& p) { Hall(p).mutable_polygon_m(0)->set_y(kInfinity); }},
        PolicyDefect{"envelope[0].polygon_m",
                     [](P& p) { Hall(p).mutable_polygon_m()->SwapElements(0, 1); }},
        PolicyDefect{"envelope[0].polygon_m",
                     [](P& p) {
                       for (int i = 0; i < 300; ++i)
                         *Hall(p).add_polygon_m() = Hall(p).polygon_m(0);
                     }},
        PolicyDefect{"envelope[1].circle_m.r",
                     [](P& p) { Stairs(p).mutable_circle_m()->set_r(0); }},
        PolicyDefect{"envelope[1].circle_m.c",
                     [](P& p) { Stairs(p).mutable_circle_m()->mutable_c()->set_y(kNan); }},
        PolicyDefect{"envelope[1].trigger", [](P& p) { SpeedZone(p).set_trigger("x"); }},
        PolicyDefect{"envelope[1].vx_max_mps", [](P& p) { SpeedZone(p).clear_vx_max_mps(); }},
        PolicyDefect{"envelope[1].vx_max_mps", [](P& p) { SpeedZone(p).set_vx_max_mps(-1); }},
        PolicyDefect{"separation.zones[0].id", [](P& p) { NearZone(p).set_id("touch"); }},
        PolicyDefect{"separation.zones[0]",
                     [](P& p) {
                       Touch(p).clear_polygon_m();
                       Touch(p).clear_circle_m();
                     }},
        PolicyDefect{"separation.zones[0].action", [](P& p) { Touch(p).set_action("honk"); }},
        PolicyDefect{"separation.zones[0].source", [](P& p) { Touch(p).set_source("odom"); }},
        PolicyDefect{"separation.zones[0].source",
                     [](P& p) { (*p.mutable_inputs())["scan"].set_required(false); }},
        PolicyDefect{"separation.zones[0].min_points", [](P& p) { Touch(p).set_min_points(0); }},
        PolicyDefect{"separation.zones[0].trigger_consecutive",
                     [](P& p) { Touch(p).set_trigger_consecutive(0); }},
        PolicyDefect{"separation.zones[0].release_consecutive",
                     [](P& p) { Touch(p).set_release_consecutive(0); }},
        PolicyDefect{"separation.zones[0].vx_max_mps", [](P& p) { Touch(p).set_vx_max_mps(0.1); }},
        PolicyDefect{"separation.zones[1].vx_max_mps",
                     [](P& p) { NearZone(p).clear_vx_max_mps(); }},
        PolicyDefect{"separation.zones[1].vx_max_mps",
                     [](P& p) { NearZone(p).set_vx_max_mps(kNan); }},
        PolicyDefect{"separation.zones", [](P& p) {
                       for (int i = 0; i < 63; ++i) *p.mutable_separation()->add_zones() = Touch(p);
                     }}));

TEST(PolicyTest, TakesACircleAsAZoneAroundTheRobot) {
  P policy = NavPolicyDocument();
  Touch(policy).clear_polygon_m();
  Touch(policy).mutable_circle_m()->mutable_c()->set_x(0.2);
  Touch(policy).mutable_circle_m()->set_r(0.4);
  ASSERT_OK_AND_ASSIGN(const Policy compiled, Policy::Compile(policy));
  EXPECT_TRUE(compiled.separation()[0].region.Contains({0.59, 0}));
  EXPECT_FALSE(compiled.separation()[0].region.Contains({0.61, 0}));
}

class BadArmTest : public testing::TestWithParam<PolicyDefect> {};

TEST_P(BadArmTest, IsRefusedByThePathOfTheDefect) {
  v1::ControlPolicy policy = ArmPolicy();
  GetParam().seed(policy);
  EXPECT_THAT(Policy::Compile(policy),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith(std::string("[") + GetParam().path + "] ")));
}

INSTANTIATE_TEST_SUITE_P(
    Arm, BadArmTest,
    testing::Values(
        PolicyDefect{"inputs", [](P& p) { p.mutable_inputs()->erase("joints"); }},
        PolicyDefect{"command.fields", [](P& p) { p.mutable_command()->clear_fields(); }},
        PolicyDefect{"command.fields", [](P& p) { p.mutable_command()->add_fields("j1"); }},
        PolicyDefect{"command.fields", [](P& p) { p.mutable_command()->add_fields(""); }},
        PolicyDefect{"command.fields",
                     [](P& p) {
                       for (size_t i = 0; i < kMaxJoints; ++i) {
                         p.mutable_command()->add_fields("extra" + std::to_string(i));
                       }
                     }},
        PolicyDefect{"joints", [](P& p) { p.mutable_command()->add_fields("j3"); }},
        PolicyDefect{"joints", [](P& p) { (*p.mutable_joints())["j3"] = p.joints().at("j1"); }},
        PolicyDefect{"joints.j1.q_max_rad",
                     [](P& p) { (*p.mutable_joints())["j1"].set_q_max_rad(-1); }},
        PolicyDefect{"joints.j1.q_max_rad",
                     [](P& p) { (*p.mutable_joints())["j1"].set_q_max_rad(kInfinity); }},
        PolicyDefect{"joints.j1.q_max_rad",
                     [](P& p) { (*p.mutable_joints())["j1"].set_q_min_rad(-kInfinity); }},
        PolicyDefect{"joints.j2.qd_abs_max_radps",
                     [](P& p) { (*p.mutable_joints())["j2"].set_qd_abs_max_radps(0); }},
        PolicyDefect{"limits", [](P& p) { Nominal(p).set_vx_max_mps(1); }},
        PolicyDefect{"limits", [](P& p) { p.mutable_limits()->mutable_transition(); }},
        PolicyDefect{"limits", [](P& p) { p.mutable_limits()->mutable_degraded(); }},
        PolicyDefect{"envelope[0].z_m",
                     [](P& p) { *p.add_envelope() = NavPolicyDocument().envelope(0); }},
        PolicyDefect{"separation",
                     [](P& p) { *p.mutable_separation() = NavPolicyDocument().separation(); }}));

}  // namespace
}  // namespace agent::runtime
