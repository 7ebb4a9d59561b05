#include "agent/runtime/fallback.h"
#include "tests/agent/runtime/bad_rules.h"

// What Fallback::Compile makes of states and of the rules for a person.

namespace agent::runtime {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::tests::Compiled;
using ::tests::Defect;
using ::tests::ExpectRefused;
using ::tests::NavFallbackDocument;
using ::tests::NavPolicyDocument;
using ::tests::R;
using ::tests::RichFallbackDocument;
using ::tests::RichPolicyDocument;
using ::tests::State;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

TEST(FallbackTest, CompilesTheDemoRobotsRules) {
  const Fallback rules = tests::NavRules();
  ASSERT_EQ(rules.states().size(), 8U);
  EXPECT_EQ(rules.states()[0].name, "NOMINAL");
  EXPECT_EQ(rules.states()[rules.latch_state()].name, "ESTOP_LATCHED");
  EXPECT_EQ(rules.states()[rules.flap().to].name, "SAFE_STOPPED");
  EXPECT_EQ(rules.flap().window, seconds(60));
  EXPECT_EQ(rules.triggers()[rules.network_down()].after, seconds(5));
  EXPECT_EQ(rules.triggers()[0].id, "input_stale") << "the policy's own index";
  EXPECT_EQ(rules.triggers()[0].detect, std::chrono::milliseconds(1050));
}

TEST(FallbackTest, KnowsHowABuiltInControllerDrivesAndWhatItNeeds) {
  const Fallback rules = tests::NavRules();
  const Policy policy = Compiled(NavPolicyDocument());
  const StateRule& simple = rules.states()[3];
  EXPECT_EQ(simple.driver, Driver::kFollowGap);
  EXPECT_EQ(simple.follow_gap.vx_mps, 0.3);
  EXPECT_EQ(simple.follow_gap.wz_abs_max_radps, 0.8);
  EXPECT_EQ(simple.follow_gap.free_m, 1.2);
  EXPECT_EQ(simple.follow_gap.half_width_m, 0.35);
  EXPECT_EQ(simple.follow_gap.field_rad, 1.3);
  for (size_t i = 0; i < policy.inputs().size(); ++i) {
    const std::string& channel = policy.inputs()[i].channel;
    EXPECT_EQ((simple.needs >> i) & 1, channel == "scan" || channel == "odom" ? 1U : 0U);
  }
  EXPECT_EQ(rules.needs(), simple.needs);
}

TEST(FallbackTest, KnowsWhoApprovesARearmAndWhatFollowsIt) {
  const Fallback rules = tests::NavRules();
  EXPECT_EQ(rules.standstill(), seconds(3));
  EXPECT_THAT(rules.rearm_roles(), ElementsAre("local_operator", "safety_officer"));
  EXPECT_EQ(rules.rearm_ttl(), seconds(600));
  EXPECT_EQ(rules.probation().duration, seconds(60));
  EXPECT_EQ(rules.states()[rules.probation().to].name, "SAFE_STOPPED");
}

class BadStatesTest : public testing::TestWithParam<Defect> {};

TEST_P(BadStatesTest, AreRefusedByThePathAndTheRuleOfTheDefect) { ExpectRefused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    States, BadStatesTest,
    testing::Values(
        Defect{"S1", "schema", "is ''", [](R& r) { r.clear_schema(); }},
        Defect{"S14", "mrc_within_ms", "hazard", [](R& r) { r.set_mrc_within_ms(0); }},
        Defect{"S1", "states", "1 to 32", [](R& r) { r.clear_states(); }},
        Defect{"S1", "states", "are 33",
               [](R& r) {
                 for (uint32_t i = 0; i < 25; ++i) {
                   State(r, "MORE" + std::to_string(i)).set_rank(100 + i);
                 }
               }},
        Defect{"S1", "states", "rank 0", [](R& r) { State(r, "NOMINAL").set_rank(17); }},
        Defect{"S1", "states.NOMINAL.rank", "unique",
               [](R& r) { State(r, "NOMINAL").set_rank(1); }},
        Defect{"S1", "states.NOMINAL.controller", "rank 0",
               [](R& r) { State(r, "NOMINAL").set_controller("hold"); }},
        Defect{"S1", "states.DEGRADED.controller", "'luck'",
               [](R& r) { State(r, "DEGRADED").set_controller("luck"); }},
        Defect{"S1", "states.DEGRADED.limits", "'tight'",
               [](R& r) { State(r, "DEGRADED").set_limits("tight"); }},
        Defect{"S1", "states.SAFE_STOPPED.controller", "must be hold",
               [](R& r) { State(r, "SAFE_STOPPED").clear_controller(); }},
        Defect{"S1", "states.ESTOP_LATCHED.latch", "'volatile'",
               [](R& r) { State(r, "ESTOP_LATCHED").set_latch("volatile"); }},
        Defect{"S1", "states.ESTOP_LATCHED.minimal_risk_condition", "latch",
               [](R& r) { State(r, "ESTOP_LATCHED").set_minimal_risk_condition(false); }},
        Defect{"S1", "states.CREEP.controller", "must be hold", [](R& r) {
                 State(r, "CREEP").set_rank(9);
                 State(r, "CREEP").set_latch("persistent");
               }}));

INSTANTIATE_TEST_SUITE_P(
    Moves, BadStatesTest,
    testing::Values(
        Defect{"S1", "states.CONTROLLED_STOP.then", "when the robot stands",
               [](R& r) { State(r, "CONTROLLED_STOP").clear_then(); }},
        Defect{"S1", "states.PREVIOUS_MODEL.else", "must be given",
               [](R& r) { State(r, "PREVIOUS_MODEL").clear_else_(); }},
        Defect{"S1", "states.SIMPLE_CONTROLLER.else", "must be given",
               [](R& r) { State(r, "SIMPLE_CONTROLLER").clear_else_(); }},
        Defect{"S14", "states.PREVIOUS_MODEL.max_dwell_s", "above 0",
               [](R& r) { State(r, "PREVIOUS_MODEL").set_max_dwell_s(-1); }},
        Defect{"S1", "states.DEGRADED.else", "max_dwell_s",
               [](R& r) { State(r, "DEGRADED").clear_else_(); }},
        Defect{"S1", "states.CONTROLLED_STOP.max_dwell_s", "complete_within_ms",
               [](R& r) { State(r, "CONTROLLED_STOP").set_max_dwell_s(1); }},
        Defect{"S1", "states.ESTOP_LATCHED.else", "only re-arming",
               [](R& r) {
                 State(r, "TERMINATED") = State(r, "SAFE_STOPPED");
                 State(r, "TERMINATED").set_rank(9);
                 State(r, "ESTOP_LATCHED").set_else_("TERMINATED");
                 State(r, "ESTOP_LATCHED").set_max_dwell_s(1);
               }},
        Defect{"S1", "states.DEGRADED.then", "stop only",
               [](R& r) { State(r, "DEGRADED").set_then("SAFE_STOPPED"); }},
        Defect{"S1", "states.SAFE_STOPPED.dec_mps2", "stop only",
               [](R& r) { State(r, "SAFE_STOPPED").set_dec_mps2(1); }},
        Defect{"S1", "states.SAFE_STOPPED.jerk_mps3", "stop only",
               [](R& r) { State(r, "SAFE_STOPPED").set_jerk_mps3(1); }},
        Defect{"S1", "states.SAFE_STOPPED.complete_within_ms", "stop only",
               [](R& r) { State(r, "SAFE_STOPPED").set_complete_within_ms(1); }},
        Defect{"S14", "states.CONTROLLED_STOP.dec_mps2", "decelerates",
               [](R& r) { State(r, "CONTROLLED_STOP").set_dec_mps2(0); }},
        Defect{"S1", "states.CONTROLLED_STOP.jerk_mps3", "is -1",
               [](R& r) { State(r, "CONTROLLED_STOP").set_jerk_mps3(-1); }},
        Defect{"S1", "states.CONTROLLED_STOP.jerk_mps3", "is inf",
               [](R& r) {
                 State(r, "CONTROLLED_STOP").set_jerk_mps3(std::numeric_limits<double>::infinity());
               }},
        Defect{"S14", "states.CONTROLLED_STOP.complete_within_ms", "never ends",
               [](R& r) { State(r, "CONTROLLED_STOP").set_complete_within_ms(0); }}));

v1::FollowGap& Gap(R& r) { return *State(r, "SIMPLE_CONTROLLER").mutable_follow_gap(); }

INSTANTIATE_TEST_SUITE_P(
    FollowGap, BadStatesTest,
    testing::Values(Defect{"S14", "states.SIMPLE_CONTROLLER.follow_gap.vx_mps", "drives",
                           [](R& r) { Gap(r).set_vx_mps(0); }},
                    Defect{"S14", "states.SIMPLE_CONTROLLER.follow_gap.wz_abs_max_radps", "steers",
                           [](R& r) { Gap(r).set_wz_abs_max_radps(-0.1); }},
                    Defect{"S14", "states.SIMPLE_CONTROLLER.follow_gap.half_width_m", "width",
                           [](R& r) { Gap(r).set_half_width_m(0); }},
                    Defect{"S14", "states.SIMPLE_CONTROLLER.follow_gap.field_rad", "look",
                           [](R& r) { Gap(r).set_field_rad(0); }},
                    Defect{"S1", "states.SIMPLE_CONTROLLER.follow_gap.field_rad", "half a turn",
                           [](R& r) { Gap(r).set_field_rad(3.15); }},
                    Defect{"S1", "states.SIMPLE_CONTROLLER.follow_gap.free_m", "above half_width_m",
                           [](R& r) { Gap(r).set_free_m(0.35); }},
                    Defect{
                        "S1", "states.SIMPLE_CONTROLLER.follow_gap.free_m", "is inf",
                        [](R& r) { Gap(r).set_free_m(std::numeric_limits<double>::infinity()); }},
                    Defect{"S1", "states.SIMPLE_CONTROLLER.limits", "degraded",
                           [](R& r) { State(r, "SIMPLE_CONTROLLER").set_limits("nominal"); }},
                    Defect{"S1", "states.SIMPLE_CONTROLLER.needs", "'radar'",
                           [](R& r) { State(r, "SIMPLE_CONTROLLER").add_needs("radar"); }},
                    Defect{"S1", "states.SIMPLE_CONTROLLER.needs", "must name scan",
                           [](R& r) { State(r, "SIMPLE_CONTROLLER").set_needs(0, "odom"); }},
                    Defect{"S1", "states.SIMPLE_CONTROLLER.needs", "must name odom",
                           [](R& r) { State(r, "SIMPLE_CONTROLLER").set_needs(1, "scan"); }},
                    Defect{"S1", "states.DEGRADED.follow_gap", "follow_gap only",
                           [](R& r) { State(r, "DEGRADED").mutable_follow_gap()->set_vx_mps(1); }},
                    Defect{"S1", "states.DEGRADED.needs", "follow_gap only",
                           [](R& r) { State(r, "DEGRADED").add_needs("scan"); }}));

INSTANTIATE_TEST_SUITE_P(
    Person, BadStatesTest,
    testing::Values(
        Defect{"S14", "flap.window_s", "safe stop", [](R& r) { r.clear_flap(); }},
        Defect{"S1", "flap.max_transitions", "is 0",
               [](R& r) { r.mutable_flap()->set_max_transitions(0); }},
        Defect{"S1", "flap.max_transitions", "must be 1 to 31, is 32",
               [](R& r) { r.mutable_flap()->set_max_transitions(32); }},
        Defect{"S2", "flap.to", "'NOWHERE'", [](R& r) { r.mutable_flap()->set_to("NOWHERE"); }},
        Defect{"S1", "flap.to", "'DEGRADED'", [](R& r) { r.mutable_flap()->set_to("DEGRADED"); }},
        Defect{"S1", "flap.to", "without a latch",
               [](R& r) { r.mutable_flap()->set_to("ESTOP_LATCHED"); }},
        Defect{"S14", "rearm.standstill_ms", "moving", [](R& r) { r.clear_rearm(); }},
        Defect{"S1", "rearm.approvals", "alone",
               [](R& r) { r.mutable_rearm()->mutable_approvals()->RemoveLast(); }},
        Defect{"S1", "rearm.approvals", "twice",
               [](R& r) { r.mutable_rearm()->set_approvals(1, "local_operator"); }},
        Defect{"S1", "rearm.approvals", "'Safety'",
               [](R& r) { r.mutable_rearm()->add_approvals("Safety"); }},
        Defect{"S1", "rearm.approvals", "''", [](R& r) { r.mutable_rearm()->add_approvals(""); }},
        Defect{"S14", "rearm.ttl_s", "approval", [](R& r) { r.mutable_rearm()->clear_ttl_s(); }},
        Defect{"S14", "rearm.probation.for_s", "stopped the robot",
               [](R& r) { r.mutable_rearm()->clear_probation(); }},
        Defect{"S2", "rearm.probation.to", "'NOWHERE'",
               [](R& r) { r.mutable_rearm()->mutable_probation()->set_to("NOWHERE"); }},
        Defect{"S1", "rearm.probation.to", "'DEGRADED'",
               [](R& r) { r.mutable_rearm()->mutable_probation()->set_to("DEGRADED"); }}));

TEST(FallbackTest, AProbationMayEndInAStop) {
  R rules = RichFallbackDocument();
  rules.mutable_rearm()->mutable_probation()->set_to("EMERGENCY_STOP");
  EXPECT_OK(Fallback::Compile(rules, Compiled(RichPolicyDocument())));
}

TEST(FallbackTest, RefusesDegradedLimitsThatThePolicyDoesNotHave) {
  v1::ControlPolicy document = NavPolicyDocument();
  document.mutable_limits()->clear_degraded();
  EXPECT_THAT(
      Fallback::Compile(NavFallbackDocument(), Compiled(document)),
      StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[states.DEGRADED.limits] ")));
}

TEST(FallbackTest, NeedsNoPoseForAGapWhereThereIsNoEnvelope) {
  v1::ControlPolicy policy = NavPolicyDocument();
  policy.clear_envelope();
  policy.clear_requirements();  // they speak of the clearance
  R rules = NavFallbackDocument();
  State(rules, "SIMPLE_CONTROLLER").mutable_needs()->RemoveLast();
  auto& triggers = *rules.mutable_triggers();
  triggers.DeleteSubrange(7, 1);
  triggers.RemoveLast();
  ASSERT_OK_AND_ASSIGN(const Fallback compiled, Fallback::Compile(rules, Compiled(policy)));
  EXPECT_EQ(std::popcount(compiled.needs()), 1);
}

TEST(FallbackTest, AnArmsStopTakesAsLongAsItsSlowestJointAndTwoTicks) {
  R rules = tests::ArmFallbackDocument();
  v1::ControlPolicy policy = tests::ArmPolicyDocument();
  (*policy.mutable_joints())["elbow"].set_qdd_abs_max_radps2(2);
  State(rules, "CONTROLLED_STOP").set_complete_within_ms(600);
  EXPECT_OK(Fallback::Compile(rules, Compiled(policy)));
  State(rules, "CONTROLLED_STOP").set_complete_within_ms(599);
  EXPECT_THAT(Fallback::Compile(rules, Compiled(policy)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith("[states.CONTROLLED_STOP.complete_within_ms] ")));
}

TEST(FallbackTest, ABoundWrittenRoundedIsNotRefusedForARoundingOfTheSum) {
  // 0.2 s of braking and two ticks of 50 ms come to 300.00000000000006 ms.
  R rules = tests::ArmFallbackDocument();
  v1::ControlPolicy policy = tests::ArmPolicyDocument();
  policy.mutable_command()->set_rate_hz(20);
  for (auto& [name, joint] : *policy.mutable_joints()) {
    joint.set_qd_abs_max_radps(1);
    joint.set_qdd_abs_max_radps2(5);
  }
  State(rules, "CONTROLLED_STOP").set_complete_within_ms(300);
  EXPECT_OK(Fallback::Compile(rules, Compiled(policy)));
}

TEST(FallbackTest, AGapMayBeLookedForInHalfATurnToEachSide) {
  R rules = RichFallbackDocument();
  State(rules, "SIMPLE_CONTROLLER").mutable_follow_gap()->set_field_rad(3.141592653589793);
  EXPECT_OK(Fallback::Compile(rules, Compiled(RichPolicyDocument())));
}

TEST(FallbackTest, TheLatchNeedNotBeTheHighestState) {
  R rules = RichFallbackDocument();
  v1::FallbackState& parked = State(rules, "PARKED");
  parked.set_rank(9);
  parked.set_controller("hold");
  parked.set_minimal_risk_condition(true);
  tests::Rule(rules, "hardware_limit").set_to("PARKED");
  ASSERT_OK_AND_ASSIGN(const Fallback compiled,
                       Fallback::Compile(rules, Compiled(RichPolicyDocument())));
  const StateIndex latched = compiled.triggers()[compiled.latched()].to;
  EXPECT_EQ(compiled.states()[latched].name, "ESTOP_LATCHED");
  EXPECT_NE(latched, compiled.strongest());
}

TEST(FallbackTest, AnArmsStopHasNoDecelerationOfItsOwn) {
  for (auto* edit : {+[](v1::FallbackState& stop) { stop.set_dec_mps2(1); },
                     +[](v1::FallbackState& stop) { stop.set_jerk_mps3(1); }}) {
    R rules = tests::ArmFallbackDocument();
    edit(State(rules, "CONTROLLED_STOP"));
    EXPECT_THAT(Fallback::Compile(rules, Compiled(tests::ArmPolicyDocument())),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         StartsWith("[states.CONTROLLED_STOP.dec_mps2] ")));
  }
}

TEST(FallbackTest, NoArmDrivesAfterGaps) {
  R rules = tests::ArmFallbackDocument();
  State(rules, "SIMPLE_CONTROLLER") = NavFallbackDocument().states().at("SIMPLE_CONTROLLER");
  EXPECT_THAT(Fallback::Compile(rules, Compiled(tests::ArmPolicyDocument())),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith("[states.SIMPLE_CONTROLLER.controller] ")));
}

TEST(FallbackTest, TakesAsManyTriggersAsAMaskHoldsAndNotMore) {
  v1::ControlPolicy policy = RichPolicyDocument();
  R rules = RichFallbackDocument();
  const auto add = [&](int i) {
    v1::EnvelopeZone zone = policy.envelope(1);
    zone.set_id("zone" + std::to_string(i));
    zone.set_trigger("breach" + std::to_string(i));
    *policy.add_envelope() = zone;
    const v1::Trigger known = tests::Rule(rules, "envelope_breach");
    v1::Trigger& rule = *rules.add_triggers();
    rule = known;
    rule.set_id(zone.trigger());
  };
  for (int i = rules.triggers_size(); i < 60; ++i) add(i);
  EXPECT_OK(Fallback::Compile(rules, Compiled(policy)));
  add(60);
  EXPECT_THAT(Fallback::Compile(rules, Compiled(policy)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 60")));
}

}  // namespace
}  // namespace agent::runtime
