#include "agent/runtime/fallback_graph.h"
#include "agent/runtime/fallback_machine.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/rules_world.h"

// What the proofs reckon with, figure by figure, and what a trigger's place remembers.

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::tests::Compiled;
using ::tests::kStartOfTime;
using ::tests::NavPolicyDocument;
using ::tests::NavRules;
using ::tests::RichFallbackDocument;
using ::tests::RichPolicyDocument;
using ::tests::State;
namespace v1 = ::gatekeeper::v1;

TEST(CausesTest, EveryInputRaisesItsTriggerAsLateAsItsCheckAndATick) {
  const Policy policy = Compiled(RichPolicyDocument());
  ASSERT_OK_AND_ASSIGN(const Fallback rules, Fallback::Compile(RichFallbackDocument(), policy));
  const std::vector<TriggerCause> causes = CausesOf(rules, policy);
  for (size_t i = 0; i < policy.inputs().size(); ++i) {
    const InputLimits& input = policy.inputs()[i];
    for (size_t t = 0; t < causes.size(); ++t) {
      if (t != input.trigger) continue;
      EXPECT_NE(causes[t].inputs & (InputMask{1} << i), 0U) << input.channel;
      EXPECT_GE(causes[t].detect, input.max_age + policy.command().period) << input.channel;
    }
  }
}

TEST(CausesTest, MissesShowWithTheFewerOfThoseInARowAndThoseInTheWindow) {
  for (const auto& [row, window, counted] : {std::tuple{5U, 2U, 3}, {2U, 9U, 2}, {4U, 3U, 4}}) {
    v1::ControlPolicy document = NavPolicyDocument();
    document.mutable_deadline()->set_max_consecutive(row);
    document.mutable_deadline()->mutable_window()->set_max(window);
    const Policy policy = Compiled(document);
    const std::vector<TriggerCause> causes = CausesOf(NavRules(), policy);
    const Nanos wanted = counted * policy.command().period + policy.deadline().hard;
    bool found = false;
    for (size_t t = 0; t < causes.size(); ++t) {
      if (t != policy.deadline().trigger) continue;
      found = true;
      EXPECT_EQ(causes[t].detect, wanted) << row << " in a row, " << window << " in the window";
    }
    EXPECT_TRUE(found);
  }
}

TEST(LongestStopTest, IsNothingWhereTheRobotStandsSafely) {
  const Fallback rules = NavRules();
  for (StateIndex i = 0; i < rules.states().size(); ++i) {
    if (rules.states()[i].minimal_risk) {
      EXPECT_EQ(LongestStop(rules, i, milliseconds(50)), Nanos{0}) << rules.states()[i].name;
    }
  }
}

TEST(HeldTest, ATriggerThatIsHeldWhereItStandsAlreadyKeepsItsTime) {
  tests::Rules document = RichFallbackDocument();
  State(document, "DEGRADED").set_max_dwell_s(5);
  State(document, "DEGRADED").set_else_("PREVIOUS_MODEL");
  const Policy policy = Compiled(RichPolicyDocument());
  ASSERT_OK_AND_ASSIGN(const Fallback rules, Fallback::Compile(document, policy));
  TriggerMask doubt = 0;
  for (size_t i = 0; i < rules.triggers().size(); ++i) {
    if (rules.triggers()[i].id == "low_confidence") doubt = MaskOf(i);
  }
  FallbackStatus status;
  Nanos now = kStartOfTime;
  const auto live = [&](TriggerMask raised, Nanos time) {
    for (const Nanos end = now + time; now < end;) {
      now += milliseconds(50);
      Advance(rules,
              {.raised = raised,
               .previous_runs = true,
               .standing = false,
               .now = now,
               .fresh = ~InputMask{0},
               .zones = 0,
               .driven = milliseconds(50)},
              status);
    }
  };
  const auto state = [&] { return rules.states()[status.state].name; };
  for (int i = 0; i < 2; ++i) {  // the two clears of the hour
    live(doubt, milliseconds(50));
    live(0, seconds(1));
    EXPECT_EQ(state(), "NOMINAL");
  }
  live(doubt, seconds(6));
  ASSERT_EQ(state(), "PREVIOUS_MODEL");  // since about a second
  live(0, seconds(28));                  // calm, and held
  EXPECT_EQ(status.held, doubt);
  EXPECT_EQ(state(), "PREVIOUS_MODEL");
  live(0, milliseconds(1500));  // its 30 s are over
  EXPECT_NE(state(), "PREVIOUS_MODEL");
}

}  // namespace
}  // namespace agent::runtime
