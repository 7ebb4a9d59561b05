#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include "agent/runtime/policy.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/policy_bounds.h"
#include "tests/support/status_matchers.h"

// Both sides of every bound of a policy, but for those of a mobile base's limits.

namespace agent::runtime {
namespace {

using ::tests::Bound;
using ::tests::CheckBound;
using ::tests::Confidence;
using ::tests::NavPolicyDocument;
using ::tests::Scan;
using ::tests::Set;
using ::tests::Ssm;
using ::tests::Touch;
namespace v1 = ::gatekeeper::v1;
using P = v1::ControlPolicy;

class WheelBoundTest : public testing::TestWithParam<Bound> {};
TEST_P(WheelBoundTest, IsTakenAtItsEdgeAndRefusedBeyondIt) {
  CheckBound(NavPolicyDocument(), GetParam());
}

void SetInputs(P& p, int count) {
  const v1::InputRule rule = p.inputs().at("odom");
  for (int i = p.inputs_size(); i < count; ++i)
    (*p.mutable_inputs())["s" + std::to_string(i)] = rule;
}

INSTANTIATE_TEST_SUITE_P(
    Rate, WheelBoundTest,
    testing::Values(Bound{"fastest",
                          [](P& p) {
                            p.mutable_command()->set_rate_hz(1000);
                            p.mutable_deadline()->set_hard_ms(0.5);
                          },
                          [](P& p) {
                            p.mutable_command()->set_rate_hz(1000.5);
                            p.mutable_deadline()->set_hard_ms(0.5);
                          },
                          "[command.rate_hz] must be at most 1000, is 1000.5"},
                    Bound{"slowest", [](P& p) { p.mutable_command()->set_rate_hz(1); },
                          [](P& p) { p.mutable_command()->set_rate_hz(0.99); },
                          "[command.rate_hz] must be at least 1, is 0.99: who answers more rarely "
                          "is taken for hung"}));

INSTANTIATE_TEST_SUITE_P(
    Inputs, WheelBoundTest,
    testing::Values(
        Bound{"channels", [](P& p) { SetInputs(p, 64); }, [](P& p) { SetInputs(p, 65); },
              "[inputs] must be at most 64 channels"},
        Bound{"a_day",
              [](P& p) { p.mutable_limits()->mutable_transition()->set_for_ms(86'400'000); },
              [](P& p) { p.mutable_limits()->mutable_transition()->set_for_ms(86'400'000.5); },
              "[limits.transition.for_ms] must be at most 86400000, a day, is 86400000.5: nobody "
              "waits "
              "longer"},
        Bound{"a_gentle_start",
              [](P& p) { p.mutable_limits()->mutable_transition()->set_for_ms(500); },
              [](P& p) { p.mutable_limits()->mutable_transition()->set_for_ms(499.9); },
              "[limits.transition.for_ms] must be at least 500, is 499.9: a swapped model starts "
              "gently"},
        Bound{"all_beams", [](P& p) { Scan(p).set_min_valid_fraction(1); },
              [](P& p) { Scan(p).set_min_valid_fraction(1.01); },
              "[inputs.scan.min_valid_fraction] must be 0 to 1, is 1.01"},
        Bound{"no_beam", [](P& p) { Scan(p).set_min_valid_fraction(0); },
              [](P& p) { Scan(p).set_min_valid_fraction(-0.01); },
              "[inputs.scan.min_valid_fraction] must be 0 to 1, is -0.01"}));

v1::DeadlineRule& Deadline(P& p) { return *p.mutable_deadline(); }
void SetWindow(P& p, uint32_t n, uint32_t max) {
  Deadline(p).mutable_window()->set_n(n);
  Deadline(p).mutable_window()->set_max(max);
}
// At a rate at which ten minutes are more ticks than a window may hold.
void SetFastWindow(P& p, uint32_t n) {
  p.mutable_command()->set_rate_hz(1000);
  Deadline(p).set_hard_ms(0.5);
  SetWindow(p, n, 10);
}

INSTANTIATE_TEST_SUITE_P(
    Deadline, WheelBoundTest,
    testing::Values(
        Bound{"period", [](P& p) { Deadline(p).set_hard_ms(49.999999); },
              [](P& p) { Deadline(p).set_hard_ms(50); },
              "[deadline.hard_ms] must be below the command period of 50 ms, is 50"},
        Bound{"consecutive", [](P& p) { Deadline(p).set_max_consecutive(1); },
              [](P& p) { Deadline(p).set_max_consecutive(0); },
              "[deadline.max_consecutive] must be 1 to 100, is 0: misses must end somewhere"},
        Bound{"shortest_window", [](P& p) { SetWindow(p, 1, 0); }, [](P& p) { SetWindow(p, 0, 0); },
              "[deadline.window.n] must be 1 to 12000 ticks, is 0"},
        Bound{"ten_minutes", [](P& p) { SetWindow(p, 12'000, 10); },
              [](P& p) { SetWindow(p, 12'001, 10); },
              "[deadline.window.n] must be 1 to 12000 ticks, is 12001"},
        Bound{"longest_window", [](P& p) { SetFastWindow(p, 100'000); },
              [](P& p) { SetFastWindow(p, 100'001); },
              "[deadline.window.n] must be 1 to 100000 ticks, is 100001"},
        Bound{"half_missed", [](P& p) { SetWindow(p, 200, 99); },
              [](P& p) { SetWindow(p, 200, 100); },
              "[deadline.window.max] must be below half of n (200), is 100: who answers every "
              "other tick only is late"},
        Bound{"odd_window", [](P& p) { SetWindow(p, 21, 10); }, [](P& p) { SetWindow(p, 21, 11); },
              "[deadline.window.max] must be below half of n (21), is 11: who answers every other "
              "tick only is late"}));

void DoubtAt(P& p, double vx_max_mps, double vx_min_mps, double enter_above) {
  tests::Nominal(p).set_vx_max_mps(vx_max_mps);
  tests::Nominal(p).set_vx_min_mps(vx_min_mps);
  tests::Doubt(p).set_enter_above(enter_above);
}

INSTANTIATE_TEST_SUITE_P(
    Output, WheelBoundTest,
    testing::Values(
        Bound{"confidence", [](P& p) { Confidence(p).set_leave_above(std::nextafter(0.3, 1)); },
              [](P& p) { Confidence(p).set_leave_above(0.25); },
              "[output.confidence.leave_above] must be above enter_below (0.3), is 0.25"},
        Bound{"confidence_edge", [](P& p) { Confidence(p); },
              [](P& p) { Confidence(p).set_leave_above(0.3); },
              "[output.confidence.leave_above] must be above enter_below (0.3), is 0.3"},
        Bound{"confidence_enters", [](P& p) { Confidence(p).set_enter_below(0.01); },
              [](P& p) { Confidence(p).set_enter_below(0.0099); },
              "[output.confidence.enter_below] must be at least 0.01, is 0.0099: it would never "
              "act"},
        Bound{"doubt_of_a_turn",
              [](P& p) { tests::Doubt(p).set_enter_above(std::nextafter(1.5, 0)); },
              [](P& p) { tests::Doubt(p).set_enter_above(1.5); },
              "[output.uncertainty.enter_above] must be below 1.5, the largest number that a "
              "command can be, or 1; is 1.5: it would never act"},
        Bound{"doubt_of_a_speed", [](P& p) { DoubtAt(p, 2, 0, 1.99); },
              [](P& p) { DoubtAt(p, 2, 0, 2); },
              "[output.uncertainty.enter_above] must be below 2, the largest number that a "
              "command can be, or 1; is 2: it would never act"},
        Bound{"doubt_of_a_way_back", [](P& p) { DoubtAt(p, 2, -3, 2.99); },
              [](P& p) { DoubtAt(p, 2, -3, 3); },
              "[output.uncertainty.enter_above] must be below 3, the largest number that a "
              "command can be, or 1; is 3: it would never act"},
        Bound{"doubt_as_a_share",
              [](P& p) {
                DoubtAt(p, 0.9, -0.5, 0.99);
                Set(tests::Nominal(p).mutable_wz_abs_max_radps(), {0.8});
              },
              [](P& p) {
                DoubtAt(p, 0.9, -0.5, 1);
                Set(tests::Nominal(p).mutable_wz_abs_max_radps(), {0.8});
              },
              "[output.uncertainty.enter_above] must be below 1, the largest number that a "
              "command can be, or 1; is 1: it would never act"},
        Bound{"doubt", [](P& p) { tests::Doubt(p).set_leave_below(std::nextafter(0.7, 0)); },
              [](P& p) { tests::Doubt(p).set_leave_below(0.75); },
              "[output.uncertainty.leave_below] must be below enter_above (0.7), is 0.75"},
        Bound{"doubt_edge", [](P& p) { tests::Doubt(p); },
              [](P& p) { tests::Doubt(p).set_leave_below(0.7); },
              "[output.uncertainty.leave_below] must be below enter_above (0.7), is 0.7"},
        Bound{"doubt_leaves", [](P& p) { tests::Doubt(p).set_leave_below(0.01); },
              [](P& p) { tests::Doubt(p).set_leave_below(0); },
              "[output.uncertainty.leave_below] must be above 0, is 0: the state could never be "
              "left"},
        Bound{"doubt_enters", [](P& p) { tests::Doubt(p); },
              [](P& p) { tests::Doubt(p).set_enter_above(0); },
              "[output.uncertainty.enter_above] must be above 0, is 0: no model is ever quite "
              "sure"},
        Bound{"doubt_holds", [](P& p) { tests::Doubt(p).set_leave_hold_ms(0.1); },
              [](P& p) { tests::Doubt(p).set_leave_hold_ms(0); },
              "[output.uncertainty.leave_hold_ms] must be above 0, is 0: without it the state "
              "flickers"}));

v1::DerateRule& HeatRule(P& p) { return *p.mutable_derate(0); }
v1::DerateRule& Late(P& p) { return *p.mutable_derate(2); }

INSTANTIATE_TEST_SUITE_P(
    Derate, WheelBoundTest,
    testing::Values(
        Bound{"two_points", [](P&) {},
              [](P& p) {
                Set(HeatRule(p).mutable_points(), {75});
                Set(HeatRule(p).mutable_scale(), {1});
              },
              "[derate[0].points] must be at least two"},
        Bound{"points_ascend",
              [](P& p) {
                Set(HeatRule(p).mutable_points(), {-10, 90});
              },
              [](P& p) {
                Set(HeatRule(p).mutable_points(), {90, 90});
              },
              "[derate[0].points] must be finite and ascend; point 1 is 90"},
        Bound{"values", [](P&) {},
              [](P& p) {
                Set(HeatRule(p).mutable_scale(), {1, 0.5, 0});
              },
              "[derate[0].scale] must have one value for each point (2), has 3"},
        Bound{"most", [](P&) {},
              [](P& p) {
                Set(HeatRule(p).mutable_scale(), {1.01, 0});
              },
              "[derate[0].scale] must be 0 to 1, has 1.01"},
        Bound{"least", [](P&) {},
              [](P& p) {
                Set(HeatRule(p).mutable_scale(), {1, -0.01});
              },
              "[derate[0].scale] must be 0 to 1, has -0.01"},
        Bound{"absent_most", [](P& p) { HeatRule(p).set_absent_scale(1); },
              [](P& p) { HeatRule(p).set_absent_scale(1.01); },
              "[derate[0].absent_scale] must be 0 to 1, is 1.01"},
        Bound{"absent_least", [](P& p) { HeatRule(p).set_absent_scale(0); },
              [](P& p) { HeatRule(p).set_absent_scale(-0.01); },
              "[derate[0].absent_scale] must be 0 to 1, is -0.01"},
        Bound{"absent_stops", [](P& p) { Late(p).set_absent_scale(0.01); },
              [](P& p) { Late(p).set_absent_scale(0); },
              "[derate[2].trigger] must name a trigger: a check that tells nobody is no check"},
        Bound{"release", [](P& p) { HeatRule(p).set_release_at(89.99); },
              [](P& p) { HeatRule(p).set_release_at(90); },
              "[derate[0].release_at] must be a value at which the scale is above 0, is 90"},
        Bound{"no_release", [](P&) {}, [](P& p) { Late(p).set_release_at(1); },
              "[derate[2].release_at] must not be given without a trigger"}));

void SetCorners(P& p, int count) {
  v1::Footprint& footprint = *p.mutable_footprint();
  footprint.clear_circle_m();
  for (int i = 0; i < count; ++i) {
    v1::Point& point = *footprint.add_polygon_m();
    const double angle_rad = 2 * std::numbers::pi * i / count;
    point.set_x(0.3 * std::cos(angle_rad));
    point.set_y(0.3 * std::sin(angle_rad));
  }
}

void SetBox(P& p, double length_m, double width_m) {
  v1::Footprint& footprint = *p.mutable_footprint();
  footprint.clear_circle_m();
  const std::vector<std::pair<double, double>> corners{
      {0, 0}, {length_m, 0}, {length_m, width_m}, {0, width_m}};
  for (const auto& [x, y] : corners) {
    v1::Point& point = *footprint.add_polygon_m();
    point.set_x(x);
    point.set_y(y);
  }
}

void SpeedZone(P& p, double vx_max_mps) {
  v1::EnvelopeZone& zone = *p.add_envelope();
  zone = p.envelope(0);
  zone.set_id("slow");
  zone.set_kind("speed");
  zone.clear_trigger();
  zone.set_vx_max_mps(vx_max_mps);
}

void SetMapZones(P& p, int count) {
  for (int i = p.envelope_size(); i < count; ++i) {
    *p.add_envelope() = p.envelope(0);
    p.mutable_envelope(i)->set_id("z" + std::to_string(i));
  }
}

void SetScanZones(P& p, int count) {
  auto& zones = *p.mutable_separation()->mutable_zones();
  for (int i = zones.size(); i < count; ++i) {
    *zones.Add() = v1::BodyZone(zones[0]);
    zones[i].set_id("z" + std::to_string(i));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Zones, WheelBoundTest,
    testing::Values(
        Bound{"footprint", [](P&) {}, [](P& p) { p.clear_footprint(); },
              "[footprint] must be given: margins are kept around the ground a robot covers"},
        Bound{"smallest_ground",
              [](P& p) { p.mutable_footprint()->mutable_circle_m()->set_r(0.025); },
              [](P& p) { p.mutable_footprint()->mutable_circle_m()->set_r(0.024); },
              "[footprint] must be at least 0.05, is 0.048: so wide is its narrower side, in m; "
              "margins are kept around it, and a "
              "point has none"},
        Bound{"narrowest_ground", [](P& p) { SetBox(p, 0.4, 0.05); },
              [](P& p) { SetBox(p, 0.4, 0.04); },
              "[footprint] must be at least 0.05, is 0.04: so wide is its narrower side, in m; "
              "margins are kept around it, and a point "
              "has none"},
        Bound{"shortest_ground", [](P& p) { SetBox(p, 0.05, 0.4); },
              [](P& p) { SetBox(p, 0.04, 0.4); },
              "[footprint] must be at least 0.05, is 0.04: so wide is its narrower side, in m; "
              "margins are kept around it, and a point "
              "has none"},
        Bound{"zone_that_slows",
              [](P& p) { p.mutable_separation()->mutable_zones(1)->set_vx_max_mps(0.99); },
              [](P& p) { p.mutable_separation()->mutable_zones(1)->set_vx_max_mps(1); },
              "[separation.zones[1].vx_max_mps] must be below the 1 m/s that are allowed anyway, "
              "is 1: leave the zone out"},
        Bound{
            "place_that_slows", [](P& p) { SpeedZone(p, 0.99); }, [](P& p) { SpeedZone(p, 1); },
            "[envelope[2].vx_max_mps] must be below the 1 m/s that are allowed anyway, is 1: leave "
            "the zone out"},
        Bound{
            "place_that_slows_the_way_back",
            [](P& p) {
              SpeedZone(p, 1.99);
              tests::Nominal(p).set_vx_min_mps(-2);
            },
            [](P& p) {
              SpeedZone(p, 2);
              tests::Nominal(p).set_vx_min_mps(-2);
            },
            "[envelope[2].vx_max_mps] must be below the 2 m/s that are allowed anyway, is 2: leave "
            "the zone out"},
        Bound{"corners", [](P& p) { SetCorners(p, 32); }, [](P& p) { SetCorners(p, 33); },
              "[footprint.polygon_m] must have at most 32 corners, has 33"},
        Bound{"nothing_to_stay_in",
              [](P& p) {
                p.clear_envelope();
                p.clear_requirements();
                p.mutable_inputs()->at("odom").set_required(false);
              },
              [](P& p) { p.mutable_inputs()->at("odom").set_required(false); },
              "[envelope] needs odom among the required inputs: it says where the robot is"},
        Bound{"map_zones", [](P& p) { SetMapZones(p, 64); }, [](P& p) { SetMapZones(p, 65); },
              "[envelope] must have at most 64 zones, has 65"},
        Bound{"scan_zones", [](P& p) { SetScanZones(p, 64); }, [](P& p) { SetScanZones(p, 65); },
              "[separation.zones] must have at most 64 zones, has 65"},
        Bound{"margin", [](P& p) { p.mutable_envelope(0)->set_margin_m(0.02); },
              [](P& p) { p.mutable_envelope(0)->set_margin_m(std::nextafter(0.02, 0)); },
              "[envelope[0].margin_m] must be at least 0.02, because the way is checked in steps"},
        Bound{"heights",
              [](P& p) {
                Set(p.mutable_envelope(0)->mutable_z_m(), {0.5, 0.51});
              },
              [](P& p) {
                Set(p.mutable_envelope(0)->mutable_z_m(), {0.5, 0.5});
              },
              "[envelope[0].z_m] must be [low, high] with low below high"},
        Bound{"bottomless",
              [](P& p) {
                Set(p.mutable_envelope(0)->mutable_z_m(), {-1e9, 1});
              },
              [](P& p) {
                const double low = -std::numeric_limits<double>::infinity();
                Set(p.mutable_envelope(0)->mutable_z_m(), {low, 1});
              },
              "[envelope[0].z_m] must be [low, high] with low below high"},
        Bound{"points", [](P& p) { Touch(p).set_min_points(1); },
              [](P& p) { Touch(p).set_min_points(0); },
              "[separation.zones[0].min_points] must be above 0, is 0: no point is no obstacle"},
        Bound{"trigger", [](P& p) { Touch(p).set_trigger_consecutive(1); },
              [](P& p) { Touch(p).set_trigger_consecutive(0); },
              "[separation.zones[0].trigger_consecutive] must be above 0, is 0: no scan tells "
              "nothing"},
        Bound{"release", [](P& p) { Touch(p).set_release_consecutive(1); },
              [](P& p) { Touch(p).set_release_consecutive(0); },
              "[separation.zones[0].release_consecutive] must be above 0, is 0: what was there is "
              "gone when a scan says so"},
        Bound{"sure_braking", [](P& p) { Ssm(p); }, [](P& p) { Ssm(p).set_dec_mps2(2.01); },
              "[separation.ssm.dec_mps2] must not be more than limits.nominal.dec_max_mps2 (2), is "
              "2.01"},
        Bound{"covered_scanner",
              [](P& p) {
                Ssm(p);
                Scan(p).set_min_valid_fraction(0.01);
              },
              [](P& p) {
                Ssm(p);
                Scan(p).set_min_valid_fraction(0.0099);
              },
              "[inputs.scan.min_valid_fraction] must be at least 0.01, is 0.0099: separation.ssm "
              "needs it, a covered scanner sees nobody"}));

TEST(PolicyValuesTest, AreThoseOfTheDocument) {
  P document = NavPolicyDocument();
  document.set_version(7);
  document.mutable_command()->set_rate_hz(2.5);
  tests::Doubt(document);
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(document));
  EXPECT_EQ(policy.id(), "nav-indoor");
  EXPECT_EQ(policy.version(), 7U);
  EXPECT_EQ(policy.command().rate_hz, 2.5);
  EXPECT_EQ(policy.command().period, std::chrono::milliseconds(400));
  EXPECT_EQ(policy.deadline().hard, std::chrono::milliseconds(30));
  EXPECT_EQ(policy.deadline().max_consecutive, 3U);
  EXPECT_EQ(policy.deadline().window_ticks, 200U);
  EXPECT_EQ(policy.deadline().window_max, 10U);
  EXPECT_EQ(policy.uncertainty()->enter_below, -0.7);
  EXPECT_EQ(policy.uncertainty()->leave_above, -0.4);
  EXPECT_EQ(policy.uncertainty()->leave_hold, std::chrono::milliseconds(250));
  EXPECT_EQ(policy.triggers()[policy.uncertainty()->trigger], "low_confidence");
}

}  // namespace
}  // namespace agent::runtime
