#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"

// The gates over injected faults and repeated runs, on both sides of their limits.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;
using FaultJudgesTest = EvidenceTest;

TEST_F(FaultJudgesTest, StaleInputsPassAtBothLimits) {
  AddReplays(1);
  AddAllStale(48, 90);  // 400 ms to the trigger, 2500 ms to safety
  EXPECT_EQ(JudgeStaleInput(evidence_).outcome(), v1::PASS) << JudgeStaleInput(evidence_).summary();
}

TEST_F(FaultJudgesTest, StaleInputsFailBehindEitherLimit) {
  AddReplays(1);
  AddAllStale(48, 90);
  AddStale("scan", 49, 90);
  EXPECT_EQ(JudgeStaleInput(evidence_).outcome(), v1::FAIL);
  evidence_.stale_runs.pop_back();
  AddStale("dust", 48, 91);
  const v1::GateResult result = JudgeStaleInput(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_EQ(result.findings(0).segment(), "drop:dust");
  EXPECT_THAT(result.findings(0).message(), HasSubstr("after 2550 ms"));
}

TEST_F(FaultJudgesTest, AChannelThatCouldNotBeSilencedOftenEnoughIsInsufficient) {
  AddReplays(1);
  AddAllStale(45, 80);
  evidence_.stale_runs.pop_back();
  const v1::GateResult result = JudgeStaleInput(evidence_);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("channel dust could be silenced in 1"));
}

TEST_F(FaultJudgesTest, NetworkDownPassesAtItsLimitAndFailsBehind) {
  AddReplays(1);
  AddNetworkRun(58);  // 2000 ms by the rule and 400 ms to notice
  AddNetworkRun(58);
  EXPECT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::PASS);
  AddNetworkRun(59);
  EXPECT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::FAIL);
}

TEST_F(FaultJudgesTest, NetworkDownNeedsCommandsAndObedience) {
  AddReplays(1);
  AddNetworkRun(50);
  AddNetworkRun(50).replay.ticks[70].clear_enforced();
  EXPECT_THAT(JudgeNetworkDown(evidence_).findings(0).message(), HasSubstr("got no command"));
  evidence_.network_runs.pop_back();
  AddNetworkRun(50).replay.ticks[60].set_state("NOMINAL");
  const v1::GateResult result = JudgeNetworkDown(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("less restrictive than DEGRADED"));
}

TEST_F(FaultJudgesTest, NetworkDownWithoutEnoughDrivesIsInsufficientAndWithoutARuleFails) {
  AddReplays(1);
  AddNetworkRun(50);
  EXPECT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::INSUFFICIENT);
  evidence_.fallback.mutable_triggers()->RemoveLast();
  EXPECT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::FAIL);
}

TEST_F(FaultJudgesTest, DeterminismComparesEveryRunWithTheFirst) {
  AddReplays(2);
  for (uint32_t run = 0; run < 2; ++run) {
    for (size_t i = 0; i < 2; ++i)
      evidence_.streams.push_back({i, run, run + 1, evidence_.replays[i].verdicts});
  }
  EXPECT_EQ(JudgeDeterminism(evidence_).outcome(), v1::PASS);
  evidence_.streams[3].verdicts.bytes[0] ^= 1;
  const v1::GateResult result = JudgeDeterminism(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_EQ(result.findings(0).scenario(), "clip01");
  evidence_.streams.resize(2);
  EXPECT_EQ(JudgeDeterminism(evidence_).outcome(), v1::INSUFFICIENT);
}

}  // namespace
}  // namespace gatekeeper::gates
