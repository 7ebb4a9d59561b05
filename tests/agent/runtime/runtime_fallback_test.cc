#include "agent/runtime/fallback.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/support/status_matchers.h"

namespace agent::runtime {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::tests::NavFallbackDocument;
using ::tests::NavPolicyDocument;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

absl::StatusOr<Fallback> CompileWithNav(const v1::FallbackRules& document) {
  const absl::StatusOr<Policy> policy = Policy::Compile(NavPolicyDocument());
  EXPECT_TRUE(policy.ok()) << policy.status();
  return Fallback::Compile(document, *policy);
}

TEST(FallbackTest, CompilesTheDemoRobotsRules) {
  ASSERT_OK_AND_ASSIGN(const Fallback rules, CompileWithNav(NavFallbackDocument()));
  ASSERT_EQ(rules.states().size(), 7U);
  EXPECT_EQ(rules.states()[0].name, "NOMINAL");
  EXPECT_EQ(rules.states()[rules.latch_state()].name, "ESTOP_LATCHED");
  EXPECT_EQ(rules.states()[rules.flap().to].name, "SAFE_STOPPED");
  EXPECT_EQ(rules.triggers()[rules.network_down()].after, std::chrono::seconds(5));
  EXPECT_EQ(rules.triggers()[0].id, "input_stale") << "the policy's own index";
}

struct Defect {
  const char* path;
  void (*seed)(v1::FallbackRules&);
};

void PrintTo(const Defect& defect, std::ostream* out) { *out << defect.path; }

class BadFallbackTest : public testing::TestWithParam<Defect> {};

TEST_P(BadFallbackTest, IsRefusedByThePathOfTheDefect) {
  v1::FallbackRules rules = NavFallbackDocument();
  GetParam().seed(rules);
  EXPECT_THAT(CompileWithNav(rules),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith(std::string("[") + GetParam().path + "] ")));
}

using R = v1::FallbackRules;
v1::FallbackState& State(R& r, const char* name) { return (*r.mutable_states())[name]; }
v1::Trigger& Rule(R& r, const char* id) {
  for (v1::Trigger& trigger : *r.mutable_triggers()) {
    if (trigger.id() == id) return trigger;
  }
  return *r.add_triggers();
}

INSTANTIATE_TEST_SUITE_P(
    States, BadFallbackTest,
    testing::Values(Defect{"schema", [](R& r) { r.clear_schema(); }},
                    Defect{"mrc_within_ms", [](R& r) { r.set_mrc_within_ms(0); }},
                    Defect{"states", [](R& r) { r.clear_states(); }},
                    Defect{"states", [](R& r) { State(r, "NOMINAL").set_rank(7); }},
                    Defect{"states.NOMINAL.rank", [](R& r) { State(r, "NOMINAL").set_rank(1); }},
                    Defect{"states.NOMINAL.controller",
                           [](R& r) { State(r, "NOMINAL").set_controller("hold"); }},
                    Defect{"states.DEGRADED.controller",
                           [](R& r) { State(r, "DEGRADED").set_controller("luck"); }},
                    Defect{"states.DEGRADED.limits",
                           [](R& r) { State(r, "DEGRADED").set_limits("tight"); }},
                    Defect{"states.SAFE_STOPPED.controller",
                           [](R& r) { State(r, "SAFE_STOPPED").clear_controller(); }},
                    Defect{"states.ESTOP_LATCHED.latch",
                           [](R& r) { State(r, "ESTOP_LATCHED").set_latch("volatile"); }},
                    Defect{"states.ESTOP_LATCHED.minimal_risk_condition", [](R& r) {
                             State(r, "ESTOP_LATCHED").set_minimal_risk_condition(false);
                           }}));

INSTANTIATE_TEST_SUITE_P(
    Moves, BadFallbackTest,
    testing::Values(
        Defect{"states.CONTROLLED_STOP.then",
               [](R& r) { State(r, "CONTROLLED_STOP").set_then("NOWHERE"); }},
        Defect{"states.CONTROLLED_STOP.then",
               [](R& r) { State(r, "CONTROLLED_STOP").set_then("DEGRADED"); }},
        Defect{"states.CONTROLLED_STOP.then",
               [](R& r) { State(r, "CONTROLLED_STOP").clear_then(); }},
        Defect{"states.CONTROLLED_STOP.else",
               [](R& r) { State(r, "CONTROLLED_STOP").set_else_("CONTROLLED_STOP"); }},
        Defect{"states.PREVIOUS_MODEL.else",
               [](R& r) {
                 State(r, "PREVIOUS_MODEL").clear_else_();
                 State(r, "PREVIOUS_MODEL").clear_max_dwell_s();
               }},
        Defect{"states.PREVIOUS_MODEL.else",
               [](R& r) { State(r, "PREVIOUS_MODEL").clear_else_(); }},
        Defect{"states.PREVIOUS_MODEL.max_dwell_s",
               [](R& r) { State(r, "PREVIOUS_MODEL").set_max_dwell_s(-1); }},
        Defect{"states.DEGRADED.else", [](R& r) { State(r, "DEGRADED").set_max_dwell_s(1); }},
        Defect{"states.DEGRADED.then", [](R& r) { State(r, "DEGRADED").set_then("SAFE_STOPPED"); }},
        Defect{"states.SAFE_STOPPED.dec_mps2",
               [](R& r) { State(r, "SAFE_STOPPED").set_dec_mps2(1); }},
        Defect{"states.SAFE_STOPPED.complete_within_ms",
               [](R& r) { State(r, "SAFE_STOPPED").set_complete_within_ms(1); }},
        Defect{"states.CONTROLLED_STOP.dec_mps2",
               [](R& r) { State(r, "CONTROLLED_STOP").set_dec_mps2(0); }},
        Defect{"states.CONTROLLED_STOP.complete_within_ms",
               [](R& r) { State(r, "CONTROLLED_STOP").set_complete_within_ms(0); }},
        Defect{"states.CONTROLLED_STOP.complete_within_ms",
               [](R& r) { State(r, "CONTROLLED_STOP").set_complete_within_ms(1049); }},
        Defect{"states.CONTROLLED_STOP.complete_within_ms",
               [](R& r) { r.set_mrc_within_ms(2299); }},
        Defect{"states.CONTROLLED_STOP",
               [](R& r) {
                 State(r, "SAFE_STOPPED").set_minimal_risk_condition(false);
                 r.mutable_flap()->set_to("PARKED");
                 State(r, "PARKED").set_rank(9);
                 State(r, "PARKED").set_controller("hold");
                 State(r, "PARKED").set_minimal_risk_condition(true);
               }},
        Defect{"states.EMERGENCY_STOP",
               [](R& r) {
                 State(r, "EMERGENCY_STOP").set_then("PARKED");
                 State(r, "PARKED").set_rank(9);
                 State(r, "PARKED").set_controller("hold");
                 State(r, "PARKED").set_minimal_risk_condition(true);
               }},
        Defect{"states.LONELY",
               [](R& r) {
                 State(r, "LONELY").set_rank(8);
                 State(r, "LONELY").set_controller("hold");
               }},
        Defect{"states.CREEP.controller", [](R& r) { State(r, "CREEP").set_rank(9); }}));

INSTANTIATE_TEST_SUITE_P(
    Triggers, BadFallbackTest,
    testing::Values(
        Defect{"triggers", [](R& r) { r.mutable_triggers()->RemoveLast(); }},
        Defect{"triggers[8].id",
               [](R& r) {
                 const v1::Trigger again = Rule(r, "nonfinite");
                 *r.add_triggers() = again;
               }},
        Defect{"triggers[8].id",
               [](R& r) {
                 v1::Trigger extra = Rule(r, "nonfinite");
                 extra.set_id("moon_phase");
                 *r.add_triggers() = extra;
               }},
        Defect{"triggers[0].id", [](R& r) { Rule(r, "nonfinite").set_id("latched"); }},
        Defect{"triggers[0].layer", [](R& r) { Rule(r, "nonfinite").set_layer("cloud"); }},
        Defect{"triggers[3].layer", [](R& r) { Rule(r, "model_failed").set_layer("circuit"); }},
        Defect{"triggers[0].to", [](R& r) { Rule(r, "nonfinite").set_to("NOWHERE"); }},
        Defect{"triggers[0].to", [](R& r) { Rule(r, "nonfinite").set_to("NOMINAL"); }},
        Defect{"triggers[0].after_ms", [](R& r) { Rule(r, "nonfinite").set_after_ms(100); }},
        Defect{"triggers[1].after_ms", [](R& r) { Rule(r, "deadline_miss").set_after_ms(100); }},
        Defect{"triggers[2].after_ms", [](R& r) { Rule(r, "policy_saturated").set_after_ms(100); }},
        Defect{"triggers[5].after_ms", [](R& r) { Rule(r, "network_down").set_after_ms(-1); }},
        Defect{"triggers[6].after_ms", [](R& r) { Rule(r, "envelope_breach").set_after_ms(100); }},
        Defect{"triggers[7].after_ms", [](R& r) { Rule(r, "estop_button").set_after_ms(100); }},
        Defect{"triggers[0].clear", [](R& r) { Rule(r, "nonfinite").clear_clear(); }},
        Defect{"triggers[0].clear",
               [](R& r) { Rule(r, "nonfinite").mutable_clear()->set_operator_(true); }},
        Defect{"triggers[0].clear.quiet_ms",
               [](R& r) { Rule(r, "nonfinite").mutable_clear()->set_quiet_ms(-1); }},
        Defect{"triggers[7].clear",
               [](R& r) {
                 Rule(r, "estop_button").mutable_clear()->clear_rearm();
                 Rule(r, "estop_button").mutable_clear()->set_quiet_ms(1);
               }},
        Defect{"triggers[7].clear",
               [](R& r) {
                 Rule(r, "estop_button").mutable_clear()->clear_rearm();
                 Rule(r, "estop_button").mutable_clear()->set_operator_(true);
               }},
        Defect{"states.CONTROLLED_STOP",
               [](R& r) { Rule(r, "estop_button").set_to("CONTROLLED_STOP"); }},
        Defect{"flap.window_s", [](R& r) { r.clear_flap(); }},
        Defect{"flap.max_transitions", [](R& r) { r.mutable_flap()->set_max_transitions(0); }},
        Defect{"flap.max_transitions", [](R& r) { r.mutable_flap()->set_max_transitions(32); }},
        Defect{"flap.to", [](R& r) { r.mutable_flap()->set_to("NOWHERE"); }},
        Defect{"flap.to", [](R& r) { r.mutable_flap()->set_to("DEGRADED"); }},
        Defect{"flap.to", [](R& r) { r.mutable_flap()->set_to("ESTOP_LATCHED"); }},
        Defect{"rearm.standstill_ms", [](R& r) { r.clear_rearm(); }}));

TEST(FallbackTest, RefusesDegradedLimitsThatThePolicyDoesNotHave) {
  v1::ControlPolicy document = NavPolicyDocument();
  document.mutable_limits()->clear_degraded();
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(document));
  EXPECT_THAT(
      Fallback::Compile(NavFallbackDocument(), policy),
      StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[states.DEGRADED.limits] ")));
}

TEST(FallbackTest, RefusesMoreTriggersThanAMaskHolds) {
  v1::ControlPolicy document = NavPolicyDocument();
  for (int i = 0; i < 58; ++i) {
    v1::EnvelopeZone zone = document.envelope(1);
    zone.set_id("zone" + std::to_string(i));
    zone.set_trigger("trigger" + std::to_string(i));
    *document.add_envelope() = zone;
  }
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(document));
  EXPECT_THAT(Fallback::Compile(NavFallbackDocument(), policy),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 60")));
}

}  // namespace
}  // namespace agent::runtime
