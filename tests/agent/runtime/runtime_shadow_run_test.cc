#include "agent/runtime/shadow_run.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"
#include "tests/agent/runtime/rules_world.h"

// What a shadow says of itself when its model does not answer, and what it would have commanded.

namespace agent::runtime {
namespace {

using testing::DoubleNear;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
namespace v1 = ::gatekeeper::v1;

class SilentShadowTest : public testing::Test {
 protected:
  SilentShadowTest() { board_.Accept(tests::Packet(tests::kStartOfTime), tests::kStartOfTime); }
  const ShadowTick& Step() {
    const std::vector<double> driven = {0.5, 0};
    return shadow_.Step(board_, driven, tests::kStartOfTime);
  }

  tests::Unit candidate_{std::string(64, 'c')};
  ShadowRun shadow_{*candidate_.pilot};
  InputBoard board_;
};

TEST_F(SilentShadowTest, AnswersAsARule) {
  const ShadowTick& tick = Step();
  EXPECT_TRUE(tick.ran);
  EXPECT_FALSE(tick.failed || tick.nonfinite || tick.deadline_missed);
  EXPECT_THAT(tick.enforced, SizeIs(2));
}

TEST_F(SilentShadowTest, TellsThatItsRunFailed) {
  candidate_.model->outcome = base::RunOutcome::kFailed;
  const ShadowTick& tick = Step();
  EXPECT_TRUE(tick.ran);
  EXPECT_TRUE(tick.failed);
  EXPECT_THAT(tick.enforced, IsEmpty());
}

TEST_F(SilentShadowTest, TellsThatItsModelIsNotTheOneThatWasBound) {
  candidate_.model->Shorten(0);
  const ShadowTick& tick = Step();
  EXPECT_TRUE(tick.failed);
  EXPECT_EQ(candidate_.model->runs, 0);
  EXPECT_THAT(tick.raw, IsEmpty());
}

TEST_F(SilentShadowTest, TellsLateAndUnusableAnswersApartFromFailedOnes) {
  candidate_.model->outcome = base::RunOutcome::kDeadlineMissed;
  EXPECT_TRUE(Step().deadline_missed);
  candidate_.model->outcome = base::RunOutcome::kDone;
  candidate_.model->says = {std::nanf(""), 0};
  const ShadowTick& tick = Step();
  EXPECT_TRUE(tick.nonfinite);
  EXPECT_FALSE(tick.failed || tick.deadline_missed);
}

// What the candidate would have commanded, by the robot's real motion.
class DrivingShadowTest : public testing::Test {
 protected:
  const ShadowTick& Step(double driven_mps, float wanted_mps) {
    candidate_.model->says = {wanted_mps, 0};
    now_ += tests::kPeriod;
    packet_.set_stamp_ns(now_.count());
    packet_.mutable_odom()->set_vx_mps(driven_mps);
    board_.Accept(packet_, now_);
    const std::vector<double> driven = {driven_mps, 0};
    return shadow_.Step(board_, driven, now_);
  }

  tests::Unit candidate_{std::string(64, 'c')};
  ShadowRun shadow_{*candidate_.pilot};
  InputBoard board_;
  Nanos now_ = tests::kStartOfTime;
  v1::Observation packet_ = tests::Packet(now_);
};

TEST_F(DrivingShadowTest, GathersSpeedFromTheDrivenOneAndItsRise) {
  // 10 m/s3 for a period of 50 ms, twice; the second time on top of 0.5 m/s2.
  const ShadowTick& tick = Step(0.5, 1);
  EXPECT_THAT(tick.enforced, ElementsAre(DoubleNear(0.525, 1e-12), 0));
  EXPECT_EQ(tick.infer, std::chrono::microseconds(70));
  EXPECT_THAT(Step(0.525, 1).enforced, ElementsAre(DoubleNear(0.575, 1e-12), 0));
}

TEST_F(DrivingShadowTest, IsClampedForItsOwnJumpsAndOnlyWhileItMakesThem) {
  EXPECT_FALSE(Step(0.5, 0.5).clamped);
  EXPECT_TRUE(Step(0.5, 0.9F).clamped);
  EXPECT_FALSE(Step(0.5, 0.9F).clamped);
  EXPECT_TRUE(Step(0.5, 0.2F).raw.size() == 2 && Step(0.5, 0.9F).clamped);
  candidate_.model->outcome = base::RunOutcome::kFailed;
  EXPECT_FALSE(Step(0.5, 0.9F).clamped);
  EXPECT_THAT(Step(0.5, 0.9F).enforced, IsEmpty());
}

TEST_F(DrivingShadowTest, IsDerated) {
  (*packet_.mutable_signals())["soc_temp_degC"].set_value(82.5);
  EXPECT_THAT(Step(0.5, 1).enforced, ElementsAre(0.5, 0));
}

TEST_F(DrivingShadowTest, StopsBeforeWhatStandsInItsWay) {
  tests::PutAhead(packet_, 0.3F);
  EXPECT_THAT(Step(0.5, 1).enforced, ElementsAre(0, 0));
}

// An arm beside the one that drives: 10 rad/s2, and 100 rad/s3.
class ArmCandidateTest : public testing::Test {
 protected:
  static void MakeArm(v1::ControlPolicy& policy, v1::FallbackRules& rules, v1::ModelCard& card) {
    policy = tests::ArmPolicyDocument();
    for (auto& [name, joint] : *policy.mutable_joints()) {
      joint.set_qdd_abs_max_radps2(10);
      joint.set_qddd_abs_max_radps3(100);
    }
    rules = tests::ArmFallbackDocument();
    card.mutable_outputs(0)->set_field("shoulder");
    card.mutable_outputs(1)->set_field("elbow");
    *card.add_outputs() = card.outputs(1);
    card.mutable_outputs(2)->set_index(2);
    card.mutable_outputs(2)->set_field("confidence");
  }
  const ShadowTick& Step(const std::vector<double>& driven) {
    candidate_.model->says = {0.5F, 0, 0.75F};
    now_ += tests::kPeriod;
    v1::Observation packet = tests::Packet(now_);
    for (const double q_rad : {0.25, 0.0}) {
      packet.mutable_joints()->add_q_rad(q_rad);
      packet.mutable_joints()->add_qd_radps(0);
    }
    board_.Accept(packet, now_);
    return shadow_.Step(board_, driven, now_);
  }

  tests::Unit candidate_{std::string(64, 'c'), MakeArm};
  ShadowRun shadow_{*candidate_.pilot};
  InputBoard board_;
  Nanos now_ = tests::kStartOfTime;
};

TEST_F(ArmCandidateTest, GathersSpeedFromTheDrivenTargetsAndTheirAcceleration) {
  // 5 rad/s2 after a period of 50 ms: 0.25 rad/s.
  const ShadowTick& tick = Step({0, 0});
  EXPECT_THAT(tick.enforced, ElementsAre(DoubleNear(0.0125, 1e-9), DoubleNear(0, 1e-9)));
  EXPECT_EQ(tick.confidence, 0.75);
  // What was driven rose by 10 rad/s2 to 0.5 rad/s, then went on with it.
  EXPECT_THAT(Step({0.025, 0}).enforced, ElementsAre(DoubleNear(0.075, 1e-9), DoubleNear(0, 1e-9)));
  EXPECT_THAT(Step({0.05, 0}).enforced, ElementsAre(DoubleNear(0.0875, 1e-9), DoubleNear(0, 1e-9)));
}

TEST_F(ArmCandidateTest, BeginsWhereTheJointsAreMeasuredBeforeAnythingWasDriven) {
  EXPECT_THAT(Step({}).enforced, ElementsAre(DoubleNear(0.2625, 1e-9), DoubleNear(0, 1e-9)));
}

}  // namespace
}  // namespace agent::runtime
