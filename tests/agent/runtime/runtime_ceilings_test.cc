#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "agent/runtime/ceilings.h"
#include "agent/runtime/policy.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/policy_bounds.h"
#include "tests/support/status_matchers.h"

// A number so large that its check would never act switches the check off (S14).

namespace agent::runtime {
namespace {

using ::testing::StartsWith;
using ::tests::NavPolicyDocument;
using ::tests::Nominal;
using ::tests::Scan;
using ::tests::Set;
using ::tests::Ssm;
using ::tests::StatusIs;
using ::tests::Touch;
namespace v1 = ::gatekeeper::v1;
using P = v1::ControlPolicy;

enum class Class { kBase, kArm };

struct Ceiling {
  const char* path;
  double most;
  void (*set)(P&, double);
  Class of = Class::kBase;
  double step = 0;  // to what is refused; 0: just beyond what rounding may make of it
};

void PrintTo(const Ceiling& ceiling, std::ostream* out) { *out << ceiling.path; }

P DocumentOf(Class of) {
  P policy = NavPolicyDocument();
  if (of == Class::kArm) tests::MakeArm(policy, {"j0", "j1"});
  return policy;
}

class CeilingTest : public testing::TestWithParam<Ceiling> {};

TEST_P(CeilingTest, IsTakenAndRefusedAboveIt) {
  const Ceiling& ceiling = GetParam();
  P policy = DocumentOf(ceiling.of);
  ceiling.set(policy, ceiling.most);
  EXPECT_OK(Policy::Compile(policy).status());

  ceiling.set(policy,
              ceiling.step > 0 ? ceiling.most + ceiling.step : ceiling.most * (1 + 1.01e-9));
  EXPECT_THAT(Policy::Compile(policy),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith(std::string("[") + ceiling.path + "] ")));
}

v1::JointLimit& Joint(P& p) { return p.mutable_joints()->at("j1"); }

INSTANTIATE_TEST_SUITE_P(
    Inputs, CeilingTest,
    testing::Values(Ceiling{"inputs.scan.max_age_ms", 10'000,
                            [](P& p, double v) { Scan(p).set_max_age_ms(v); }},
                    Ceiling{"inputs.scan.max_future_ms", 1'000,
                            [](P& p, double v) { Scan(p).set_max_future_ms(v); }},
                    Ceiling{"inputs.scan.stuck_after_ms", 60'000,
                            [](P& p, double v) { Scan(p).set_stuck_after_ms(v); }},
                    Ceiling{"derate[0].max_age_ms", 60'000,
                            [](P& p, double v) { p.mutable_derate(0)->set_max_age_ms(v); }},
                    Ceiling{"deadline.max_consecutive", 100,
                            [](P& p, double v) {
                              p.mutable_deadline()->set_max_consecutive(static_cast<uint32_t>(v));
                            },
                            Class::kBase, 1},
                    Ceiling{"limits.clamp_budget.max_fraction", 0.9, [](P& p, double v) {
                              p.mutable_limits()->mutable_clamp_budget()->set_max_fraction(v);
                            }}));

INSTANTIATE_TEST_SUITE_P(
    Base, CeilingTest,
    testing::Values(Ceiling{"limits.nominal.vx_max_mps", 50,
                            [](P& p, double v) { Nominal(p).set_vx_max_mps(v); }},
                    Ceiling{"limits.nominal.vx_min_mps", 50,
                            [](P& p, double v) { Nominal(p).set_vx_min_mps(-v); }},
                    Ceiling{"limits.nominal.cmd_vs_measured_mps", 0.75,  // of vx_max_mps 1
                            [](P& p, double v) { Nominal(p).set_cmd_vs_measured_mps(v); }},
                    Ceiling{"limits.nominal.wz_acc_max_radps2", 200,
                            [](P& p, double v) { Nominal(p).set_wz_acc_max_radps2(v); }},
                    Ceiling{
                        "limits.nominal.wz_abs_max_radps", 20,
                        [](P& p, double v) { Set(Nominal(p).mutable_wz_abs_max_radps(), {v}); }},
                    Ceiling{"limits.nominal.acc_max_mps2", 20,
                            [](P& p, double v) { Set(Nominal(p).mutable_acc_max_mps2(), {v}); }},
                    Ceiling{"limits.nominal.dec_max_mps2", 20,
                            [](P& p, double v) { Set(Nominal(p).mutable_dec_max_mps2(), {v}); }},
                    Ceiling{"limits.nominal.jerk_max_mps3", 1'000,
                            [](P& p, double v) { Set(Nominal(p).mutable_jerk_max_mps3(), {v}); }}));

INSTANTIATE_TEST_SUITE_P(
    Zones, CeilingTest,
    testing::Values(
        Ceiling{"separation.zones[0].min_points", 100,
                [](P& p, double v) { Touch(p).set_min_points(static_cast<uint32_t>(v)); },
                Class::kBase, 1},
        Ceiling{"separation.zones[0].trigger_consecutive", 100,
                [](P& p, double v) { Touch(p).set_trigger_consecutive(static_cast<uint32_t>(v)); },
                Class::kBase, 1}));

INSTANTIATE_TEST_SUITE_P(
    Arm, CeilingTest,
    testing::Values(
        Ceiling{"joints.j1.qd_abs_max_radps", 20,
                [](P& p, double v) { Joint(p).set_qd_abs_max_radps(v); }, Class::kArm},
        Ceiling{"joints.j1.qdd_abs_max_radps2", 1'000,
                [](P& p, double v) { Joint(p).set_qdd_abs_max_radps2(v); }, Class::kArm},
        Ceiling{"joints.j1.qddd_abs_max_radps3", 100'000,
                [](P& p, double v) { Joint(p).set_qddd_abs_max_radps3(v); }, Class::kArm},
        Ceiling{"joints.j1.tau_abs_max_nm", 2'000,
                [](P& p, double v) {
                  Joint(p).set_tau_abs_max_nm(v);
                  p.mutable_arm()->set_contact_trigger("contact");
                },
                Class::kArm},
        Ceiling{"arm.tcp_v_max_mps", 10,
                [](P& p, double v) { p.mutable_arm()->set_tcp_v_max_mps(v); }, Class::kArm}));

// 0.6 * 0.75 is 0.44999999999999996.
TEST(CeilingTest, TheNumberThatARefusalNamesIsTaken) {
  for (const auto& [speed_mps, ahead_mps] :
       {std::pair{0.6, 0.45}, {0.7, 0.525}, {1.2, 0.9}, {1.4, 1.05}}) {
    P policy = NavPolicyDocument();
    policy.clear_envelope();
    policy.clear_requirements();
    policy.mutable_limits()->clear_transition();
    policy.mutable_limits()->clear_degraded();
    Nominal(policy).set_vx_max_mps(speed_mps);
    v1::LimitSet& transition = *policy.mutable_limits()->mutable_transition();
    transition.set_for_ms(1000);
    transition.set_vx_max_mps(0.1);
    transition.add_acc_max_mps2(0.1);
    Nominal(policy).set_cmd_vs_measured_mps(ahead_mps);
    EXPECT_OK(Policy::Compile(policy).status()) << speed_mps;
    Nominal(policy).set_cmd_vs_measured_mps(ahead_mps * (1 + 1.01e-9));
    EXPECT_THAT(Policy::Compile(policy),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         StartsWith("[limits.nominal.cmd_vs_measured_mps] must be at most")));
  }
  P policy = NavPolicyDocument();  // 0.325 - 0.275 is 0.04999999999999999
  policy.mutable_footprint()->mutable_circle_m()->mutable_c()->set_x(0.3);
  policy.mutable_footprint()->mutable_circle_m()->set_r(0.025);
  EXPECT_OK(Policy::Compile(policy).status());
  policy.mutable_footprint()->mutable_circle_m()->set_r(0.02499999);
  EXPECT_FALSE(Policy::Compile(policy).ok());
}

TEST(CeilingTest, WithoutOdometryTheLargestSpeedIsAllThatHoldsBack) {
  P policy = NavPolicyDocument();
  policy.clear_envelope();  // it needs odom, and the requirements need it
  policy.clear_requirements();
  Nominal(policy).set_cmd_vs_measured_mps(1);
  policy.mutable_inputs()->at("odom").set_required(false);
  EXPECT_OK(Policy::Compile(policy).status());
  Nominal(policy).set_cmd_vs_measured_mps(1.001);
  EXPECT_THAT(Policy::Compile(policy),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith("[limits.nominal.cmd_vs_measured_mps] must be at most 1, is ")));
}

TEST(CeilingTest, ALimitInAnySpeedRangeIsHeldToIt) {
  P policy = NavPolicyDocument();
  Set(Nominal(policy).mutable_acc_max_mps2(), {1, 20, 20.5});
  EXPECT_THAT(Policy::Compile(policy),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       "[limits.nominal.acc_max_mps2] must be at most 20, is 20.5: it would hold "
                       "nothing back"));
}

TEST(CeilingTest, PeopleWalkAtTheStandardsSpeedOrFaster) {
  P policy = NavPolicyDocument();
  Scan(policy).set_min_valid_fraction(0.5);  // a covered scanner sees nobody
  for (const double taken : {1.6, 2.0}) {
    Ssm(policy).set_v_human_mps(taken);
    EXPECT_OK(Policy::Compile(policy).status());
  }
  for (const double refused :
       {std::nextafter(1.6, 0), 0.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    Ssm(policy).set_v_human_mps(refused);
    EXPECT_THAT(Policy::Compile(policy),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         StartsWith("[separation.ssm.v_human_mps] must be at least 1.6")));
  }
}

// The number of a unit file's line "KEY=NUMBER".
double NumberOf(const std::string& file, const std::string& key) {
  const std::string text = tests::TextOf(file);
  const size_t at = text.find("\n" + key + "=");
  EXPECT_NE(at, std::string::npos) << key << " in " << file;
  return std::stod(text.substr(at + key.size() + 2));
}

TEST(CeilingTest, TheSlowestRobotAnswersFourTimesBeforeItsSupervisorTakesItForHung) {
  const double watchdog_s = NumberOf("deploy/systemd/gatekeeper-control.service", "WatchdogSec");
  EXPECT_GE(kLeastRateHz * watchdog_s, 4);
}

}  // namespace
}  // namespace agent::runtime
