#include "agent/runtime/shadow_run.h"
#include "gmock/gmock.h"
#include "tests/agent/runtime/nav_world.h"

// What a shadow says of itself when its model does not answer.

namespace agent::runtime {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

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

}  // namespace
}  // namespace agent::runtime
