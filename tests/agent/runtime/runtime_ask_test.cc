#include <gmock/gmock.h>

#include <limits>

#include "agent/runtime/ask.h"
#include "tests/agent/runtime/nav_world.h"

// What stands in an answer after each way a run can end: never anything of the run before.

namespace agent::runtime {
namespace {

using std::chrono::milliseconds;
namespace v1 = gatekeeper::v1;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class AskTest : public testing::Test {
 protected:
  AskTest() {
    board_.Accept(tests::Packet(tests::kStartOfTime), tests::kStartOfTime);
    unit_.model->says = {0.5F, 0.25F, 0.75F};
    Run();
    EXPECT_EQ(answer_.kind, AnswerKind::kUsable);
    EXPECT_THAT(answer_.raw, ElementsAre(0.5, 0.25));
    EXPECT_EQ(answer_.report.confidence, 0.75);
    EXPECT_EQ(answer_.took, std::chrono::microseconds(70));
  }

  void Run(Inputs inputs = Inputs::kFresh) {
    Ask(*unit_.pilot, board_, inputs, milliseconds(30), answer_);
  }
  void HoldsNothing(AnswerKind kind) {
    EXPECT_EQ(answer_.kind, kind);
    EXPECT_THAT(answer_.raw, IsEmpty());
    EXPECT_EQ(answer_.report.confidence, 1);
    EXPECT_EQ(answer_.report.uncertainty, 0);
  }

  tests::Unit unit_{"sha256:1", [](v1::ControlPolicy&, v1::FallbackRules&, v1::ModelCard& card) {
                      v1::OutputBinding& output = *card.add_outputs();
                      output.set_tensor("command");
                      output.set_index(2);
                      output.set_field("confidence");
                    }};
  InputBoard board_;
  Answer answer_;
};

TEST_F(AskTest, AFailedRunLeavesNothingOfTheOneBefore) {
  unit_.model->outcome = base::RunOutcome::kFailed;
  Run();
  HoldsNothing(AnswerKind::kFailed);
}

TEST_F(AskTest, AMissedDeadlineLeavesNothingButTheTimeItTook) {
  unit_.model->outcome = base::RunOutcome::kDeadlineMissed;
  Run();
  HoldsNothing(AnswerKind::kMissed);
  EXPECT_EQ(answer_.took, std::chrono::microseconds(70));
}

TEST_F(AskTest, WhatIsNotANumberIsThrownAwayWhole) {
  unit_.model->says = {0.5F, std::numeric_limits<float>::quiet_NaN(), 0.75F};
  Run();
  HoldsNothing(AnswerKind::kNonfinite);
}

TEST_F(AskTest, AModelThatIsNotAskedTookNoTime) {
  Run(Inputs::kStale);
  HoldsNothing(AnswerKind::kNotAsked);
  EXPECT_EQ(answer_.took, Nanos{0});
  EXPECT_EQ(unit_.model->runs, 1);
}

}  // namespace
}  // namespace agent::runtime
