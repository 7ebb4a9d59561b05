#include "agent/runtime/fallback.h"
#include "tests/agent/runtime/bad_rules.h"

// What Fallback::Compile makes of triggers: what raises, postpones and clears them.

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::tests::Compiled;
using ::tests::Defect;
using ::tests::ExpectRefused;
using ::tests::R;
using ::tests::RichFallbackDocument;
using ::tests::RichPolicyDocument;
using ::tests::Rule;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

const TriggerRule& TriggerOf(const Fallback& rules, const std::string& id) {
  for (const TriggerRule& rule : rules.triggers()) {
    if (rule.id == id) return rule;
  }
  ADD_FAILURE() << id;
  return rules.triggers()[0];
}

TEST(TriggerTest, KnowsWhereItWaitsAndHowLong) {
  const Fallback rules = tests::RichRules();
  const TriggerRule& network = TriggerOf(rules, "network_down");
  EXPECT_EQ(network.defer_max, seconds(5));
  EXPECT_EQ(network.defer_in, ZoneMask{1} << 2) << "hall, stairs, dock";
  EXPECT_EQ(rules.deferrable(), MaskOf(rules.network_down()));
}

TEST(TriggerTest, KnowsHowOftenItMayClearAndWhereItGoesThen) {
  const Fallback rules = tests::RichRules();
  const TriggerRule& doubt = TriggerOf(rules, "low_confidence");
  EXPECT_EQ(doubt.max_per_hour, 2U);
  EXPECT_EQ(rules.states()[doubt.otherwise].name, "PREVIOUS_MODEL");
}

class BadTriggersTest : public testing::TestWithParam<Defect> {};

TEST_P(BadTriggersTest, AreRefusedByThePathAndTheRuleOfTheDefect) { ExpectRefused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Triggers, BadTriggersTest,
    testing::Values(Defect{"S2", "triggers", "'low_confidence'",
                           [](R& r) { r.mutable_triggers()->RemoveLast(); }},
                    Defect{"S1", "triggers[10].id", "two rules",
                           [](R& r) {
                             const v1::Trigger again = Rule(r, "nonfinite");
                             *r.add_triggers() = again;
                           }},
                    Defect{"S2", "triggers[10].id", "nobody raises 'moon_phase'",
                           [](R& r) { Rule(r, "moon_phase").set_layer("model"); }},
                    Defect{"S1", "triggers[0].id", "itself raises",
                           [](R& r) { Rule(r, "nonfinite").set_id("latched"); }},
                    Defect{"S1", "triggers[0].id", "itself raises",
                           [](R& r) { Rule(r, "nonfinite").set_id("awaiting_start"); }},
                    Defect{"S1", "triggers[0].id", "itself raises",
                           [](R& r) { Rule(r, "nonfinite").set_id("flapping"); }},
                    Defect{"S1", "triggers[0].id", "itself raises",
                           [](R& r) { Rule(r, "nonfinite").set_id("invariant_broken"); }},
                    Defect{"S1", "triggers[0].layer", "'cloud'",
                           [](R& r) { Rule(r, "nonfinite").set_layer("cloud"); }},
                    Defect{"S1", "triggers[3].layer", "must be model",
                           [](R& r) { Rule(r, "model_failed").set_layer("circuit"); }},
                    Defect{"S2", "triggers[0].to", "'NOWHERE'",
                           [](R& r) { Rule(r, "nonfinite").set_to("NOWHERE"); }},
                    Defect{"S1", "triggers[0].to", "nominal",
                           [](R& r) { Rule(r, "nonfinite").set_to("NOMINAL"); }}));

// Triggers that act at once can neither wait nor be postponed.
INSTANTIATE_TEST_SUITE_P(
    AtOnce, BadTriggersTest,
    testing::Values(
        Defect{"S1", "triggers[0].after_ms", "at once",
               [](R& r) { Rule(r, "nonfinite").set_after_ms(100); }},
        Defect{"S1", "triggers[1].after_ms", "at once",
               [](R& r) { Rule(r, "deadline_miss").set_after_ms(100); }},
        Defect{"S1", "triggers[2].after_ms", "at once",
               [](R& r) { Rule(r, "policy_saturated").set_after_ms(100); }},
        Defect{"S1", "triggers[3].after_ms", "at once",
               [](R& r) { Rule(r, "model_failed").set_after_ms(100); }},
        Defect{"S14", "triggers[6].after_ms", "above 0",
               [](R& r) { Rule(r, "network_down").set_after_ms(-1); }},
        Defect{"S1", "triggers[7].after_ms", "at once",
               [](R& r) { Rule(r, "envelope_breach").set_after_ms(100); }},
        Defect{"S1", "triggers[8].after_ms", "at once",
               [](R& r) { Rule(r, "estop_button").set_after_ms(100); }},
        Defect{
            "S1", "triggers[0].defer", "at once",
            [](R& r) { *Rule(r, "nonfinite").mutable_defer() = Rule(r, "network_down").defer(); }},
        Defect{"S1", "triggers[1].defer", "at once",
               [](R& r) {
                 *Rule(r, "deadline_miss").mutable_defer() = Rule(r, "network_down").defer();
               }},
        Defect{"S1", "triggers[3].defer", "at once",
               [](R& r) {
                 *Rule(r, "model_failed").mutable_defer() = Rule(r, "network_down").defer();
               }},
        Defect{"S1", "triggers[7].defer", "at once",
               [](R& r) {
                 *Rule(r, "envelope_breach").mutable_defer() = Rule(r, "network_down").defer();
               }},
        Defect{"S1", "triggers[8].defer", "at once", [](R& r) {
                 *Rule(r, "estop_button").mutable_defer() = Rule(r, "network_down").defer();
               }}));

INSTANTIATE_TEST_SUITE_P(
    Defer, BadTriggersTest,
    testing::Values(
        Defect{"S1", "triggers[5].defer", "an emergency",
               [](R& r) {
                 v1::Trigger& heat = Rule(r, "hardware_limit");
                 heat.set_to("EMERGENCY_STOP");
                 heat.mutable_clear()->Clear();
                 heat.mutable_clear()->set_rearm(true);
                 *heat.mutable_defer() = Rule(r, "network_down").defer();
               }},
        Defect{"S14", "triggers[6].defer.max_s", "for ever",
               [](R& r) { Rule(r, "network_down").mutable_defer()->clear_max_s(); }},
        Defect{"S1", "triggers[6].defer.in_zone", "'harbour'",
               [](R& r) { Rule(r, "network_down").mutable_defer()->add_in_zone("harbour"); }},
        Defect{"S1", "triggers[6].defer.in_zone", "'hall'",
               [](R& r) { Rule(r, "network_down").mutable_defer()->add_in_zone("hall"); }},
        Defect{"S1", "triggers[6].defer.in_zone", "must name",
               [](R& r) { Rule(r, "network_down").mutable_defer()->clear_in_zone(); }}));

TEST(TriggerTest, OfAnArmIsNotDeferred) {
  R rules = tests::ArmFallbackDocument();
  *Rule(rules, "network_down").mutable_defer() = tests::RichFallbackDocument().triggers(6).defer();
  EXPECT_THAT(Fallback::Compile(rules, Compiled(tests::ArmPolicyDocument())),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("mobile base")));
}

INSTANTIATE_TEST_SUITE_P(
    Clear, BadTriggersTest,
    testing::Values(
        Defect{"S1", "triggers[0].clear", "exactly one",
               [](R& r) { Rule(r, "nonfinite").clear_clear(); }},
        Defect{"S1", "triggers[0].clear", "exactly one",
               [](R& r) { Rule(r, "nonfinite").mutable_clear()->set_operator_(true); }},
        Defect{"S14", "triggers[0].clear.quiet_ms", "calm",
               [](R& r) { Rule(r, "nonfinite").mutable_clear()->set_quiet_ms(-1); }},
        Defect{"S6", "triggers[8].clear", "ends in a latch",
               [](R& r) {
                 Rule(r, "estop_button").mutable_clear()->clear_rearm();
                 Rule(r, "estop_button").mutable_clear()->set_quiet_ms(1000);
               }},
        Defect{"S6", "triggers[8].clear", "ends in a latch",
               [](R& r) {
                 Rule(r, "estop_button").mutable_clear()->clear_rearm();
                 Rule(r, "estop_button").mutable_clear()->set_operator_(true);
               }},
        Defect{"S1", "triggers[1].clear.else", "without max_per_hour",
               [](R& r) { Rule(r, "deadline_miss").mutable_clear()->set_else_("SAFE_STOPPED"); }},
        Defect{"S1", "triggers[5].clear.max_per_hour", "quiet_ms only",
               [](R& r) { Rule(r, "hardware_limit").mutable_clear()->set_max_per_hour(1); }},
        Defect{"S1", "triggers[9].clear.max_per_hour", "at most 8",
               [](R& r) { Rule(r, "low_confidence").mutable_clear()->set_max_per_hour(9); }},
        Defect{"S3", "triggers[9].clear.max_per_hour", "never be reached",
               [](R& r) { Rule(r, "low_confidence").mutable_clear()->set_quiet_ms(1'800'000); }},
        Defect{"S2", "triggers[9].clear.else", "''",
               [](R& r) { Rule(r, "low_confidence").mutable_clear()->clear_else_(); }},
        Defect{"S4", "triggers[9].clear.else", "higher rank",
               [](R& r) { Rule(r, "low_confidence").mutable_clear()->set_else_("DEGRADED"); }},
        Defect{"S6", "triggers[9].clear.else", "no operator clears", [](R& r) {
                 Rule(r, "low_confidence").mutable_clear()->set_else_("EMERGENCY_STOP");
               }}));

TEST(TriggerTest, MayClearAsOftenAsItsQuietTimeLeavesRoomFor) {
  R rules = RichFallbackDocument();
  Rule(rules, "low_confidence").mutable_clear()->set_quiet_ms(1'799'999);
  EXPECT_OK(Fallback::Compile(rules, Compiled(RichPolicyDocument())));
  Rule(rules, "low_confidence").mutable_clear()->set_quiet_ms(1000);
  Rule(rules, "low_confidence").mutable_clear()->set_max_per_hour(8);
  EXPECT_OK(Fallback::Compile(rules, Compiled(RichPolicyDocument())));
}

// --- detect_ms: not less than the policy's checks can take, at 20 Hz

struct Latest {
  const char* trigger;
  const char* why;
  double ms;
};
void PrintTo(const Latest& latest, std::ostream* out) { *out << latest.trigger; }

class DetectTest : public testing::TestWithParam<Latest> {};

absl::StatusOr<Fallback> WithDetect(double ms) {
  R rules = RichFallbackDocument();
  rules.set_mrc_within_ms(10'000);
  Rule(rules, DetectTest::GetParam().trigger).set_detect_ms(ms);
  v1::ControlPolicy policy = RichPolicyDocument();
  // Without a gauge it stops then.
  const bool by_absence = DetectTest::GetParam().trigger == std::string("hardware_limit");
  if (by_absence) policy.mutable_derate(1)->set_absent_scale(0);
  return Fallback::Compile(rules, Compiled(policy));
}

TEST_P(DetectTest, IsAsLongAsThePolicyCanTakeAndNotLess) {
  EXPECT_OK(WithDetect(GetParam().ms));
  EXPECT_THAT(WithDetect(GetParam().ms - 0.001), StatusIs(absl::StatusCode::kInvalidArgument,
                                                          HasSubstr("detect_ms] must be at least")))
      << GetParam().why;
  EXPECT_THAT(WithDetect(-1), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("above 0")));
}

INSTANTIATE_TEST_SUITE_P(
    Triggers, DetectTest,
    testing::Values(Latest{"input_stale", "the goal's stuck_after_ms and a tick", 1050},
                    Latest{"deadline_miss", "two ticks more, 30 ms in the third, a tick", 180},
                    Latest{"nonfinite", "a tick", 50}, Latest{"model_failed", "a tick", 50},
                    Latest{"low_confidence", "a tick", 50}, Latest{"estop_button", "a tick", 50},
                    Latest{"network_down", "a tick", 50},
                    Latest{"policy_saturated", "the window of 4 s and a tick", 4050},
                    Latest{"envelope_breach", "the oldest pose that counts, and a tick", 300},
                    Latest{"hardware_limit", "absence after 5 s, and a tick", 5050}));

TEST(TriggerTest, AContactOfAnArmIsSeenByTheOldestTorquesThatCount) {
  v1::ControlPolicy policy = tests::ArmPolicyDocument();
  policy.mutable_arm()->set_contact_trigger("contact");
  policy.mutable_joints()->at("elbow").set_tau_abs_max_nm(20);
  R rules = tests::ArmFallbackDocument();
  v1::Trigger& contact = Rule(rules, "contact");
  contact.set_layer("circuit");
  contact.set_to("CONTROLLED_STOP");
  contact.set_detect_ms(300);
  contact.mutable_clear()->set_operator_(true);
  EXPECT_OK(Fallback::Compile(rules, Compiled(policy)));
  contact.set_detect_ms(299);
  EXPECT_THAT(Fallback::Compile(rules, Compiled(policy)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at least 300")));
}

TEST(TriggerTest, APolicyMayRaiseOneThatExistsAnyway) {
  v1::ControlPolicy policy = RichPolicyDocument();
  policy.mutable_output()->set_trigger("model_failed");
  R rules = RichFallbackDocument();
  rules.mutable_triggers()->DeleteSubrange(0, 1);
  ASSERT_OK_AND_ASSIGN(const Fallback compiled, Fallback::Compile(rules, Compiled(policy)));
  EXPECT_EQ(compiled.triggers()[compiled.model_failed()].id, "model_failed");
  EXPECT_EQ(compiled.latched(), 9U);
}

TEST(TriggerTest, AShorterWindowOfMissesIsSeenBeforeARowOfThem) {
  v1::ControlPolicy policy = RichPolicyDocument();
  policy.mutable_deadline()->mutable_window()->set_max(1);
  R rules = RichFallbackDocument();
  Rule(rules, "deadline_miss").set_detect_ms(130);
  EXPECT_OK(Fallback::Compile(rules, Compiled(policy)));
}

TEST(TriggerTest, AMeasuredLimitIsSeenInATickWhereAbsenceRaisesNothing) {
  R rules = RichFallbackDocument();
  Rule(rules, "hardware_limit").set_detect_ms(50);
  EXPECT_OK(Fallback::Compile(rules, Compiled(RichPolicyDocument())));
}

TEST(TriggerTest, AnOldAgeMayTakeLongerThanAStuckStamp) {
  v1::ControlPolicy policy = RichPolicyDocument();
  (*policy.mutable_inputs())["goal_range_m"].set_max_age_ms(1200);
  EXPECT_THAT(Fallback::Compile(RichFallbackDocument(), Compiled(policy)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at least 1250")));
}

TEST(TriggerTest, ARequirementIsViolatedAtTheLatestAfterItsHorizonAndTwoTicks) {
  v1::ControlPolicy policy = RichPolicyDocument();
  v1::Requirement& requirement = *policy.add_requirements();
  requirement.set_id("slow");
  requirement.set_formula("always[0,1](vx_mps < 2)");
  requirement.set_trigger("too_fast");
  R rules = RichFallbackDocument();
  v1::Trigger& fast = Rule(rules, "too_fast");
  fast.set_layer("model");
  fast.set_to("CONTROLLED_STOP");
  fast.mutable_clear()->set_quiet_ms(1000);
  const Policy compiled = Compiled(policy);
  const auto& formula = compiled.requirements()[0].formula;
  const double least = 1100 + static_cast<double>(formula.sampling().min_gap.count()) * 1e-6;
  fast.set_detect_ms(least);
  EXPECT_OK(Fallback::Compile(rules, compiled));
  fast.set_detect_ms(least - 0.001);
  EXPECT_THAT(Fallback::Compile(rules, compiled),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("must be at least")));
  fast.set_detect_ms(least);
  fast.set_after_ms(50);
  EXPECT_THAT(Fallback::Compile(rules, compiled),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at once")));
}

}  // namespace
}  // namespace agent::runtime
