#include <cmath>

#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"

// The gates over injected faults and repeated runs, on both sides of their limits.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;
using FaultJudgesTest = EvidenceTest;

TEST_F(FaultJudgesTest, StaleInputsPassAtBothLimits) {
  AddReplays(2);
  AddAllStale(48, 90);  // 400 ms to the trigger, 2500 ms to safety
  EXPECT_EQ(JudgeStaleInput(evidence_).outcome(), v1::PASS) << JudgeStaleInput(evidence_).summary();
}

TEST_F(FaultJudgesTest, StaleInputsFailBehindEitherLimit) {
  AddReplays(2);
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
  AddReplays(2);
  AddAllStale(45, 80);
  evidence_.stale_runs.pop_back();
  const v1::GateResult result = JudgeStaleInput(evidence_);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("channel dust could be silenced in 1"));
}

TEST_F(FaultJudgesTest, TwoClipsOfOneDriveAreOneRecordingToSilence) {
  AddReplays(2);
  AddAllStale(45, 80);
  ASSERT_EQ(JudgeStaleInput(evidence_).outcome(), v1::PASS);
  for (Scenario& scenario : scenarios_)
    scenario.document.mutable_origin()->set_sha256(std::string(64, 'd'));
  const v1::GateResult result = JudgeStaleInput(evidence_);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("silenced in 1 recording, 2 are wanted"));
}

TEST_F(FaultJudgesTest, NetworkDownPassesAtItsLimitAndFailsBehind) {
  AddReplays(1);
  AddNetworkRun(58);  // 2000 ms by the rule and 400 ms to notice
  AddNetworkRun(58);
  EXPECT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::PASS)
      << JudgeNetworkDown(evidence_).summary();
  AddNetworkRun(59);
  EXPECT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::FAIL);
}

TEST_F(FaultJudgesTest, AFlappingLinkIsWatchedFromWhenItStaysDown) {
  AddReplays(1);
  AddNetworkRun(50);
  // Two flaps of 0.8 s each; 2.4 s later the limit is at tick 90.
  AddNetworkRun(90).planned.fault.flaps = 2;
  EXPECT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::PASS);
  // Noticed while it still came and went, and still noticed when it stayed away.
  AddNetworkRun(12).planned.fault.flaps = 2;
  EXPECT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::PASS);
  AddNetworkRun(91).planned.fault.flaps = 2;
  EXPECT_THAT(JudgeNetworkDown(evidence_).findings(0).message(), HasSubstr("after 2450 ms"));
}

TEST_F(FaultJudgesTest, NetworkDownNeedsSafeCommands) {
  AddReplays(1);
  AddNetworkRun(50);
  v1::HurtDrive& drive = AddNetworkRun(50).drive;
  drive.set_unsafe("the robot got no command");
  drive.set_unsafe_ns(tests::kDriveStart_ns + 70 * kTick_ns);
  const v1::GateResult result = JudgeNetworkDown(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_EQ(result.findings(0).message(), "the link went down at 0.50 s: the robot got no command");
  EXPECT_NEAR(result.findings(0).at_s(), 3.5, 1e-9);
}

TEST_F(FaultJudgesTest, NetworkDownIsDecidedByItsLowerBoundOverAllCuts) {
  AddReplays(1);
  evidence_.suite.set_alpha(0.05);
  evidence_.suite.mutable_faults()->set_network_floor(0);  // 0.99
  for (int i = 0; i < 298; ++i) AddNetworkRun(50);
  const v1::GateResult few = JudgeNetworkDown(evidence_);
  EXPECT_EQ(few.outcome(), v1::INSUFFICIENT) << few.summary();
  EXPECT_LT(few.margin(), 0);
  AddNetworkRun(50);
  const v1::GateResult enough = JudgeNetworkDown(evidence_);
  EXPECT_EQ(enough.outcome(), v1::PASS) << enough.summary();
  EXPECT_EQ(enough.n(), 299u);
  EXPECT_EQ(enough.n_eff(), 1) << "of one recording";
  EXPECT_NEAR(enough.bound(), std::pow(0.05, 1.0 / 299), 1e-9);
  EXPECT_NEAR(enough.margin(), enough.bound() - 0.99, 1e-12);
  EXPECT_EQ(enough.alpha(), 0.05);
  EXPECT_EQ(CutsNeeded(evidence_.suite), 299u);
}

TEST_F(FaultJudgesTest, NetworkDownIsMarginalWhereACutIsNoticedAtTheLastMoment) {
  AddReplays(1);
  // Down at tick 10; the rule waits 2000 ms, and 400 ms on top are allowed: 48 ticks.
  AddNetworkRun(50);
  AddNetworkRun(57);
  ASSERT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::PASS);
  EXPECT_FALSE(JudgeNetworkDown(evidence_).marginal()) << "as many cuts as are needed are enough";
  AddNetworkRun(58);
  ASSERT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::PASS);
  EXPECT_TRUE(JudgeNetworkDown(evidence_).marginal());
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
