#include <cmath>
#include <limits>

#include "agent/runtime/policy.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/status_matchers.h"

namespace agent::runtime {
namespace {

using ::testing::ElementsAre;
using ::testing::StartsWith;
using ::tests::NavPolicyDocument;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();

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

struct Defect {
  const char* path;  // that the message begins with
  void (*seed)(v1::ControlPolicy&);
};

void PrintTo(const Defect& defect, std::ostream* out) { *out << defect.path; }

class BadPolicyTest : public testing::TestWithParam<Defect> {};

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
    testing::Values(Defect{"schema", [](P& p) { p.set_schema("control_policy/2"); }},
                    Defect{"id", [](P& p) { p.clear_id(); }},
                    Defect{"version", [](P& p) { p.set_version(0); }},
                    Defect{"robot_class", [](P& p) { p.set_robot_class("boat"); }},
                    Defect{"units", [](P& p) { p.set_units("US"); }},
                    Defect{"frames.site", [](P& p) { p.mutable_frames()->clear_site(); }},
                    Defect{"command.rate_hz", [](P& p) { p.mutable_command()->set_rate_hz(0); }},
                    Defect{"command.rate_hz", [](P& p) { p.mutable_command()->set_rate_hz(kNan); }},
                    Defect{"command.rate_hz", [](P& p) { p.mutable_command()->set_rate_hz(1001); }},
                    Defect{"command.type", [](P& p) { p.mutable_command()->set_type("wrench"); }},
                    Defect{"command.fields",
                           [](P& p) { p.mutable_command()->add_fields("vy_mps"); }}));

INSTANTIATE_TEST_SUITE_P(
    InputsAndDeadline, BadPolicyTest,
    testing::Values(
        Defect{"inputs", [](P& p) { p.clear_inputs(); }},
        Defect{"inputs",
               [](P& p) {
                 for (auto& [name, rule] : *p.mutable_inputs()) rule.set_required(false);
               }},
        Defect{"inputs",
               [](P& p) {
                 for (int i = 0; i < 65; ++i) {
                   (*p.mutable_inputs())["s" + std::to_string(i)] = p.inputs().at("odom");
                 }
               }},
        Defect{"inputs.scan.trigger", [](P& p) { (*p.mutable_inputs())["scan"].clear_trigger(); }},
        Defect{"inputs.scan.max_age_ms",
               [](P& p) { (*p.mutable_inputs())["scan"].set_max_age_ms(0); }},
        Defect{"inputs.scan.max_age_ms",
               [](P& p) { (*p.mutable_inputs())["scan"].set_max_age_ms(86'400'001); }},
        Defect{"inputs.odom.max_future_ms",
               [](P& p) { (*p.mutable_inputs())["odom"].set_max_future_ms(-1); }},
        Defect{"inputs.odom.stuck_after_ms",
               [](P& p) { (*p.mutable_inputs())["odom"].set_stuck_after_ms(kNan); }},
        Defect{"inputs.scan.min_valid_fraction",
               [](P& p) { (*p.mutable_inputs())["scan"].set_min_valid_fraction(1.1); }},
        Defect{"inputs.scan.min_valid_fraction",
               [](P& p) { (*p.mutable_inputs())["scan"].set_min_valid_fraction(-0.1); }},
        Defect{"inputs.odom.min_valid_fraction",
               [](P& p) { (*p.mutable_inputs())["odom"].set_min_valid_fraction(0.5); }},
        Defect{"deadline.hard_ms", [](P& p) { p.mutable_deadline()->set_hard_ms(0); }},
        Defect{"deadline.hard_ms", [](P& p) { p.mutable_deadline()->set_hard_ms(50); }},
        Defect{"deadline.max_consecutive",
               [](P& p) { p.mutable_deadline()->set_max_consecutive(0); }},
        Defect{"deadline.window.n", [](P& p) { p.mutable_deadline()->clear_window(); }},
        Defect{"deadline.window.n",
               [](P& p) { p.mutable_deadline()->mutable_window()->set_n(100'001); }},
        Defect{"deadline.window.max",
               [](P& p) { p.mutable_deadline()->mutable_window()->set_max(200); }},
        Defect{"deadline.trigger", [](P& p) { p.mutable_deadline()->clear_trigger(); }},
        Defect{"output.nonfinite", [](P& p) { p.mutable_output()->set_nonfinite("pass"); }},
        Defect{"output.trigger", [](P& p) { p.mutable_output()->clear_trigger(); }}));

void AddConfidence(P& p) {
  v1::Confidence& confidence = *p.mutable_output()->mutable_confidence();
  confidence.set_enter_below(0.3);
  confidence.set_leave_above(0.5);
  confidence.set_leave_hold_ms(500);
  confidence.set_trigger("low_confidence");
}

TEST(PolicyTest, TakesAConfidenceWithAGap) {
  P policy = NavPolicyDocument();
  AddConfidence(policy);
  ASSERT_OK_AND_ASSIGN(const Policy compiled, Policy::Compile(policy));
  EXPECT_EQ(compiled.confidence()->leave_hold, std::chrono::milliseconds(500));
}

template <class Edit>
void Confidence(P& p, Edit edit) {
  AddConfidence(p);
  edit(*p.mutable_output()->mutable_confidence());
}

INSTANTIATE_TEST_SUITE_P(
    Confidence, BadPolicyTest,
    testing::Values(Defect{"output.confidence.enter_below",
                           [](P& p) { Confidence(p, [](auto& c) { c.set_enter_below(0); }); }},
                    Defect{"output.confidence.leave_above",
                           [](P& p) { Confidence(p, [](auto& c) { c.set_leave_above(0.3); }); }},
                    Defect{"output.confidence.leave_above",
                           [](P& p) { Confidence(p, [](auto& c) { c.set_leave_above(kInf); }); }},
                    Defect{"output.confidence.leave_hold_ms",
                           [](P& p) { Confidence(p, [](auto& c) { c.set_leave_hold_ms(0); }); }},
                    Defect{"output.confidence.trigger",
                           [](P& p) { Confidence(p, [](auto& c) { c.clear_trigger(); }); }}));

v1::LimitSet& Nominal(P& p) { return *p.mutable_limits()->mutable_nominal(); }

INSTANTIATE_TEST_SUITE_P(
    Limits, BadPolicyTest,
    testing::Values(
        Defect{"limits.nominal.vx_max_mps", [](P& p) { Nominal(p).clear_vx_max_mps(); }},
        Defect{"limits.nominal.vx_max_mps", [](P& p) { Nominal(p).set_vx_max_mps(0); }},
        Defect{"limits.nominal.vx_min_mps", [](P& p) { Nominal(p).clear_vx_min_mps(); }},
        Defect{"limits.nominal.vx_min_mps", [](P& p) { Nominal(p).set_vx_min_mps(0.1); }},
        Defect{"limits.nominal.vx_min_mps", [](P& p) { Nominal(p).set_vx_min_mps(-kInf); }},
        Defect{"limits.nominal.wz_acc_max_radps2",
               [](P& p) { Nominal(p).clear_wz_acc_max_radps2(); }},
        Defect{"limits.nominal.wz_acc_max_radps2",
               [](P& p) { Nominal(p).set_wz_acc_max_radps2(-1); }},
        Defect{"limits.nominal.speed_points_mps",
               [](P& p) { Nominal(p).clear_speed_points_mps(); }},
        Defect{"limits.nominal.speed_points_mps",
               [](P& p) { Nominal(p).set_speed_points_mps(1, 0); }},
        Defect{"limits.nominal.speed_points_mps",
               [](P& p) { Nominal(p).set_speed_points_mps(0, -0.1); }},
        Defect{"limits.nominal.speed_points_mps",
               [](P& p) { Nominal(p).set_speed_points_mps(2, kNan); }},
        Defect{"limits.nominal.wz_abs_max_radps", [](P& p) { Nominal(p).add_wz_abs_max_radps(1); }},
        Defect{"limits.nominal.wz_abs_max_radps",
               [](P& p) { Nominal(p).set_wz_abs_max_radps(2, 1.6); }},
        Defect{"limits.nominal.acc_max_mps2", [](P& p) { Nominal(p).set_acc_max_mps2(0, 0); }},
        Defect{"limits.nominal.dec_max_mps2", [](P& p) { Nominal(p).clear_dec_max_mps2(); }},
        Defect{"limits.transition.for_ms", [](P& p) { p.mutable_limits()->clear_transition(); }},
        Defect{"limits.transition.vx_max_mps",
               [](P& p) { p.mutable_limits()->mutable_transition()->set_vx_max_mps(1.1); }},
        Defect{"limits.transition.vx_max_mps",
               [](P& p) { p.mutable_limits()->mutable_transition()->set_vx_max_mps(0); }},
        Defect{"limits.transition.acc_max_mps2",
               [](P& p) { p.mutable_limits()->mutable_transition()->set_acc_max_mps2(0, 0); }},
        Defect{"limits.transition.acc_max_mps2",
               [](P& p) { p.mutable_limits()->mutable_transition()->set_acc_max_mps2(0, 1.3); }},
        Defect{"limits.degraded.acc_max_mps2",
               [](P& p) { p.mutable_limits()->mutable_degraded()->add_acc_max_mps2(1.1); }},
        Defect{"limits.degraded.vx_max_mps",
               [](P& p) { p.mutable_limits()->mutable_degraded()->clear_vx_max_mps(); }},
        Defect{"limits.degraded.vx_max_mps",
               [](P& p) { p.mutable_limits()->mutable_degraded()->set_vx_max_mps(1.1); }},
        Defect{"limits.degraded.vx_max_mps",
               [](P& p) { p.mutable_limits()->mutable_degraded()->set_vx_max_mps(0); }},
        Defect{"limits.degraded.wz_abs_max_radps",
               [](P& p) { p.mutable_limits()->mutable_degraded()->add_wz_abs_max_radps(0.5); }},
        Defect{"limits.degraded.wz_abs_max_radps",
               [](P& p) { p.mutable_limits()->mutable_degraded()->set_wz_abs_max_radps(0, 1.6); }},
        Defect{"limits.degraded.wz_abs_max_radps",
               [](P& p) { p.mutable_limits()->mutable_degraded()->set_wz_abs_max_radps(0, -1); }},
        Defect{"limits.clamp_budget.window_s",
               [](P& p) { p.mutable_limits()->clear_clamp_budget(); }},
        Defect{"limits.clamp_budget.window_s",
               [](P& p) { p.mutable_limits()->mutable_clamp_budget()->set_window_s(1e6); }},
        Defect{"limits.clamp_budget.window_s",
               [](P& p) { p.mutable_limits()->mutable_clamp_budget()->set_window_s(0.02); }},
        Defect{"limits.clamp_budget.max_fraction",
               [](P& p) { p.mutable_limits()->mutable_clamp_budget()->set_max_fraction(-0.1); }},
        Defect{"limits.clamp_budget.max_fraction",
               [](P& p) { p.mutable_limits()->mutable_clamp_budget()->set_max_fraction(1); }},
        Defect{"limits.clamp_budget.trigger",
               [](P& p) { p.mutable_limits()->mutable_clamp_budget()->clear_trigger(); }},
        Defect{"joints", [](P& p) { (*p.mutable_joints())["j1"].set_q_max_rad(1); }}));

v1::EnvelopeZone& Hall(P& p) { return *p.mutable_envelope(0); }
v1::EnvelopeZone& Stairs(P& p) { return *p.mutable_envelope(1); }
v1::BodyZone& Touch(P& p) { return *p.mutable_separation()->mutable_zones(0); }
v1::BodyZone& Near(P& p) { return *p.mutable_separation()->mutable_zones(1); }
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
        Defect{"envelope", [](P& p) { (*p.mutable_inputs())["odom"].set_required(false); }},
        Defect{"envelope",
               [](P& p) {
                 for (int i = 0; i < 63; ++i) *p.add_envelope() = Hall(p);
               }},
        Defect{"envelope[0].id", [](P& p) { Hall(p).clear_id(); }},
        Defect{"envelope[0].id", [](P& p) { Stairs(p).set_id("hall"); }},
        Defect{"envelope[0].kind", [](P& p) { Hall(p).set_kind("keepout"); }},
        Defect{"envelope[0].frame", [](P& p) { Hall(p).set_frame("odom"); }},
        Defect{"envelope[0].margin_m", [](P& p) { Hall(p).set_margin_m(0); }},
        Defect{"envelope[0].margin_m", [](P& p) { Hall(p).set_margin_m(kNan); }},
        Defect{"envelope[0].trigger", [](P& p) { Hall(p).clear_trigger(); }},
        Defect{"envelope[0].vx_max_mps", [](P& p) { Hall(p).set_vx_max_mps(1); }},
        Defect{"envelope[0]", [](P& p) { Hall(p).mutable_circle_m()->set_r(1); }},
        Defect{"envelope[0]", [](P& p) { Hall(p).clear_polygon_m(); }},
        Defect{"envelope[0].polygon_m", [](P& p) { Hall(p).mutable_polygon_m(0)->set_x(kNan); }},
        Defect{"envelope[0].polygon_m", [](P& p) { Hall(p).mutable_polygon_m(0)->set_y(kInf); }},
        Defect{"envelope[0].polygon_m",
               [](P& p) { Hall(p).mutable_polygon_m()->SwapElements(0, 1); }},
        Defect{"envelope[0].polygon_m",
               [](P& p) {
                 for (int i = 0; i < 300; ++i) *Hall(p).add_polygon_m() = Hall(p).polygon_m(0);
               }},
        Defect{"envelope[1].circle_m.r", [](P& p) { Stairs(p).mutable_circle_m()->set_r(0); }},
        Defect{"envelope[1].circle_m.c",
               [](P& p) { Stairs(p).mutable_circle_m()->mutable_c()->set_y(kNan); }},
        Defect{"envelope[1].trigger", [](P& p) { SpeedZone(p).set_trigger("x"); }},
        Defect{"envelope[1].vx_max_mps", [](P& p) { SpeedZone(p).clear_vx_max_mps(); }},
        Defect{"envelope[1].vx_max_mps", [](P& p) { SpeedZone(p).set_vx_max_mps(-1); }},
        Defect{"separation.zones[0].id", [](P& p) { Near(p).set_id("touch"); }},
        Defect{"separation.zones[0]",
               [](P& p) {
                 Touch(p).clear_polygon_m();
                 Touch(p).clear_circle_m();
               }},
        Defect{"separation.zones[0].action", [](P& p) { Touch(p).set_action("honk"); }},
        Defect{"separation.zones[0].source", [](P& p) { Touch(p).set_source("odom"); }},
        Defect{"separation.zones[0].source",
               [](P& p) { (*p.mutable_inputs())["scan"].set_required(false); }},
        Defect{"separation.zones[0]", [](P& p) { Touch(p).set_min_points(0); }},
        Defect{"separation.zones[0]", [](P& p) { Touch(p).set_trigger_consecutive(0); }},
        Defect{"separation.zones[0]", [](P& p) { Touch(p).set_release_consecutive(0); }},
        Defect{"separation.zones[0].vx_max_mps", [](P& p) { Touch(p).set_vx_max_mps(0.1); }},
        Defect{"separation.zones[1].vx_max_mps", [](P& p) { Near(p).clear_vx_max_mps(); }},
        Defect{"separation.zones[1].vx_max_mps", [](P& p) { Near(p).set_vx_max_mps(kNan); }},
        Defect{"separation.zones", [](P& p) {
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

class BadArmTest : public testing::TestWithParam<Defect> {};

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
        Defect{"inputs", [](P& p) { p.mutable_inputs()->erase("joints"); }},
        Defect{"command.fields", [](P& p) { p.mutable_command()->clear_fields(); }},
        Defect{"command.fields", [](P& p) { p.mutable_command()->add_fields("j1"); }},
        Defect{"command.fields", [](P& p) { p.mutable_command()->add_fields(""); }},
        Defect{"command.fields",
               [](P& p) {
                 for (size_t i = 0; i < kMaxJoints; ++i) {
                   p.mutable_command()->add_fields("extra" + std::to_string(i));
                 }
               }},
        Defect{"joints", [](P& p) { p.mutable_command()->add_fields("j3"); }},
        Defect{"joints", [](P& p) { (*p.mutable_joints())["j3"] = p.joints().at("j1"); }},
        Defect{"joints.j1.q_max_rad", [](P& p) { (*p.mutable_joints())["j1"].set_q_max_rad(-1); }},
        Defect{"joints.j1.q_max_rad",
               [](P& p) { (*p.mutable_joints())["j1"].set_q_max_rad(kInf); }},
        Defect{"joints.j1.q_max_rad",
               [](P& p) { (*p.mutable_joints())["j1"].set_q_min_rad(-kInf); }},
        Defect{"joints.j2.qd_abs_max_radps",
               [](P& p) { (*p.mutable_joints())["j2"].set_qd_abs_max_radps(0); }},
        Defect{"limits", [](P& p) { Nominal(p).set_vx_max_mps(1); }},
        Defect{"limits", [](P& p) { p.mutable_limits()->mutable_transition(); }},
        Defect{"limits", [](P& p) { p.mutable_limits()->mutable_degraded(); }},
        Defect{"envelope[0].z_m",
               [](P& p) { *p.add_envelope() = NavPolicyDocument().envelope(0); }},
        Defect{"separation",
               [](P& p) { *p.mutable_separation() = NavPolicyDocument().separation(); }}));

}  // namespace
}  // namespace agent::runtime
