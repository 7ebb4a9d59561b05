#include "agent/runtime/rule_id.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace {

using agent::runtime::RuleOf;
using agent::runtime::Under;

const absl::Status kRefused = absl::InvalidArgumentError("[limits] must be given");

TEST(RuleIdTest, MarksARefusalAndLeavesItsTextAlone) {
  const absl::Status marked = Under("S9", kRefused);
  EXPECT_EQ(RuleOf(marked), "S9");
  EXPECT_EQ(marked.code(), kRefused.code());
  EXPECT_EQ(marked.message(), kRefused.message());
}

TEST(RuleIdTest, KeepsTheInnermostMark) {
  EXPECT_EQ(RuleOf(Under("S11", Under("S14", kRefused))), "S14");
}

TEST(RuleIdTest, LeavesSuccessAlone) { EXPECT_OK(Under("S9", absl::OkStatus())); }

TEST(RuleIdTest, CallsWhatBearsNoMarkNotUnderstood) { EXPECT_EQ(RuleOf(kRefused), "S1"); }

}  // namespace
