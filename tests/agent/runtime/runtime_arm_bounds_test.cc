#include <string>
#include <vector>

#include "agent/runtime/policy.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/policy_bounds.h"
#include "tests/support/status_matchers.h"

// Both sides of every bound of an arm's policy.

namespace agent::runtime {
namespace {

using ::tests::Bound;
using ::tests::CheckBound;
using ::tests::NavPolicyDocument;
namespace v1 = ::gatekeeper::v1;
using P = v1::ControlPolicy;

P ArmDocument(size_t joints) {
  P policy = NavPolicyDocument();
  std::vector<std::string> names;
  for (size_t i = 0; i < joints; ++i) names.push_back("j" + std::to_string(i));
  tests::MakeArm(policy, names);
  return policy;
}

class ArmBoundTest : public testing::TestWithParam<Bound> {};
TEST_P(ArmBoundTest, IsTakenAtItsEdgeAndRefusedBeyondIt) { CheckBound(ArmDocument(2), GetParam()); }

void SetJointCount(P& p, size_t count) { p = ArmDocument(count); }

v1::EnvelopeZone& Cell(P& p) {
  v1::EnvelopeZone& zone = *p.add_envelope();
  zone = NavPolicyDocument().envelope(0);
  zone.add_z_m(0);
  zone.add_z_m(1);
  return zone;
}

v1::JointLimit& J1(P& p) { return p.mutable_joints()->at("j1"); }

void SetLinks(P& p, double each_m) {
  for (v1::DhLink& link : *p.mutable_arm()->mutable_chain()) link.set_a_m(each_m);
}

void SlowPlace(P& p, double vx_max_mps) {
  v1::EnvelopeZone& zone = Cell(p);
  zone.set_kind("speed");
  zone.clear_trigger();
  zone.set_vx_max_mps(vx_max_mps);
}

INSTANTIATE_TEST_SUITE_P(
    Arm, ArmBoundTest,
    testing::Values(
        Bound{"doubt_above", [](P& p) { tests::Doubt(p).set_enter_above(1.99); },
              [](P& p) { tests::Doubt(p).set_enter_above(2); },
              "[output.uncertainty.enter_above] must be below 2, the largest number that a "
              "command can be, or 1; is 2: it would never act"},
        Bound{"doubt_below",
              [](P& p) {
                J1(p).set_q_min_rad(-2.5);
                tests::Doubt(p).set_enter_above(2.49);
              },
              [](P& p) {
                J1(p).set_q_min_rad(-2.5);
                tests::Doubt(p).set_enter_above(2.5);
              },
              "[output.uncertainty.enter_above] must be below 2.5, the largest number that a "
              "command can be, or 1; is 2.5: it would never act"},
        Bound{
            "turns_up", [](P& p) { J1(p).set_q_max_rad(63); },
            [](P& p) { J1(p).set_q_max_rad(63.01); },
            "[joints.j1.q_max_rad] must be within 63 of 0, is 63.01: no cable is wound up further "
            "than ten turns"},
        Bound{
            "turns_down", [](P& p) { J1(p).set_q_min_rad(-63); },
            [](P& p) { J1(p).set_q_min_rad(-63.01); },
            "[joints.j1.q_min_rad] must be within 63 of 0, is -63.01: no cable is wound up further "
            "than ten turns"},
        Bound{"reach", [](P& p) { SetLinks(p, 0.025); }, [](P& p) { SetLinks(p, 0.024); },
              "[arm.chain] must be at least 0.05, is 0.048: so far does it reach, in m; its tool "
              "would never move"},
        Bound{"a_gentle_start", [](P& p) { p.mutable_arm()->set_transition_for_ms(500); },
              [](P& p) { p.mutable_arm()->set_transition_for_ms(499.9); },
              "[arm.transition_for_ms] must be at least 500, is 499.9: a swapped model starts "
              "gently"},
        Bound{
            "place_that_slows_the_tool", [](P& p) { SlowPlace(p, 0.99); },
            [](P& p) { SlowPlace(p, 1); },
            "[envelope[0].vx_max_mps] must be below the 1 m/s that are allowed anyway, is 1: leave "
            "the zone out"},
        Bound{"joints", [](P& p) { SetJointCount(p, 32); }, [](P& p) { SetJointCount(p, 33); },
              "[command.fields] must name 1 to 32 joints, names 33"},
        // Joints that take a hundred periods to stop are looked at every other one.
        Bound{
            "a_look_each_other_tick",
            [](P& p) {
              for (auto& [name, joint] : *p.mutable_joints()) joint.set_qdd_abs_max_radps2(0.2);
              Cell(p).set_margin_m(0.05);
            },
            [](P& p) {
              for (auto& [name, joint] : *p.mutable_joints()) joint.set_qdd_abs_max_radps2(0.2);
              Cell(p).set_margin_m(0.0499);
            },
            "[envelope[0].margin_m] must be at least 0.05: half of what the tool goes between two "
            "looks"},
        // 1 m/s at 20 Hz.
        Bound{"a_look_each_tick", [](P& p) { Cell(p).set_margin_m(0.025); },
              [](P& p) { Cell(p).set_margin_m(0.0249); },
              "[envelope[0].margin_m] must be at least 0.025: half of what the tool goes between "
              "two looks"}));

}  // namespace
}  // namespace agent::runtime
