#include "agent/runtime/controller.h"
#include "agent/runtime/shadow_run.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/numbers.h"
#include "tests/support/status_matchers.h"

// The same controller with an arm: commands are joint targets, and standing still is keeping one.

namespace agent::runtime {
namespace {

using agent::base::RunOutcome;
using std::chrono::milliseconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::tests::StatusIs;
namespace v1 = ::gatekeeper::v1;

void MakeArmUnit(v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
  const v1::InputRule rule = policy.inputs().at("odom");
  tests::MakeArm(policy, {"shoulder", "elbow"});
  policy.mutable_arm()->set_degraded_scale(1);
  policy.clear_inputs();
  (*policy.mutable_inputs())["joints"] = rule;
  // An arm has no gap to follow, and this one has no envelope and no requirements.
  rules.mutable_states()->erase("SIMPLE_CONTROLLER");
  tests::StopAsJointsDo(rules);
  (*rules.mutable_states())["PREVIOUS_MODEL"].set_else_("CONTROLLED_STOP");
  for (int i = rules.triggers_size(); i-- > 0;) {
    const std::string& id = rules.triggers(i).id();
    const bool unraised = id == "envelope_breach" || id == "requirement_violated";
    if (unraised) rules.mutable_triggers()->DeleteSubrange(i, 1);
  }
  card.clear_inputs();
  v1::InputBinding& input = *card.add_inputs();
  input.set_tensor("features");
  input.set_channel("joints");
  input.add_fields("q_rad");
  input.add_fields("qd_radps");
  card.mutable_outputs(0)->set_field("shoulder");
  card.mutable_outputs(1)->set_field("elbow");
}

class ArmControllerTest : public testing::Test {
 protected:
  ArmControllerTest() { controller_.SwapTo(unit_.pilot.get(), nullptr, now_); }

  const Tick& Ticks(int count) {
    const Tick* tick = nullptr;
    for (int i = 0; i < count; ++i) {
      now_ += milliseconds(50);
      v1::Observation packet;
      packet.set_stamp_ns(now_.count());
      packet.set_want_command(true);
      packet.set_network_up(true);
      packet.set_estop_pressed(estop_);
      for (double q : measured_) {
        packet.mutable_joints()->add_q_rad(q);
        packet.mutable_joints()->add_qd_radps(moving_);
      }
      controller_.Observe(packet, now_);
      tick = &controller_.Step(now_);
    }
    return *tick;
  }

  tests::Unit unit_{std::string(64, 'd'), MakeArmUnit};
  Controller controller_{LatchState{}};
  Nanos now_ = tests::kStartOfTime;
  std::vector<double> measured_ = {0.5, -0.5};
  double moving_ = 0;
  bool estop_ = false;
};

TEST_F(ArmControllerTest, SetsOutFromWhereTheArmIs) {
  unit_.model->says = {0.6F, -0.5F};
  EXPECT_THAT(Ticks(1).enforced, ElementsAre(Near(0.55), Near(-0.5))) << "1 rad/s";
  EXPECT_THAT(Ticks(1).enforced, ElementsAre(Near(0.6), Near(-0.5)));
}

TEST_F(ArmControllerTest, GivesTheModelPositionsThenSpeeds) {
  moving_ = 0.25;
  Ticks(1);
  EXPECT_THAT(std::vector<float>(unit_.model->input(0).begin(), unit_.model->input(0).end()),
              ElementsAre(0.5F, -0.5F, 0.25F, 0.25F));
}

TEST_F(ArmControllerTest, HoldsItsTargetWithoutAnAnswerAndInAStop) {
  unit_.model->says = {0.6F, -0.5F};
  Ticks(2);
  unit_.model->outcome = RunOutcome::kDeadlineMissed;
  const Tick& missed = Ticks(1);
  EXPECT_EQ(missed.state, "NOMINAL");
  EXPECT_THAT(missed.enforced, ElementsAre(Near(0.6), Near(-0.5)));
  const Tick& stopped = Ticks(5);
  EXPECT_EQ(stopped.state, "SAFE_STOPPED");
  EXPECT_TRUE(stopped.stop);
  EXPECT_THAT(stopped.enforced, ElementsAre(Near(0.6), Near(-0.5)));
}

TEST_F(ArmControllerTest, CommandsNothingAndBrakesWhenNobodyKnowsWhereItIs) {
  Controller blind{LatchState{}};
  blind.SwapTo(unit_.pilot.get(), nullptr, now_);
  const Tick& tick = blind.Step(now_);
  EXPECT_THAT(tick.enforced, IsEmpty());
  EXPECT_TRUE(tick.stop);
}

TEST_F(ArmControllerTest, AStopFromTheFirstTickOnKeepsTheArmWhereItIs) {
  estop_ = true;
  EXPECT_THAT(Ticks(1).enforced, ElementsAre(Near(0.5), Near(-0.5)));
  measured_ = {0.6, -0.6};
  EXPECT_THAT(Ticks(1).enforced, ElementsAre(Near(0.5), Near(-0.5))) << "a target, once set, stays";
}

TEST_F(ArmControllerTest, AnArmWithTheWrongNumberOfJointsIsAFailedModel) {
  measured_ = {0.5};
  EXPECT_THAT(Ticks(1).triggers, ElementsAre("model_failed"));
}

TEST_F(ArmControllerTest, IsRearmedOnceItsJointsHaveStood) {
  Ticks(20);
  estop_ = true;
  Ticks(2);
  estop_ = false;
  moving_ = 0.11;
  Ticks(100);
  EXPECT_THAT(controller_.Rearm(now_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("stood")));
  moving_ = 0.09;
  Ticks(61);
  EXPECT_OK(controller_.Rearm(now_));
}

TEST_F(ArmControllerTest, IsNotRearmedWhileNobodyKnowsHowItMoves) {
  Ticks(20);
  estop_ = true;
  Ticks(2);
  for (int i = 0; i < 200; ++i) controller_.Step(now_ += milliseconds(50));
  controller_.Observe(v1::Observation(), now_);  // the button is released, the joints stay silent
  controller_.Step(now_);
  EXPECT_THAT(controller_.Rearm(now_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("stood")));
}

TEST_F(ArmControllerTest, LosingItsUnitHoldsTheTarget) {
  unit_.model->says = {0.6F, -0.5F};
  Ticks(3);
  controller_.SwapTo(nullptr, nullptr, now_);
  const Tick& tick = Ticks(1);
  EXPECT_EQ(tick.state, "SAFE");
  EXPECT_TRUE(tick.stop);
  EXPECT_THAT(tick.enforced, ElementsAre(Near(0.6), Near(-0.5)));
}

TEST(ArmShadowTest, ACandidateIsJudgedFromTheSpeedTheArmReallyHas) {
  tests::Unit unit{std::string(64, 'f'),
                   [](v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
                     MakeArmUnit(policy, rules, card);
                     (*policy.mutable_joints())["shoulder"].set_qdd_abs_max_radps2(4);
                   }};
  ShadowRun shadow(*unit.pilot);
  InputBoard board;
  Nanos now = tests::kStartOfTime;
  double q = 0;
  ShadowTick tick;
  for (int i = 0; i < 5; ++i, now += milliseconds(50)) {
    v1::Observation packet;
    packet.set_stamp_ns(now.count());
    for (double angle : {q, 0.0}) {
      packet.mutable_joints()->add_q_rad(angle);
      packet.mutable_joints()->add_qd_radps(0);
    }
    board.Accept(packet, now);
    unit.model->says = {static_cast<float>(q + 0.04), 0};
    tick = shadow.Step(board, std::vector<double>{q, 0}, now);
    q += 0.04;  // the active unit drives at 0.8 rad/s
  }
  EXPECT_NEAR(tick.enforced[0], q, 1e-6) << "it goes on as fast, and need not start from rest";
}

TEST_F(ArmControllerTest, ARobotOfAnotherKindStartsFromNothing) {
  unit_.model->says = {0.6F, -0.5F};
  Ticks(3);
  tests::Unit wheels{std::string(64, 'e')};
  controller_.SwapTo(wheels.pilot.get(), unit_.pilot.get(), now_);
  EXPECT_THAT(Ticks(1).enforced, ElementsAre(0, 0)) << "joint targets are no speeds";
}

// Rules as above for joints of these names.
tests::Unit::Edit ArmOf(const std::string& last, int joints) {
  return [=](v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
    MakeArmUnit(policy, rules, card);
    if (last != "elbow") {
      (*policy.mutable_joints())[last] = policy.joints().at("elbow");
      policy.mutable_joints()->erase("elbow");
      policy.mutable_command()->set_fields(1, last);
      card.mutable_outputs(1)->set_field(last);
    }
    if (joints < 3) return;
    (*policy.mutable_joints())["wrist"] = policy.joints().at("shoulder");
    policy.mutable_arm()->add_chain()->set_a_m(0.1);
    policy.mutable_command()->add_fields("wrist");
    *card.add_outputs() = card.outputs(1);
    card.mutable_outputs(2)->set_index(2);
    card.mutable_outputs(2)->set_field("wrist");
  };
}

TEST_F(ArmControllerTest, ANewUnitOfTheSameJointsGoesOnFromTheLastTarget) {
  unit_.model->says = {0.6F, -0.5F};
  Ticks(3);
  tests::Unit other{std::string(64, 'e'), MakeArmUnit};
  other.model->says = {0.6F, -0.5F};
  controller_.SwapTo(other.pilot.get(), unit_.pilot.get(), now_);
  EXPECT_THAT(Ticks(1).enforced, ElementsAre(Near(0.6), Near(-0.5))) << "not where it is measured";
}

TEST_F(ArmControllerTest, AnArmWithAnotherNumberOfJointsStartsFromWhereItIsMeasured) {
  unit_.model->says = {0.6F, -0.5F};
  Ticks(3);
  tests::Unit other{std::string(64, 'e'), ArmOf("elbow", 3)};
  other.model->says = {0.5F, -0.5F, 0.25F};
  measured_ = {0.5, -0.5, 0.25};
  controller_.SwapTo(other.pilot.get(), unit_.pilot.get(), now_);
  EXPECT_THAT(Ticks(1).enforced, ElementsAre(Near(0.5), Near(-0.5), Near(0.25)));
}

TEST_F(ArmControllerTest, APreviousUnitWithOtherJointsIsNone) {
  tests::Unit other{std::string(64, 'e'), ArmOf("hand", 2)};
  other.model->says = {0.5F, -0.5F};
  controller_.SwapTo(unit_.pilot.get(), other.pilot.get(), now_);
  unit_.model->says = {0.6F, -0.5F};
  Ticks(3);
  unit_.model->outcome = RunOutcome::kFailed;
  Ticks(20);
  EXPECT_EQ(other.model->runs, 0);
}

TEST(ArmRequirementTest, IsWatchedWithoutOdometryOrScan) {
  tests::Unit unit{std::string(64, 'e'),
                   [](v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
                     MakeArmUnit(policy, rules, card);
                     v1::Requirement& requirement = *policy.add_requirements();
                     requirement.set_id("low");
                     requirement.set_formula("raw_shoulder < 0.7");
                     requirement.set_trigger("input_stale");
                   }};
  Controller controller{LatchState{}};
  Nanos now = tests::kStartOfTime;
  controller.SwapTo(unit.pilot.get(), nullptr, now);
  const auto verdict = [&](float says) {
    unit.model->says = {says, -0.5F};
    now += milliseconds(50);
    v1::Observation packet;
    packet.set_stamp_ns(now.count());
    for (double q : {0.5, -0.5}) {
      packet.mutable_joints()->add_q_rad(q);
      packet.mutable_joints()->add_qd_radps(0);
    }
    controller.Observe(packet, now);
    return controller.Step(now).requirements.at(0).verdict;
  };
  EXPECT_EQ(verdict(0.6F), monitor::Verdict::kHolds);
  EXPECT_EQ(verdict(0.8F), monitor::Verdict::kViolated);
}

TEST(ArmShadowTest, BeforeAnythingIsDrivenACandidateIsJudgedFromWhereTheArmStands) {
  tests::Unit unit{std::string(64, 'f'), MakeArmUnit};
  ShadowRun shadow(*unit.pilot);
  InputBoard board;
  v1::Observation packet;
  packet.set_stamp_ns(tests::kStartOfTime.count());
  for (double q : {0.5, -0.5}) {
    packet.mutable_joints()->add_q_rad(q);
    packet.mutable_joints()->add_qd_radps(0);
  }
  board.Accept(packet, tests::kStartOfTime);
  unit.model->says = {0.6F, -0.5F};
  EXPECT_THAT(shadow.Step(board, {}, tests::kStartOfTime).enforced,
              ElementsAre(Near(0.55), Near(-0.5)))
      << "1 rad/s from rest";
}

}  // namespace
}  // namespace agent::runtime
