#include <chrono>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/runtime/fallback_machine.h"
#include "agent/runtime/rule_id.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/bad_rules.h"

// A number of the fallback rules with which a check would never act switches it off (S14).

namespace agent::runtime {
namespace {

using ::testing::StartsWith;
using ::tests::Compiled;
using ::tests::R;
using ::tests::RichFallbackDocument;
using ::tests::RichPolicyDocument;
using ::tests::Rule;
using ::tests::State;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

struct RuleBound {
  const char* path;
  void (*set)(R&, double);
  double inside;
  double beyond;
  const char* refusal;
};

void PrintTo(const RuleBound& bound, std::ostream* out) { *out << bound.path; }

void ExpectBound(const v1::ControlPolicy& policy, const RuleBound& bound) {
  R rules = RichFallbackDocument();
  bound.set(rules, bound.inside);
  EXPECT_OK(Fallback::Compile(rules, Compiled(policy)).status());
  bound.set(rules, bound.beyond);
  const absl::Status refused = Fallback::Compile(rules, Compiled(policy)).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument,
                                std::string("[") + bound.path + "] " + bound.refusal));
  EXPECT_EQ(RuleOf(refused), "S14");
}

class RuleCeilingTest : public testing::TestWithParam<RuleBound> {};

TEST_P(RuleCeilingTest, IsTakenAndRefusedBeyondIt) {
  ExpectBound(RichPolicyDocument(), GetParam());
}

v1::RearmRule& Rearm(R& r) { return *r.mutable_rearm(); }

INSTANTIATE_TEST_SUITE_P(
    States, RuleCeilingTest,
    testing::Values(
        RuleBound{"states.PREVIOUS_MODEL.max_dwell_s",
                  [](R& r, double v) { State(r, "PREVIOUS_MODEL").set_max_dwell_s(v); }, 3600,
                  3600.5, "must be at most 3600, is 3600.5: it would hold nothing back"},
        RuleBound{"states.SIMPLE_CONTROLLER.max_dwell_s",
                  [](R& r, double v) { State(r, "SIMPLE_CONTROLLER").set_max_dwell_s(v); }, 3600,
                  3600.5, "must be at most 3600, is 3600.5: it would hold nothing back"},
        RuleBound{"states.DEGRADED.max_dwell_s",
                  [](R& r, double v) { State(r, "DEGRADED").set_max_dwell_s(v); }, 86'400, 86'400.5,
                  "must be at most 86400, is 86400.5: it would hold nothing back"}));

INSTANTIATE_TEST_SUITE_P(
    Person, RuleCeilingTest,
    testing::Values(
        RuleBound{"rearm.ttl_s", [](R& r, double v) { Rearm(r).set_ttl_s(v); }, 3600, 3600.5,
                  "must be at most 3600, is 3600.5: it would hold nothing back"},
        RuleBound{"rearm.standstill_ms", [](R& r, double v) { Rearm(r).set_standstill_ms(v); }, 500,
                  499.5, "must be at least 500, is 499.5: a moving robot may not be re-armed"},
        RuleBound{"rearm.standstill_ms", [](R& r, double v) { Rearm(r).set_standstill_ms(v); },
                  86'400'000, 86'400'000.5,
                  "must be at most 86400000, a day, is 86400000.5: nobody waits longer"},
        RuleBound{"rearm.probation.for_s",
                  [](R& r, double v) { Rearm(r).mutable_probation()->set_for_s(v); }, 1, 0.99,
                  "must be at least 1, is 0.99: what stopped the robot once may be there still"},
        RuleBound{"rearm.probation.for_s",
                  [](R& r, double v) { Rearm(r).mutable_probation()->set_for_s(v); }, 86'400,
                  86'400.5, "must be at most 86400, a day, is 86400.5: nobody waits longer"}));

INSTANTIATE_TEST_SUITE_P(
    Triggers, RuleCeilingTest,
    testing::Values(
        RuleBound{"triggers[0].clear.quiet_ms",
                  [](R& r, double v) { Rule(r, "nonfinite").mutable_clear()->set_quiet_ms(v); }, 50,
                  49.9, "must be at least 50, is 49.9: calm takes a period"},
        RuleBound{"triggers[1].clear.quiet_ms",
                  [](R& r, double v) { Rule(r, "deadline_miss").mutable_clear()->set_quiet_ms(v); },
                  86'400'000, 86'400'000.5,
                  "must be at most 86400000, a day, is 86400000.5: nobody waits longer"},
        RuleBound{"triggers[6].defer.max_s",
                  [](R& r, double v) { Rule(r, "network_down").mutable_defer()->set_max_s(v); },
                  600, 600.5, "must be at most 600, is 600.5: it would hold nothing back"}));

// --- flapping: five episodes of a trigger fit into the window

// Input_stale clears the soonest: ten periods, one to be raised anew and one for jitter.
INSTANTIATE_TEST_SUITE_P(
    Flap, RuleCeilingTest,
    testing::Values(
        RuleBound{"flap.window_s", [](R& r, double v) { r.mutable_flap()->set_window_s(v); },
                  3.000000001, 3,
                  "must be above 3, is 3: 'input_stale', which clears the soonest, takes as long "
                  "to be raised max_transitions (5) times more"},
        RuleBound{"flap.window_s", [](R& r, double v) { r.mutable_flap()->set_window_s(v); },
                  86'400, 86'400.5,
                  "must be at most 86400, a day, is 86400.5: nobody waits longer"}));

// Every trigger that clears by itself takes ten times as long as a lost network.
void LetTheNetworkClearTheSoonest(R& r, double quiet_ms, double after_ms) {
  for (v1::Trigger& trigger : *r.mutable_triggers()) {
    if (trigger.clear().quiet_ms() == 0) continue;
    const bool network = trigger.id() == "network_down";
    trigger.mutable_clear()->set_quiet_ms(network ? quiet_ms : 10 * (quiet_ms + after_ms));
    if (network) trigger.set_after_ms(after_ms);
  }
}

// Raises the network's loss as soon as it can be, 20 times, with what raises it late by `late`.
bool Flaps(const Fallback& rules, Nanos late) {
  FallbackStatus status;
  for (int tick = 0; tick < 2000; ++tick) {
    const bool raised = !status.IsActive(rules.network_down());
    const Nanos now = tests::kStartOfTime + tick * tests::kPeriod + (raised ? late : Nanos{0});
    const TriggerMask mask = raised ? MaskOf(rules.network_down()) : 0;
    Advance(rules, {.raised = mask, .previous_runs = true, .now = now, .fresh = ~InputMask{0}},
            status);
    if (status.IsActive(rules.flapping())) return true;
  }
  return false;
}

TEST(FlapWindowTest, IsSoLongThatTheMachineCountsWhatClearsTheSoonest) {
  struct Case {
    double quiet_ms, after_ms, above_s;
  };
  for (const Case& at : {Case{500, 0, 3}, {510, 0, 3.25}, {510, 20, 3.5}, {500, 100, 3.5}}) {
    R rules = RichFallbackDocument();
    LetTheNetworkClearTheSoonest(rules, at.quiet_ms, at.after_ms);
    rules.mutable_flap()->set_window_s(at.above_s);
    EXPECT_THAT(Fallback::Compile(rules, Compiled(RichPolicyDocument())),
                StatusIs(absl::StatusCode::kInvalidArgument,
                         testing::HasSubstr(absl::StrCat("must be above ", at.above_s, ", is ",
                                                         at.above_s, ": 'network_down'"))));
    rules.mutable_flap()->set_window_s(at.above_s + 1e-9);
    ASSERT_OK_AND_ASSIGN(const Fallback taken,
                         Fallback::Compile(rules, Compiled(RichPolicyDocument())));
    EXPECT_TRUE(Flaps(taken, Nanos{0})) << at.quiet_ms << ' ' << at.after_ms;
    EXPECT_TRUE(Flaps(taken, std::chrono::milliseconds(1))) << at.quiet_ms << ' ' << at.after_ms;
  }
}

// 5 times 4.8 h and two ticks are a day; nobody may ask for a longer window.
TEST(FlapWindowTest, IsNotAskedToBeLongerThanItMay) {
  R rules = RichFallbackDocument();
  rules.mutable_flap()->set_window_s(60);
  const auto clear_after = [&](double quiet_ms) {
    for (v1::Trigger& trigger : *rules.mutable_triggers()) {
      if (trigger.clear().quiet_ms() == 0) continue;
      trigger.mutable_clear()->set_quiet_ms(quiet_ms);
      trigger.mutable_clear()->clear_max_per_hour();
      trigger.mutable_clear()->clear_else_();
      trigger.clear_after_ms();
    }
    return Fallback::Compile(rules, Compiled(RichPolicyDocument())).status();
  };
  constexpr double kFifthOfADayMs = 86'400'000.0 / 5;
  EXPECT_OK(clear_after(kFifthOfADayMs - 100));
  EXPECT_THAT(clear_after(kFifthOfADayMs - 150),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith("[flap.window_s] must be above 86399.75, is 60")));
}

TEST(FlapWindowTest, MayBeOfAnyLengthWhereEveryTriggerWaitsForAPerson) {
  R rules = RichFallbackDocument();
  for (v1::Trigger& trigger : *rules.mutable_triggers()) {
    if (trigger.clear().rearm()) continue;
    trigger.mutable_clear()->Clear();
    trigger.mutable_clear()->set_operator_(true);
  }
  rules.mutable_flap()->set_window_s(0.05);
  EXPECT_OK(Fallback::Compile(rules, Compiled(RichPolicyDocument())).status());
}

// --- follow_gap: as wide as the robot, whichever side of it is the wider

void SetHalfWidth(R& r, double v) {
  State(r, "SIMPLE_CONTROLLER").mutable_follow_gap()->set_half_width_m(v);
}

// 0.1 + 0.2 is 0.30000000000000004.
TEST(GapWidthTest, IsWhatTheRefusalNames) {
  v1::ControlPolicy policy = RichPolicyDocument();
  policy.mutable_footprint()->mutable_circle_m()->mutable_c()->set_y(0.1);
  policy.mutable_footprint()->mutable_circle_m()->set_r(0.2);
  ExpectBound(policy,
              {"states.SIMPLE_CONTROLLER.follow_gap.half_width_m", SetHalfWidth, 0.3, 0.299999999,
               "must be at least 0.3, is 0.299999999: the footprint is as "
               "wide"});
}

TEST(GapWidthTest, IsAtLeastTheRobots) {
  for (const double aside_m : {0.0, 0.125, -0.125}) {
    v1::ControlPolicy policy = RichPolicyDocument();
    policy.mutable_footprint()->mutable_circle_m()->mutable_c()->set_y(aside_m);
    const double wide_m = 0.25 + std::abs(aside_m);
    const std::string refusal = aside_m == 0
                                    ? "must be at least 0.25, is 0.249: the footprint is as wide"
                                    : "must be at least 0.375, is 0.374: the footprint is as wide";
    ExpectBound(policy, {"states.SIMPLE_CONTROLLER.follow_gap.half_width_m", SetHalfWidth, wide_m,
                         wide_m - 0.001, refusal.c_str()});
  }
}

}  // namespace
}  // namespace agent::runtime
