#include <cmath>
#include <limits>

#include "agent/runtime/model_watch.h"
#include "agent/runtime/rule_id.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/driven_robot.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/agent/runtime/policy_bounds.h"
#include "tests/support/status_matchers.h"

// What a model says about its own answer: here how unsure it is.

namespace agent::runtime {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using ::tests::NavCard;
using ::tests::NavPolicyDocument;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

v1::ControlPolicy WithUncertainty() {
  v1::ControlPolicy document = NavPolicyDocument();
  v1::Uncertainty& uncertainty = *document.mutable_output()->mutable_uncertainty();
  uncertainty.set_enter_above(0.3);
  uncertainty.set_leave_below(0.2);
  uncertainty.set_leave_hold_ms(200);
  uncertainty.set_trigger("unsure");
  return document;
}

v1::ModelCard WithOutput(const char* field) {
  v1::ModelCard card = NavCard();
  v1::OutputBinding& output = *card.add_outputs();
  output = card.outputs(0);
  output.set_field(field);
  output.set_index(2);
  return card;
}

void MakeUnsure(v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
  policy = WithUncertainty();
  card = WithOutput("uncertainty");
  v1::Trigger& unsure = *rules.add_triggers();
  for (const v1::Trigger& trigger : rules.triggers()) {
    if (trigger.id() == "policy_saturated") unsure = trigger;
  }
  unsure.set_id("unsure");
  unsure.set_to("DEGRADED");
  unsure.mutable_clear()->set_quiet_ms(100);
}

TEST(UncertaintyTest, LowersTheModelAboveEnterAndUntilItWasBelowLeaveForItsTime) {
  tests::DrivenRobot robot(MakeUnsure);
  const auto say = [&](float uncertainty) -> const Tick& {
    robot.unit.model->says = {0.3F, 0.0F, uncertainty};
    return robot.Tick();
  };
  EXPECT_THAT(say(0.29F).triggers, Not(Contains("unsure")));
  EXPECT_EQ(robot.Tick().state, "NOMINAL");
  EXPECT_THAT(say(0.31F).triggers, Contains("unsure"));
  EXPECT_EQ(say(0.25F).state, "DEGRADED") << "between the two it stays what it was";
  for (int i = 0; i < 3; ++i) EXPECT_THAT(say(0.19F).triggers, Contains("unsure")) << i;
  EXPECT_THAT(say(0.21F).triggers, Contains("unsure")) << "a break starts the time anew";
  for (int i = 0; i < 12; ++i) say(0.19F);
  EXPECT_EQ(say(0.19F).state, "NOMINAL");
}

TEST(UncertaintyTest, IsInTheRecordOfTheTick) {
  tests::DrivenRobot robot(MakeUnsure);
  robot.unit.model->says = {0.3F, 0.0F, 0.125F};
  EXPECT_EQ(ToRecord(robot.Tick()).uncertainty(), 0.125);
  robot.unit.model->outcome = base::RunOutcome::kFailed;
  EXPECT_EQ(ToRecord(robot.Tick()).uncertainty(), 0) << "no answer, nothing said";
}

TEST(UncertaintyTest, ThatIsNoNumberIsANonFiniteOutput) {
  tests::DrivenRobot robot(MakeUnsure);
  robot.unit.model->says = {0.3F, 0.0F, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_TRUE(robot.Tick().nonfinite);
}

TEST(UncertaintyTest, APolicyThatJudgesItNeedsACardThatBindsIt) {
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(WithUncertainty()));
  EXPECT_OK(SignatureFor(WithOutput("uncertainty"), policy).status());
  EXPECT_THAT(SignatureFor(WithOutput("confidence"), policy),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("must bind uncertainty")));
}

TEST(UncertaintyTest, ACardMayBindItAndConfidenceToo) {
  v1::ModelCard card = WithOutput("uncertainty");
  v1::OutputBinding& output = *card.add_outputs();
  output = card.outputs(2);
  output.set_field("confidence");
  output.set_index(3);
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(WithUncertainty()));
  ASSERT_OK_AND_ASSIGN(const base::ModelSignature signature, SignatureFor(card, policy));
  ASSERT_OK_AND_ASSIGN(const Binding binding, Binding::Compile(card, policy, signature));
  tests::FakeModel model(signature);
  model.says = {0.0F, 0.0F, 0.25F, 0.75F};
  model.Run(Nanos{0});
  std::vector<double> raw;
  SelfReport report;
  EXPECT_TRUE(binding.Read(model, raw, report));
  EXPECT_EQ(report.uncertainty, 0.25);
  EXPECT_EQ(report.confidence, 0.75);
}

// A card that clips away every doubt switches the policy's check off (S14).
TEST(CardDoubtTest, AnUncertaintyMustBeAbleToExceedWhereThePolicyDoubts) {
  ASSERT_OK_AND_ASSIGN(const Policy policy, Policy::Compile(WithUncertainty()));
  v1::ModelCard card = WithOutput("uncertainty");
  card.mutable_outputs(2)->set_clip_max(std::nextafter(0.3, 1));
  EXPECT_OK(SignatureFor(card, policy).status());
  card.mutable_outputs(2)->set_clip_max(0.3);
  const absl::Status refused = SignatureFor(card, policy).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument,
                                "[outputs[2]] must rise above the policy's "
                                "output.uncertainty.enter_above (0.3) for 0 or 1, rises to 0.3: "
                                "the model could never be in doubt; let it give the number as it "
                                "is, without scale, offset and narrow clips"));
  EXPECT_EQ(RuleOf(refused), "S14");
  EXPECT_OK(SignatureFor(card, tests::Compiled(NavPolicyDocument())).status()) << "nobody asks";
}

TEST(CardDoubtTest, AConfidenceMustBeAbleToFallBelowWhereThePolicyDoubts) {
  v1::ControlPolicy document = NavPolicyDocument();
  tests::Confidence(document);
  const Policy policy = tests::Compiled(document);
  v1::ModelCard card = WithOutput("confidence");
  card.mutable_outputs(2)->set_clip_min(std::nextafter(0.3, 0));
  EXPECT_OK(SignatureFor(card, policy).status());
  card.mutable_outputs(2)->set_clip_min(0.3);
  EXPECT_FALSE(SignatureFor(card, policy).ok());
  card.mutable_outputs(2)->set_clip_min(0.4);
  const absl::Status refused = SignatureFor(card, policy).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument,
                                "[outputs[2]] must fall below the policy's "
                                "output.confidence.enter_below (0.3) for a share of 0 or 1, falls "
                                "to 0.4: the model could never be in doubt; let it give the number "
                                "as it is, without scale, offset and narrow clips"));
  EXPECT_EQ(RuleOf(refused), "S14");
  EXPECT_OK(SignatureFor(card, tests::Compiled(NavPolicyDocument())).status()) << "nobody asks";
}

struct Turned {
  double scale;
  double offset;
  bool taken;
};

TEST(CardDoubtTest, AConfidenceMayBeTurnedAroundButNotAway) {
  v1::ControlPolicy document = NavPolicyDocument();
  tests::Confidence(document);
  const Policy policy = tests::Compiled(document);
  for (const Turned& turned :
       {Turned{1, 0, true}, Turned{-1, 1, true}, Turned{0.01, 0, true}, Turned{0.7, 0.29, true},
        Turned{1, 0.3, false}, Turned{0.001, 0.9, false}, Turned{-0.5, 1, false}}) {
    v1::ModelCard card = WithOutput("confidence");
    card.mutable_outputs(2)->set_scale(turned.scale);
    card.mutable_outputs(2)->set_offset(turned.offset);
    EXPECT_EQ(SignatureFor(card, policy).ok(), turned.taken)
        << turned.scale << ' ' << turned.offset;
  }
}

TEST(CardDoubtTest, AnUncertaintyMayBeTurnedAroundButNotAway) {
  const Policy policy = tests::Compiled(WithUncertainty());
  for (const Turned& turned :
       {Turned{1, 0, true}, Turned{-1, 1, true}, Turned{0.31, 0, true}, Turned{1, -0.69, true},
        Turned{1e-12, 0, false}, Turned{1, -0.71, false}, Turned{-1, 0.3, false}}) {
    v1::ModelCard card = WithOutput("uncertainty");
    card.mutable_outputs(2)->set_scale(turned.scale);
    card.mutable_outputs(2)->set_offset(turned.offset);
    EXPECT_EQ(SignatureFor(card, policy).ok(), turned.taken)
        << turned.scale << ' ' << turned.offset;
  }
}

// From 1 on it is no share but a spread, up to the largest command: here to turn by 1.5 rad/s.
TEST(CardDoubtTest, AnUncertaintyThatIsASpreadReachesAsFarAsACommand) {
  v1::ControlPolicy document = WithUncertainty();
  v1::ModelCard card = WithOutput("uncertainty");
  const auto refusal = [&](double enter_above, double scale) {
    document.mutable_output()->mutable_uncertainty()->set_enter_above(enter_above);
    card.mutable_outputs(2)->set_scale(scale);
    return std::string(SignatureFor(card, tests::Compiled(document)).status().message());
  };
  EXPECT_EQ(refusal(0.99, 1), "");
  EXPECT_THAT(refusal(0.99, 0.98), HasSubstr("(0.99) for 0 or 1, rises to 0.98"));
  EXPECT_EQ(refusal(1, 1), "");
  EXPECT_EQ(refusal(1, 0.67), "");
  EXPECT_THAT(refusal(1, 0.66), HasSubstr("(1) for 0 or 1.5, rises to 0.99"));
}

TEST(CardDoubtTest, WhatTheCommandIsClippedToIsNoDoubt) {
  v1::ControlPolicy document = WithUncertainty();
  tests::Confidence(document);
  v1::ModelCard card = WithOutput("uncertainty");
  v1::OutputBinding& confidence = *card.add_outputs();
  confidence = card.outputs(2);
  confidence.set_field("confidence");
  confidence.set_index(3);
  card.mutable_outputs(0)->set_clip_min(0.5);
  card.mutable_outputs(0)->set_clip_max(0.6);
  card.mutable_outputs(1)->set_clip_max(0.1);
  card.mutable_outputs(2)->set_clip_min(0.35);
  card.mutable_outputs(3)->set_clip_max(0.25);
  EXPECT_OK(SignatureFor(card, tests::Compiled(document)).status());
}

struct UncertaintyDefect {
  const char* path;
  void (*seed)(v1::Uncertainty&);
};

class BadUncertaintyTest : public testing::TestWithParam<UncertaintyDefect> {};

TEST_P(BadUncertaintyTest, IsRefusedByThePathOfTheDefect) {
  v1::ControlPolicy document = WithUncertainty();
  GetParam().seed(*document.mutable_output()->mutable_uncertainty());
  EXPECT_THAT(Policy::Compile(document),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       StartsWith(std::string("[output.uncertainty.") + GetParam().path + "] ")));
}

using U = v1::Uncertainty;

INSTANTIATE_TEST_SUITE_P(
    Uncertainty, BadUncertaintyTest,
    testing::Values(UncertaintyDefect{"enter_above", [](U& u) { u.set_enter_above(0); }},
                    UncertaintyDefect{"enter_above", [](U& u) { u.set_enter_above(kNan); }},
                    UncertaintyDefect{"leave_below", [](U& u) { u.set_leave_below(0); }},
                    UncertaintyDefect{"leave_below", [](U& u) { u.set_leave_below(0.3); }},
                    UncertaintyDefect{"leave_hold_ms", [](U& u) { u.set_leave_hold_ms(0); }},
                    UncertaintyDefect{"trigger", [](U& u) { u.clear_trigger(); }}));

}  // namespace
}  // namespace agent::runtime
