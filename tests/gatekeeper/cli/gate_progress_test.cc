#include "gatekeeper/cli/gate_progress.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace gatekeeper::cli {
namespace {

TEST(ProgressLineTest, GuessesTheRestFromWhatIsDone) {
  EXPECT_EQ(ProgressLine(1, {.done = 0, .jobs = 40}, 0), "step 1: replay 0 of 40");
  EXPECT_EQ(ProgressLine(2, {.done = 10, .jobs = 40}, 5), "step 2: replay 10 of 40, 15 s left");
  EXPECT_EQ(ProgressLine(2, {.done = 40, .jobs = 40}, 20), "step 2: replay 40 of 40, 0 s left");
}

TEST(ProgressLineTest, TellsOfAnAuditHowManyDefectsAreLeftAndHowLongTheyMayTake) {
  EXPECT_EQ(ProgressLine({.in_rules = true, .done = 0, .of = 437, .killed = 0}, 0),
            "rules: defect 0 of 437, 0 killed");
  EXPECT_EQ(ProgressLine({.in_rules = true, .done = 37, .of = 437, .killed = 30}, 66.6),
            "rules: defect 37 of 437, 30 killed, 12 min left");
  EXPECT_EQ(ProgressLine({.in_rules = false, .done = 10, .of = 22, .killed = 9}, 99.9),
            "scenarios: defect 10 of 22, 9 killed, 120 s left");
  EXPECT_EQ(ProgressLine({.in_rules = false, .done = 10, .of = 22, .killed = 9}, 100),
            "scenarios: defect 10 of 22, 9 killed, 2 min left");
}

TEST(GateProgressTest, SaysNothingToALogInTheFirstTenSecondsAndNothingToStdoutEver) {
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();  // a file, no terminal
  {
    GateProgress progress;
    for (size_t i = 0; i <= 40; ++i) progress.Tell({.done = i, .jobs = 40});
    progress.End();
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");
}

}  // namespace
}  // namespace gatekeeper::cli
