#include "agent/runtime/fallback_graph.h"
#include "tests/agent/runtime/bad_rules.h"

// What Fallback::Compile proves about all states and triggers together, each proof by documents
// that break it and by the nearest ones that do not.

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using ::tests::Compiled;
using ::tests::Defect;
using ::tests::ExpectRefused;
using ::tests::R;
using ::tests::RichFallbackDocument;
using ::tests::RichPolicyDocument;
using ::tests::Rule;
using ::tests::State;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

absl::StatusOr<Fallback> Compile(const R& rules) {
  return Fallback::Compile(rules, Compiled(RichPolicyDocument()));
}

v1::FallbackState& Parked(R& rules, uint32_t rank) {
  v1::FallbackState& parked = State(rules, "PARKED");
  parked.set_rank(rank);
  parked.set_controller("hold");
  return parked;
}

class UnprovenRulesTest : public testing::TestWithParam<Defect> {};

TEST_P(UnprovenRulesTest, AreRefusedByThePathAndTheRuleOfTheDefect) { ExpectRefused(GetParam()); }

// S2: a way to a minimal risk condition without network, model and inputs.
INSTANTIATE_TEST_SUITE_P(
    Paths, UnprovenRulesTest,
    testing::Values(Defect{"S2", "states.CONTROLLED_STOP.then", "'NOWHERE'",
                           [](R& r) { State(r, "CONTROLLED_STOP").set_then("NOWHERE"); }},
                    Defect{"S2", "states.CONTROLLED_STOP.else", "'NOWHERE'",
                           [](R& r) { State(r, "CONTROLLED_STOP").set_else_("NOWHERE"); }},
                    Defect{"S2", "states.PARKED", "comes to rest in 'PARKED'",
                           [](R& r) {
                             Parked(r, 9);
                             Rule(r, "hardware_limit").set_to("PARKED");
                           }},
                    Defect{"S2", "triggers[1].to", "comes to rest in 'CAREFUL'",
                           [](R& r) {
                             State(r, "CAREFUL").set_rank(21);
                             State(r, "CAREFUL").set_limits("degraded");
                             for (auto& [name, state] : *r.mutable_states()) {
                               state.set_rank(state.rank() > 1 && name != "CAREFUL"
                                                  ? state.rank() + 40
                                                  : state.rank());
                             }
                             Rule(r, "deadline_miss").set_to("CAREFUL");
                           }},
                    Defect{
                        "S2", "triggers[1].to", "must outrank 'CAREFUL'",
                        [](R& r) {
                          for (auto& [name, state] : *r.mutable_states()) {
                            state.set_rank(state.rank() > 2 ? state.rank() + 40 : state.rank());
                          }
                          State(r, "CAREFUL").set_rank(21);
                          State(r, "CAREFUL").set_limits("degraded");
                          Rule(r, "low_confidence").set_to("CAREFUL");
                          Rule(r, "low_confidence").mutable_clear()->set_else_("CONTROLLED_STOP");
                        }},
                    Defect{"S2", "triggers[0].to", "comes to rest in 'DEGRADED'",
                           [](R& r) {
                             State(r, "DEGRADED").clear_max_dwell_s();
                             State(r, "DEGRADED").clear_else_();
                             Rule(r, "nonfinite").set_to("DEGRADED");
                           }},
                    Defect{"S2", "triggers[3].to", "comes to rest in 'DEGRADED'",
                           [](R& r) {
                             State(r, "DEGRADED").clear_max_dwell_s();
                             State(r, "DEGRADED").clear_else_();
                             Rule(r, "model_failed").set_to("DEGRADED");
                           }},
                    Defect{"S13", "states.CONTROLLED_STOP", "latch: persistent",
                           [](R& r) { Rule(r, "estop_button").set_to("CONTROLLED_STOP"); }},
                    Defect{"S13", "states.EMERGENCY_STOP", "latch: persistent", [](R& r) {
                             State(r, "EMERGENCY_STOP").set_then("PARKED");
                             Parked(r, 9).set_minimal_risk_condition(true);
                           }}));

TEST(PathsTest, AStandingStateMayBeLeftForAMinimalRiskConditionInTime) {
  R rules = RichFallbackDocument();
  v1::FallbackState& parked = Parked(rules, 9);
  parked.set_max_dwell_s(1.95);
  Rule(rules, "network_down").set_to("DEGRADED");  // which takes its time before a stop
  parked.set_else_("PARKED_SAFELY");
  State(rules, "PARKED_SAFELY") = State(rules, "SAFE_STOPPED");
  State(rules, "PARKED_SAFELY").set_rank(10);
  State(rules, "CONTROLLED_STOP").set_then("PARKED");
  EXPECT_OK(Compile(rules));
  State(rules, "PARKED").set_max_dwell_s(1.951);
  EXPECT_THAT(Compile(rules),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[triggers[4].detect_ms] ")))
      << "1050 and 1500 ms and the dwell in whole ticks are more than 4500 ms";
}

TEST(PathsTest, AModelStateMayOutrankALostModelIfItEndsByItself) {
  R rules = RichFallbackDocument();
  for (auto& [name, state] : *rules.mutable_states()) {
    state.set_rank(state.rank() > 2 ? state.rank() + 40 : state.rank());
  }
  v1::FallbackState& careful = State(rules, "CAREFUL");
  careful.set_rank(21);
  careful.set_limits("degraded");
  careful.set_max_dwell_s(5);
  careful.set_else_("CONTROLLED_STOP");
  Rule(rules, "policy_saturated").set_to("DEGRADED");
  Rule(rules, "low_confidence").set_to("CAREFUL");
  Rule(rules, "low_confidence").mutable_clear()->set_else_("CONTROLLED_STOP");
  EXPECT_OK(Compile(rules));
}

TEST(PathsTest, AnInputThatIsNotRequiredMayOnlySlowTheRobotDown) {
  v1::ControlPolicy policy = RichPolicyDocument();
  v1::InputRule& extra = (*policy.mutable_inputs())["floor_wet"];
  extra = policy.inputs().at("goal_range_m");
  extra.set_trigger("floor_unknown");
  R rules = RichFallbackDocument();
  v1::Trigger& rule = Rule(rules, "floor_unknown");
  rule = Rule(rules, "policy_saturated");
  rule.set_id("floor_unknown");
  rule.set_to("DEGRADED");
  State(rules, "DEGRADED").clear_max_dwell_s();
  State(rules, "DEGRADED").clear_else_();
  EXPECT_THAT(Fallback::Compile(rules, Compiled(policy)),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[triggers[10].to] ")))
      << "the model does not run without it";
  extra.set_required(false);
  EXPECT_OK(Fallback::Compile(rules, Compiled(policy)));
}

// S3: nothing dead, nothing shadowed.
INSTANTIATE_TEST_SUITE_P(
    Reach, UnprovenRulesTest,
    testing::Values(Defect{"S3", "states.LONELY", "nothing leads here",
                           [](R& r) {
                             State(r, "LONELY") = State(r, "SAFE_STOPPED");
                             State(r, "LONELY").set_rank(9);
                           }},
                    Defect{"S3", "states.DEEPER_LATCH", "nothing leads here",
                           [](R& r) {
                             State(r, "DEEPER_LATCH") = State(r, "ESTOP_LATCHED");
                             State(r, "DEEPER_LATCH").set_rank(9);
                           }},
                    Defect{"S3", "states.NOMINAL.else", "only a trigger leaves the nominal state",
                           [](R& r) {
                             State(r, "NOMINAL").set_max_dwell_s(60);
                             State(r, "NOMINAL").set_else_("DEGRADED");
                           }},
                    Defect{"S3", "states.DEGRADED.else", "nothing ever leads there",
                           [](R& r) { State(r, "DEGRADED").clear_max_dwell_s(); }},
                    Defect{"S3", "states.SAFE_STOPPED.else", "nothing ever leads there",
                           [](R& r) { State(r, "SAFE_STOPPED").set_else_("ESTOP_LATCHED"); }},
                    Defect{"S3", "triggers[4].to", "needs the very inputs", [](R& r) {
                             Rule(r, "input_stale").set_to("SIMPLE_CONTROLLER");
                             State(r, "SIMPLE_CONTROLLER").add_needs("goal_bearing_rad");
                             State(r, "SIMPLE_CONTROLLER").add_needs("goal_range_m");
                           }}));

TEST(ReachTest, ATriggerOfManyInputsMayLeadToAStateThatNeedsSome) {
  R rules = RichFallbackDocument();
  Rule(rules, "input_stale").set_to("SIMPLE_CONTROLLER");
  EXPECT_OK(Compile(rules)) << "a lost goal leaves scan and pose";
}

TEST(ReachTest, ATriggerThatIsRaisedOtherwiseTooMayLeadToAStateThatNeedsItsInputs) {
  R rules = RichFallbackDocument();
  Rule(rules, "input_stale").set_to("SIMPLE_CONTROLLER");
  State(rules, "SIMPLE_CONTROLLER").add_needs("goal_bearing_rad");
  State(rules, "SIMPLE_CONTROLLER").add_needs("goal_range_m");
  v1::ControlPolicy policy = RichPolicyDocument();
  policy.mutable_output()->mutable_confidence()->set_trigger("input_stale");
  rules.mutable_triggers()->RemoveLast();
  Rule(rules, "policy_saturated").set_to("DEGRADED");
  EXPECT_OK(Fallback::Compile(rules, Compiled(policy)));
}

TEST(ReachTest, TwoBuiltInControllersMayNeedDifferentInputs) {
  R rules = RichFallbackDocument();
  for (auto& [name, state] : *rules.mutable_states()) {
    state.set_rank(state.rank() > 2 ? state.rank() + 40 : state.rank());
  }
  State(rules, "HOMING") = State(rules, "SIMPLE_CONTROLLER");
  State(rules, "HOMING").set_rank(21);
  State(rules, "HOMING").add_needs("goal_bearing_rad");
  State(rules, "HOMING").set_else_("SIMPLE_CONTROLLER");
  Rule(rules, "input_stale").set_to("HOMING");
  EXPECT_OK(Compile(rules)) << "a lost range leaves the bearing";
  State(rules, "HOMING").add_needs("goal_range_m");
  EXPECT_THAT(Compile(rules),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[states.HOMING] ")));
}

TEST(ReachTest, AStateMayServeProbationFlappingOrWhatClearsTooOftenAlone) {
  for (auto* lead : {+[](R& r) { r.mutable_rearm()->mutable_probation()->set_to("PARKED"); },
                     +[](R& r) { r.mutable_flap()->set_to("PARKED"); },
                     +[](R& r) { Rule(r, "low_confidence").mutable_clear()->set_else_("PARKED"); },
                     +[](R& r) {
                       Rule(r, "low_confidence").mutable_clear()->set_else_("PARKED");
                       Rule(r, "low_confidence").mutable_clear()->set_max_per_hour(1);
                     }}) {
    R rules = RichFallbackDocument();
    Parked(rules, 9).set_minimal_risk_condition(true);
    EXPECT_THAT(Compile(rules),
                StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[states.PARKED] ")));
    lead(rules);
    EXPECT_OK(Compile(rules));
  }
}

// S4: moves raise the rank, and what stops outranks what drives.
INSTANTIATE_TEST_SUITE_P(
    Ranks, UnprovenRulesTest,
    testing::Values(Defect{"S4", "states.CONTROLLED_STOP.then", "higher rank",
                           [](R& r) { State(r, "CONTROLLED_STOP").set_then("DEGRADED"); }},
                    Defect{"S4", "states.CONTROLLED_STOP.else", "higher rank",
                           [](R& r) { State(r, "CONTROLLED_STOP").set_else_("CONTROLLED_STOP"); }},
                    Defect{"S4", "states.PREVIOUS_MODEL.else", "higher rank",
                           [](R& r) { State(r, "PREVIOUS_MODEL").set_else_("DEGRADED"); }},
                    Defect{"S4", "states.CREEP.rank", "must be below 4",
                           [](R& r) { State(r, "CREEP").set_rank(9); }},
                    Defect{"S4", "states.SIMPLE_CONTROLLER.rank", "must be below 4", [](R& r) {
                             State(r, "SIMPLE_CONTROLLER").set_rank(12);
                             State(r, "SIMPLE_CONTROLLER").set_else_("LAST");
                             State(r, "LAST") = State(r, "SAFE_STOPPED");
                             State(r, "LAST").set_rank(13);
                           }}));

// S5: every stop is complete in time, and every substitute ends.
INSTANTIATE_TEST_SUITE_P(
    Bounds, UnprovenRulesTest,
    testing::Values(Defect{"S5", "states.CONTROLLED_STOP.complete_within_ms",
                           "at least 1300: from 1 m/s at 1 m/s2 (2 m/s3)",
                           [](R& r) { State(r, "CONTROLLED_STOP").set_complete_within_ms(1299); }},
                    Defect{"S5", "states.EMERGENCY_STOP.complete_within_ms", "at least 550",
                           [](R& r) { State(r, "EMERGENCY_STOP").set_complete_within_ms(549); }},
                    Defect{"S5", "states.CONTROLLED_STOP.complete_within_ms", "up to 2300",
                           [](R& r) { r.set_mrc_within_ms(2299); }},
                    Defect{"S5", "triggers[6].detect_ms", "up to 4400",
                           [](R& r) { r.set_mrc_within_ms(4399); }},
                    Defect{"S5", "triggers[8].detect_ms", "must be given",
                           [](R& r) { Rule(r, "estop_button").clear_detect_ms(); }},
                    Defect{"S5", "triggers[5].detect_ms", "must be given",
                           [](R& r) {
                             Rule(r, "hardware_limit").clear_detect_ms();
                             Rule(r, "hardware_limit").set_to("SAFE_STOPPED");
                           }},
                    Defect{"S5", "states.PREVIOUS_MODEL.max_dwell_s", "must be given",
                           [](R& r) { State(r, "PREVIOUS_MODEL").clear_max_dwell_s(); }},
                    Defect{"S5", "states.SIMPLE_CONTROLLER.max_dwell_s", "must be given",
                           [](R& r) { State(r, "SIMPLE_CONTROLLER").clear_max_dwell_s(); }}));

TEST(BoundsTest, AreHeldToTheMillisecond) {
  R rules = RichFallbackDocument();
  rules.set_mrc_within_ms(4400);
  EXPECT_OK(Compile(rules));
  State(rules, "CONTROLLED_STOP").set_complete_within_ms(1300);
  State(rules, "EMERGENCY_STOP").set_complete_within_ms(550);
  EXPECT_OK(Compile(rules));
}

TEST(BoundsTest, ForgiveWhatASumOfWrittenDigitsRoundsTo) {
  R rules = RichFallbackDocument();
  State(rules, "EMERGENCY_STOP").set_dec_mps2(1.25);
  State(rules, "EMERGENCY_STOP").set_complete_within_ms(850);
  ASSERT_GT(1000 * (1.0 / 1.25 + 1 / 20.0), 850.0) << "800 ms and a tick";
  EXPECT_OK(Compile(rules));
}

TEST(BoundsTest, EndWhereNobodyWouldWaitForThem) {
  R rules = RichFallbackDocument();
  rules.set_mrc_within_ms(60'000);
  Rule(rules, "network_down").mutable_defer()->set_max_s(600);
  EXPECT_OK(Compile(rules));
  rules.set_mrc_within_ms(60'000.5);
  EXPECT_THAT(Compile(rules),
              StatusIs(absl::StatusCode::kInvalidArgument, StartsWith("[mrc_within_ms] ")));
  rules.set_mrc_within_ms(60'000);
  rules.set_mrc_within_ms(4500);
  Rule(rules, "network_down").clear_defer();
  Rule(rules, "network_down").set_to("DEGRADED");
  Rule(rules, "network_down").set_after_ms(600'000);
  EXPECT_OK(Compile(rules));
  Rule(rules, "network_down").set_after_ms(600'000.5);
  EXPECT_THAT(Compile(rules),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(".after_ms] ")));
  Rule(rules, "network_down").set_after_ms(2000);
  Rule(rules, "network_down").set_to("CONTROLLED_STOP");
  Rule(rules, "network_down").mutable_defer()->add_in_zone("dock");
  Rule(rules, "network_down").mutable_defer()->set_max_s(600.0005);
  EXPECT_THAT(Compile(rules), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(".max_s] ")));
}

TEST(StatesTest, NominalLimitsMayBeSaid) {
  R rules = RichFallbackDocument();
  State(rules, "NOMINAL").set_limits("nominal");
  EXPECT_OK(Compile(rules));
}

TEST(StatesTest, ThereMayBeThirtyTwo) {
  R rules = RichFallbackDocument();
  State(rules, "SAFE_STOPPED").set_max_dwell_s(60);
  State(rules, "SAFE_STOPPED").set_else_("ESTOP_LATCHED");
  State(rules, "ESTOP_LATCHED").set_rank(99);
  for (uint32_t rank = 7; rules.states_size() < 32; ++rank) {
    v1::FallbackState& last = State(rules, "PARKED" + std::to_string(rank));
    last = State(rules, "SAFE_STOPPED");
    last.set_rank(rank);
    last.set_else_("ESTOP_LATCHED");
    State(rules, rank == 7 ? "SAFE_STOPPED" : "PARKED" + std::to_string(rank - 1))
        .set_else_("PARKED" + std::to_string(rank));
  }
  EXPECT_OK(Compile(rules).status());
  State(rules, "ONE_MORE").set_rank(98);
  EXPECT_THAT(Compile(rules),
              StatusIs(absl::StatusCode::kInvalidArgument, "[states] must be 1 to 32, are 33"));
}

TEST(BoundsTest, HoldForStopsThatNoTriggerLeadsToAtOnce) {
  R rules = RichFallbackDocument();
  for (v1::Trigger& trigger : *rules.mutable_triggers()) {
    if (!trigger.clear().rearm()) trigger.set_to("DEGRADED");
  }
  Rule(rules, "nonfinite").set_to("PREVIOUS_MODEL");
  rules.set_mrc_within_ms(2300);
  EXPECT_OK(Compile(rules));
  rules.set_mrc_within_ms(2299);
  EXPECT_THAT(Compile(rules), StatusIs(absl::StatusCode::kInvalidArgument,
                                       StartsWith("[states.CONTROLLED_STOP.complete_within_ms] ")));
}

TEST(BoundsTest, EndWhereAMinimalRiskConditionIsReachedHoweverLongItIsHeld) {
  R rules = RichFallbackDocument();
  Parked(rules, 9).set_minimal_risk_condition(true);
  State(rules, "SAFE_STOPPED").set_max_dwell_s(3600);
  State(rules, "SAFE_STOPPED").set_else_("PARKED");
  EXPECT_OK(Compile(rules));
}

TEST(BoundsTest, CountWholeTicksBecauseDecisionsFallOnThem) {
  R rules = RichFallbackDocument();
  State(rules, "EMERGENCY_STOP").set_complete_within_ms(801);
  ASSERT_OK_AND_ASSIGN(const Fallback compiled, Compile(rules));
  EXPECT_EQ(LongestStop(compiled, 4, milliseconds(50)), milliseconds(1500 + 850));
  EXPECT_EQ(LongestStop(compiled, 5, milliseconds(50)), Nanos{0});
}

TEST(BoundsTest, AStopWithoutJerkTakesSpeedOverDeceleration) {
  R rules = RichFallbackDocument();
  State(rules, "CONTROLLED_STOP").clear_jerk_mps3();
  State(rules, "CONTROLLED_STOP").set_complete_within_ms(1050);
  EXPECT_OK(Compile(rules));
  State(rules, "CONTROLLED_STOP").set_complete_within_ms(1049.9);
  EXPECT_THAT(Compile(rules),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at least 1050")));
}

TEST(BoundsTest, ARobotThatTurnsOnTheSpotMustComeToRestToo) {
  v1::ControlPolicy policy = RichPolicyDocument();
  policy.mutable_limits()->mutable_nominal()->set_wz_acc_max_radps2(2);
  R rules = RichFallbackDocument();
  EXPECT_OK(Fallback::Compile(rules, Compiled(policy))) << "0.75 s and a tick";
  policy.mutable_limits()->mutable_nominal()->set_wz_acc_max_radps2(1.99);
  EXPECT_THAT(Fallback::Compile(rules, Compiled(policy)),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith("[states.EMERGENCY_STOP.complete_within_ms] ")));
}

TEST(BoundsTest, TheFasterWayOfAPolicyThatDrivesBackwardsCounts) {
  v1::ControlPolicy policy = RichPolicyDocument();
  policy.mutable_limits()->mutable_nominal()->set_vx_min_mps(-1.1);
  R rules = RichFallbackDocument();
  State(rules, "EMERGENCY_STOP").set_complete_within_ms(599);
  const auto compiled = Policy::Compile(policy);
  ASSERT_TRUE(compiled.ok()) << compiled.status();
  EXPECT_THAT(Fallback::Compile(rules, *compiled),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at least 600")));
}

}  // namespace
}  // namespace agent::runtime
