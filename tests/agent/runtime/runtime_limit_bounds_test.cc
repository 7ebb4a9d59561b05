
#include "agent/runtime/policy.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/agent/runtime/policy_bounds.h"
#include "tests/support/status_matchers.h"

// Both sides of every bound of a mobile base's limits.

namespace agent::runtime {
namespace {

using ::testing::ElementsAre;
using ::tests::Bound;
using ::tests::CheckBound;
using ::tests::Degraded;
using ::tests::NavPolicyDocument;
using ::tests::Nominal;
using ::tests::Set;
using ::tests::Transition;
namespace v1 = ::gatekeeper::v1;
using P = v1::ControlPolicy;

class LimitBoundTest : public testing::TestWithParam<Bound> {};
TEST_P(LimitBoundTest, IsTakenAtItsEdgeAndRefusedBeyondIt) {
  CheckBound(NavPolicyDocument(), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Nominal, LimitBoundTest,
    testing::Values(
        Bound{"points_ascend",
              [](P& p) {
                Set(Nominal(p).mutable_speed_points_mps(), {0, 1e-9, 1});
              },
              [](P& p) {
                Set(Nominal(p).mutable_speed_points_mps(), {0, 0, 1});
              },
              "[limits.nominal.speed_points_mps] must be finite, start at 0 or above and ascend; "
              "point 1 is 0"},
        Bound{"points_start",
              [](P& p) {
                Set(Nominal(p).mutable_speed_points_mps(), {0.25, 0.5, 1});
              },
              [](P& p) {
                Set(Nominal(p).mutable_speed_points_mps(), {-1e-9, 0.5, 1});
              },
              "[limits.nominal.speed_points_mps] must be finite, start at 0 or above and ascend; "
              "point 0 is -1e-09"},
        Bound{"points_are_numbers", [](P&) {},
              [](P& p) {
                Set(Nominal(p).mutable_speed_points_mps(), {0, 0.5, kInfinity});
              },
              "[limits.nominal.speed_points_mps] must be finite, start at 0 or above and ascend; "
              "point 2 is inf"},
        Bound{"values", [](P& p) { Set(Nominal(p).mutable_acc_max_mps2(), {1}); },
              [](P& p) {
                Set(Nominal(p).mutable_acc_max_mps2(), {1, 1});
              },
              "[limits.nominal.acc_max_mps2] must have one value, or one for each speed point (3), "
              "has 2"},
        Bound{"backwards", [](P& p) { Nominal(p).set_vx_min_mps(-0.0); },
              [](P& p) { Nominal(p).set_vx_min_mps(0.01); },
              "[limits.nominal.vx_min_mps] must be 0 or below, because standing is always allowed, "
              "and at least -50; is 0.01"}));

INSTANTIATE_TEST_SUITE_P(
    Given, LimitBoundTest,
    testing::Values(Bound{"speed", [](P&) {}, [](P& p) { Nominal(p).clear_vx_max_mps(); },
                          "[limits.nominal.vx_max_mps] must be given"},
                    Bound{"turning", [](P&) {}, [](P& p) { Nominal(p).clear_wz_acc_max_radps2(); },
                          "[limits.nominal.wz_acc_max_radps2] must be given"},
                    Bound{"ahead_of_measured", [](P&) {},
                          [](P& p) { Nominal(p).clear_cmd_vs_measured_mps(); },
                          "[limits.nominal.cmd_vs_measured_mps] must be given: a robot that is "
                          "blocked must not be commanded ever faster"},
                    Bound{"speed_of_a_situation", [](P&) {},
                          [](P& p) { Transition(p).clear_vx_max_mps(); },
                          "[limits.transition.vx_max_mps] must be given"}));

INSTANTIATE_TEST_SUITE_P(
    Situations, LimitBoundTest,
    testing::Values(
        Bound{"as_fast_as_nominal", [](P& p) { Transition(p).set_vx_max_mps(1 + 1e-9); },
              [](P& p) { Transition(p).set_vx_max_mps(1 + 2e-9); },
              "[limits.transition.vx_max_mps] must not be looser than nominal (1), is 1"},
        Bound{"faster_than_nominal", [](P&) {}, [](P& p) { Transition(p).set_vx_max_mps(1.25); },
              "[limits.transition.vx_max_mps] must not be looser than nominal (1), is 1.25"},
        Bound{"a_curve_as_loose",
              [](P& p) {
                Set(Transition(p).mutable_acc_max_mps2(), {1.2 + 1e-9, 1, 1});
              },
              [](P& p) {
                Set(Transition(p).mutable_acc_max_mps2(), {1.2 + 2e-9, 1, 1});
              },
              "[limits.transition.acc_max_mps2] must not be looser than nominal (1.2 at 0 m/s), is "
              "1.2"},
        Bound{"looser_between_nominal_points",
              [](P& p) {
                Set(Transition(p).mutable_speed_points_mps(), {0, 0.25, 1});
                Set(Transition(p).mutable_acc_max_mps2(), {1, 1.2, 1});
              },
              [](P& p) {
                Set(Transition(p).mutable_speed_points_mps(), {0, 0.25, 1});
                Set(Transition(p).mutable_acc_max_mps2(), {1, 1.3, 0.5});
              },
              "[limits.transition.acc_max_mps2] must not be looser than nominal (1.2 at 0.25 m/s), "
              "is 1.3"},
        Bound{"looser_where_nominal_dips",
              [](P& p) {
                Set(Nominal(p).mutable_acc_max_mps2(), {1.2, 0.8, 1.2});
                Set(Transition(p).mutable_speed_points_mps(), {0, 1});
                Set(Transition(p).mutable_acc_max_mps2(), {0.8, 0.8});
              },
              [](P& p) {
                Set(Nominal(p).mutable_acc_max_mps2(), {1.2, 0.8, 1.2});
                Set(Transition(p).mutable_speed_points_mps(), {0, 1});
                Set(Transition(p).mutable_acc_max_mps2(), {1, 1});
              },
              "[limits.transition.acc_max_mps2] must not be looser than nominal (0.8 at 0.5 m/s), "
              "is 1"},
        Bound{"backwards_as_nominal",
              [](P& p) {
                Nominal(p).set_vx_min_mps(-0.6);
                Transition(p).set_vx_min_mps(-0.6);
              },
              [](P& p) {
                Nominal(p).set_vx_min_mps(-0.6);
                Transition(p).set_vx_min_mps(-0.61);
              },
              "[limits.transition.vx_min_mps] must be between nominal (-0.6) and 0, is -0.61"},
        Bound{"not_backwards",
              [](P& p) {
                Nominal(p).set_vx_min_mps(-0.6);
                Transition(p).set_vx_min_mps(0);
              },
              [](P& p) {
                Nominal(p).set_vx_min_mps(-0.6);
                Transition(p).set_vx_min_mps(0.01);
              },
              "[limits.transition.vx_min_mps] must be between nominal (-0.6) and 0, is 0.01"},
        Bound{"points_for_a_turn",
              [](P& p) {
                Set(Degraded(p).mutable_speed_points_mps(), {0, 1});
                Set(Degraded(p).mutable_wz_abs_max_radps(), {0.8, 0.4});
              },
              [](P& p) {
                Set(Degraded(p).mutable_speed_points_mps(), {0, 1});
              },
              "[limits.degraded.speed_points_mps] must not be given without an array over them"},
        Bound{"points_for_an_acceleration",
              [](P& p) {
                Set(Degraded(p).mutable_speed_points_mps(), {0, 1});
                Set(Degraded(p).mutable_acc_max_mps2(), {0.8, 0.4});
              },
              [](P& p) {
                Set(Degraded(p).mutable_speed_points_mps(), {0, 1});
                Set(Degraded(p).mutable_acc_max_mps2(), {0.8});
              },
              "[limits.degraded.speed_points_mps] must not be given without an array over them"},
        Bound{"points_for_a_jerk",
              [](P& p) {
                Set(Degraded(p).mutable_speed_points_mps(), {0, 1});
                Set(Degraded(p).mutable_jerk_max_mps3(), {8, 4});
              },
              [](P& p) {
                Set(Degraded(p).mutable_speed_points_mps(), {0, 1});
                Set(Degraded(p).mutable_jerk_max_mps3(), {8});
              },
              "[limits.degraded.speed_points_mps] must not be given without an array over them"},
        Bound{"turns_fall",
              [](P& p) {
                Set(Degraded(p).mutable_wz_abs_max_radps(), {0.8, 0.8, 0.8});
              },
              [](P& p) {
                Set(Degraded(p).mutable_wz_abs_max_radps(), {0.7, 0.8, 0.8});
              },
              "[limits.degraded.wz_abs_max_radps] must not rise with speed: a faster robot tips "
              "sooner"}));

v1::ClampBudget& Budget(P& p) { return *p.mutable_limits()->mutable_clamp_budget(); }

INSTANTIATE_TEST_SUITE_P(
    ClampBudget, LimitBoundTest,
    testing::Values(
        Bound{"a_tick", [](P& p) { Budget(p).set_window_s(0.025); },
              [](P& p) { Budget(p).set_window_s(0.0249); },
              "[limits.clamp_budget.window_s] must be 1 to 12000 ticks, is 0"},
        Bound{"no_time", [](P&) {}, [](P& p) { Budget(p).set_window_s(0); },
              "[limits.clamp_budget.window_s] must be above 0, is 0: a model that lives off its "
              "limits must be noticed"},
        Bound{"ten_minutes", [](P& p) { Budget(p).set_window_s(600); },
              [](P& p) { Budget(p).set_window_s(600.05); },
              "[limits.clamp_budget.window_s] must be 1 to 12000 ticks, is 12001"},
        Bound{"nothing", [](P& p) { Budget(p).set_max_fraction(0); },
              [](P& p) { Budget(p).set_max_fraction(-0.01); },
              "[limits.clamp_budget.max_fraction] must be 0 to 0.9, is -0.01"}));

TEST(LimitValuesTest, TheBudgetIsWholeTicksRoundedAndWholeClampsRoundedDown) {
  P document = NavPolicyDocument();
  Budget(document).set_window_s(3.976);  // 79.52 ticks
  Budget(document).set_max_fraction(0.899);
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(document));
  EXPECT_EQ(policy.clamp_budget().window_ticks, 80U);
  EXPECT_EQ(policy.clamp_budget().max_clamped, 71U);
}

TEST(LimitValuesTest, ASingleValueIsACurveOfOnePoint) {
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(NavPolicyDocument()));
  EXPECT_THAT(policy.nominal().jerk_max_mps3.points, ElementsAre(0));
  EXPECT_THAT(policy.nominal().jerk_max_mps3.values, ElementsAre(10));
}

TEST(LimitValuesTest, ASituationAHairLooserThanNominalIsHeldToNominal) {
  P document = NavPolicyDocument();
  Transition(document).set_vx_max_mps(1 + 1e-9);
  Set(Transition(document).mutable_acc_max_mps2(), {1.2 + 1e-9, 1.2, 1});
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(document));
  EXPECT_EQ(policy.limits(LimitSituation::kTransition).vx_max_mps, 1);
  EXPECT_EQ(policy.limits(LimitSituation::kTransition).acc_max_mps2.At(0), 1.2);
}

}  // namespace
}  // namespace agent::runtime
