#include "agent/runtime/rule_id.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace {

using agent::runtime::RuleOf;
using agent::runtime::Under;

const absl::Status kNoLimits = absl::InvalidArgumentError("[limits] must be given");

TEST(RuleIdTest, MarksARefusalAndLeavesItsTextAlone) {
  const absl::Status marked = Under("S9", kNoLimits);
  EXPECT_EQ(RuleOf(marked), "S9");
  EXPECT_EQ(marked.code(), kNoLimits.code());
  EXPECT_EQ(marked.message(), kNoLimits.message());
}

TEST(RuleIdTest, KeepsTheInnermostMark) {
  EXPECT_EQ(RuleOf(Under("S11", Under("S14", kNoLimits))), "S14");
}

TEST(RuleIdTest, LeavesSuccessAlone) { EXPECT_OK(Under("S9", absl::OkStatus())); }

TEST(RuleIdTest, CallsWhatBearsNoMarkNotUnderstood) { EXPECT_EQ(RuleOf(kNoLimits), "S1"); }

}  // namespace
