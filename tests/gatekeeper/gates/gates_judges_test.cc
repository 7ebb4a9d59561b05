#include "gatekeeper/gates/limit_oracle.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"

// Each of the other gates as a function of hand-made evidence, on both sides of its limit.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;
using JudgesTest = EvidenceTest;

TEST_F(JudgesTest, EnvelopeHoldsAtTheLimitAndFailsBelow) {
  AddReplays(2);
  evidence_.replays[1].motion_clearance_m[40] = 0.2;
  EXPECT_EQ(JudgeEnvelope(evidence_).outcome(), v1::PASS);
  evidence_.replays[1].motion_clearance_m[40] = 0.199;
  const v1::GateResult result = JudgeEnvelope(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).scenario(), "clip01");
  EXPECT_NEAR(result.findings(0).at_s(), 2.0, 1e-9);
}

TEST_F(JudgesTest, EnvelopeDoesNotBlameTheUnitForWhereTheRobotStood) {
  AddReplay("close");
  evidence_.replays[0].ticks[40].set_clearance_m(0.1);
  evidence_.replays[0].motion_clearance_m[40] = 0.1;
  EXPECT_EQ(JudgeEnvelope(evidence_).outcome(), v1::PASS);
}

TEST_F(JudgesTest, EnvelopeWithoutAPoseOrAnEnvelopeIsInsufficient) {
  Replay& replay = AddReplay("blind");
  for (double& clearance : replay.motion_clearance_m) clearance = NAN;
  EXPECT_EQ(JudgeEnvelope(evidence_).outcome(), v1::INSUFFICIENT);
  evidence_.policy.clear_envelope();
  EXPECT_EQ(JudgeEnvelope(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(JudgesTest, RequirementsFailOnOneViolationInOneClip) {
  AddReplays(3);
  EXPECT_EQ(JudgeRequirements(evidence_).outcome(), v1::PASS);
  EXPECT_EQ(JudgeRequirements(evidence_).n(), 270u) << "decided ticks";
  v1::RequirementState& state = *evidence_.replays[1].ticks[40].mutable_requirements(0);
  state.set_robustness(0.0);
  const v1::GateResult holds = JudgeRequirements(evidence_);
  EXPECT_EQ(holds.outcome(), v1::PASS);
  EXPECT_THAT(holds.summary(), HasSubstr("calm keeps 0.000 (clip01 at 2.00 s); 0 of 3"));
  state.set_verdict("violated");
  state.set_robustness(-0.25);
  const v1::GateResult result = JudgeRequirements(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(result.summary(), HasSubstr("calm fails by 0.250 (clip01 at 2.00 s); 1 of 3"));
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).scenario(), "clip01");
  EXPECT_NEAR(result.findings(0).at_s(), 2.0, 1e-9);
  EXPECT_EQ(result.findings(0).message(), "calm is violated, at worst by 0.250");
}

TEST_F(JudgesTest, RequirementsReportTheWorstOfAViolation) {
  AddReplays(1);
  for (const auto& [tick, by] : {std::pair{20, -0.1}, {21, -0.3}, {22, -0.2}, {23, -0.0}}) {
    v1::RequirementState& state =
        *evidence_.replays[0].ticks[static_cast<size_t>(tick)].mutable_requirements(0);
    state.set_verdict("violated");
    state.set_robustness(by);
  }
  EXPECT_THAT(JudgeRequirements(evidence_).summary(),
              HasSubstr("calm fails by 0.300 (clip00 at 1.05 s)"));
}

TEST_F(JudgesTest, ARequirementThatAClipNeverDecidesIsNotEnoughEvidence) {
  AddReplays(2);
  for (v1::TickRecord& tick : evidence_.replays[1].ticks) {
    tick.mutable_requirements(0)->set_verdict("unknown");
  }
  const v1::GateResult result = JudgeRequirements(evidence_);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).scenario(), "clip01");
  EXPECT_EQ(result.findings(0).message(), "never tells whether calm holds");
  for (v1::TickRecord& tick : evidence_.replays[0].ticks) tick.clear_requirements();
  EXPECT_EQ(JudgeRequirements(evidence_).outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(JudgeRequirements(evidence_).summary(), HasSubstr("calm is told by no clip"));
  evidence_.replays[0].ticks[50].add_requirements()->set_id("calm");
  evidence_.replays[0].ticks[50].mutable_requirements(0)->set_verdict("violated");
  EXPECT_EQ(JudgeRequirements(evidence_).outcome(), v1::FAIL) << "a violation outweighs it";
}

TEST_F(JudgesTest, APolicyMayStateNoRequirements) {
  AddReplays(1);
  evidence_.policy.clear_requirements();
  EXPECT_EQ(JudgeRequirements(evidence_).outcome(), v1::PASS);
}

TEST_F(JudgesTest, ClampsAreBearableUpToTheUpperBoundOfTheirShare) {
  AddReplays(40);
  for (Replay& replay : evidence_.replays) replay.ticks[20].set_clamped(true);
  for (size_t i = 0; i < 20; ++i) {
    for (size_t tick = 30; tick < 40; ++tick) evidence_.replays[i].ticks[tick].set_clamped(true);
  }
  const v1::GateResult held = JudgeRawVsEnforced(evidence_);
  EXPECT_EQ(held.outcome(), v1::PASS) << held.summary();
  EXPECT_EQ(held.n(), 4000u) << "commands";
  EXPECT_EQ(held.n_eff(), 40) << "recordings";
  EXPECT_NEAR(held.value(), 240.0 / 4000, 1e-12);
  EXPECT_GT(held.bound(), held.value());
  EXPECT_LE(held.bound(), 0.1);
  EXPECT_NEAR(held.margin(), 0.1 - held.bound(), 1e-12);
  // On either side of the bound itself.
  evidence_.suite.mutable_raw_vs_enforced()->set_max_clamp_fraction(held.bound());
  EXPECT_EQ(JudgeRawVsEnforced(evidence_).outcome(), v1::PASS);
  evidence_.suite.mutable_raw_vs_enforced()->set_max_clamp_fraction(held.bound() - 1e-9);
  EXPECT_EQ(JudgeRawVsEnforced(evidence_).outcome(), v1::INSUFFICIENT) << "not shown, not refuted";
  evidence_.suite.mutable_raw_vs_enforced()->set_max_clamp_fraction(held.value() - 1e-9);
  const v1::GateResult result = JudgeRawVsEnforced(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 20) << "the clips above the limit";
  EXPECT_NEAR(result.findings(0).at_s(), 1.0, 1e-9);
}

TEST_F(JudgesTest, TicksOfOneRecordingAreOneSampleWhetherOrNotTheyAreClamped) {
  // At alpha 0.1, 21 recordings without any clamp leave 0.104 open, and 22 leave 0.0994.
  AddReplays(21);
  const v1::GateResult few = JudgeRawVsEnforced(evidence_);
  EXPECT_EQ(few.outcome(), v1::INSUFFICIENT) << few.summary();
  EXPECT_EQ(few.n_eff(), 21);
  EXPECT_NEAR(few.bound(), 1 - std::pow(0.1, 1.0 / 21), 1e-9) << "zero of 21 is not never";
  AddReplay("one more");
  const v1::GateResult enough = JudgeRawVsEnforced(evidence_);
  EXPECT_EQ(enough.outcome(), v1::PASS) << enough.summary();
  EXPECT_NEAR(enough.bound(), 1 - std::pow(0.1, 1.0 / 22), 1e-9);
  // A clamp is no evidence that there are fewer of them.
  evidence_.replays[0].ticks[20].set_clamped(true);
  EXPECT_EQ(JudgeRawVsEnforced(evidence_).bound(), enough.bound());
  evidence_.replays.resize(21);
  EXPECT_EQ(JudgeRawVsEnforced(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(JudgesTest, ScenariosOfOneRecordingAreOneSampleOfItsClamps) {
  AddReplays(22);
  scenarios_[1].document.set_sha256(scenarios_[0].document.sha256());
  const v1::GateResult result = JudgeRawVsEnforced(evidence_);
  EXPECT_EQ(result.n_eff(), 21);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT) << result.summary();
}

TEST_F(JudgesTest, FewRecordingsBoundClampsByTheirWorst) {
  AddReplays(9);
  for (size_t tick = 20; tick < 30; ++tick) evidence_.replays[3].ticks[tick].set_clamped(true);
  const double unseen = 1 - std::pow(0.1, 1.0 / 9);  // share of recordings that may be worse
  const v1::GateResult result = JudgeRawVsEnforced(evidence_);
  EXPECT_NEAR(result.bound(), 0.1 + 0.9 * unseen, 1e-9) << result.summary();
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  evidence_.suite.mutable_raw_vs_enforced()->set_max_clamp_fraction(result.bound());
  EXPECT_EQ(JudgeRawVsEnforced(evidence_).outcome(), v1::PASS);
}

TEST_F(JudgesTest, AnEnforcedCommandBeyondALimitFailsEvenInAFaultRun) {
  AddReplays(22);
  AddAllStale(45, 70);
  EXPECT_EQ(JudgeRawVsEnforced(evidence_).outcome(), v1::PASS);
  evidence_.stale_runs[3].replay.ticks[50].set_enforced(1, 1.001);
  const v1::GateResult result = JudgeRawVsEnforced(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_EQ(result.findings(0).segment(), "drop:odom");
}

TEST_F(JudgesTest, WithoutAnyAnswerThereIsNothingToClamp) {
  Replay& replay = AddReplay("mute");
  for (v1::TickRecord& tick : replay.ticks) tick.clear_raw();
  EXPECT_EQ(JudgeRawVsEnforced(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(JudgesTest, TheOracleKnowsEachLimit) {
  const auto breach = [&](size_t tick, int field, double value) {
    Replay replay = MakeReplay(scenarios_.front());
    replay.ticks[tick].set_enforced(field, value);
    return FirstBreach(replay, evidence_.policy).has_value();
  };
  AddReplays(1);
  EXPECT_FALSE(breach(0, 0, 1.0));
  EXPECT_TRUE(breach(0, 0, 1.0001));
  EXPECT_FALSE(breach(99, 0, -0.2));
  EXPECT_TRUE(breach(99, 0, -0.2001));
  EXPECT_TRUE(breach(0, 1, -1.0001));
  EXPECT_TRUE(breach(0, 1, NAN));
  EXPECT_FALSE(breach(99, 0, 0.43));  // 0.6 m/s2 over 50 ms
  EXPECT_TRUE(breach(99, 0, 0.4301));
  EXPECT_FALSE(breach(99, 1, 0.25));  // 3 rad/s2 over 50 ms
  EXPECT_TRUE(breach(99, 1, 0.2501));
}

TEST_F(JudgesTest, TheOracleKnowsTheJerk) {
  AddReplays(1);
  evidence_.policy.mutable_limits()->mutable_nominal()->set_jerk_max_mps3(0, 4);  // 0.01 m/s a tick
  const auto breach = [&](double first, double second) {
    Replay replay = MakeReplay(scenarios_.front());
    const double from = replay.ticks[97].enforced(0);
    replay.ticks[98].set_enforced(0, from + first);
    replay.ticks[99].set_enforced(0, from + first + second);
    return FirstBreach(replay, evidence_.policy).has_value();
  };
  EXPECT_FALSE(breach(0.01, 0.02));
  EXPECT_TRUE(breach(0.0101, 0));
  EXPECT_TRUE(breach(0.01, 0.0201));
  EXPECT_FALSE(breach(-0.2, 0.01)) << "braking is free";
  EXPECT_TRUE(breach(-0.2, 0.0101)) << "and gives nothing to what follows";
}

TEST_F(JudgesTest, TheOracleCountsTheFirstTickAsAStartFromStanding) {
  AddReplays(1);
  evidence_.policy.mutable_limits()->mutable_nominal()->set_jerk_max_mps3(0, 4);  // 0.01 m/s a tick
  const auto breach = [&](double first, double second) {
    Replay replay = MakeReplay(scenarios_.front());
    replay.ticks.resize(2);
    replay.ticks[0].set_enforced(0, first);
    replay.ticks[1].set_enforced(0, second);
    return FirstBreach(replay, evidence_.policy).has_value();
  };
  EXPECT_FALSE(breach(0.01, 0.03));
  EXPECT_TRUE(breach(0.01, 0.0301));
}

TEST_F(JudgesTest, TheOracleKnowsHowFarACommandMayRunAheadOfTheMeasuredSpeed) {
  AddReplays(1);
  evidence_.policy.mutable_limits()->mutable_nominal()->set_cmd_vs_measured_mps(0.3);
  const auto breach = [&](double measured, double command, double before) {
    Replay replay = MakeReplay(scenarios_.front());
    for (v1::TickRecord& tick : replay.ticks) tick.set_enforced(0, before);
    replay.ticks[99].set_enforced(0, command);
    MeasuredMotion known;
    known.vx_mps = before;
    replay.measured.assign(100, known);
    replay.measured[99].vx_mps = measured;
    return FirstBreach(replay, evidence_.policy).has_value();
  };
  EXPECT_FALSE(breach(0.1, 0.4, 0.4));
  EXPECT_TRUE(breach(0.1, 0.4001, 0.4));
  EXPECT_FALSE(breach(0.1, 0.75, 0.8)) << "still braking, at 1 m/s2";
  EXPECT_TRUE(breach(0.1, 0.7501, 0.8));
  EXPECT_FALSE(breach(0.1, -0.2, -0.2)) << "rolling the other way it counts as standing";
  EXPECT_FALSE(breach(NAN, 0.3, 0.3));
  EXPECT_TRUE(breach(NAN, 0.3001, 0.3));
}

TEST_F(JudgesTest, LatencyPassesWithEnoughFramesInTime) {
  AddReplay("fast");  // 100 frames less 5 of warm-up; 81 are needed with 2 late ones
  evidence_.replays[0].frames[7].took = std::chrono::milliseconds(50);
  evidence_.replays[0].frames[8].took = std::chrono::milliseconds(50);
  const v1::GateResult result = JudgeLatency(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS) << result.summary();
  EXPECT_EQ(result.n(), 95u);
  EXPECT_LE(result.bound(), 40);
}

TEST_F(JudgesTest, LatencyHoldsAtTheDeadlineItself) {
  AddReplay("fast");
  for (Frame& frame : evidence_.replays[0].frames) frame.took = std::chrono::milliseconds(40);
  EXPECT_EQ(JudgeLatency(evidence_).outcome(), v1::PASS);
}

TEST_F(JudgesTest, LatencyWithTooFewFramesIsInsufficient) {
  AddReplay("short");
  evidence_.replays[0].frames.resize(5 + 43);
  EXPECT_EQ(JudgeLatency(evidence_).outcome(), v1::INSUFFICIENT);
  evidence_.replays[0].frames.resize(5 + 44);
  EXPECT_EQ(JudgeLatency(evidence_).outcome(), v1::PASS);
  evidence_.replays[0].frames.clear();
  EXPECT_EQ(JudgeLatency(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(JudgesTest, LatencyFailsWhenItIsShownToBeTooSlow) {
  AddReplay("slow");
  for (size_t i = 0; i < 30; ++i)
    evidence_.replays[0].frames[i].took = std::chrono::milliseconds(50);
  evidence_.replays[0].frames[12].took = std::chrono::milliseconds(90);
  const v1::GateResult result = JudgeLatency(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_NEAR(result.findings(0).at_s(), 0.6, 1e-9);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("90.000 ms"));
}

TEST_F(JudgesTest, RecordingsWithClockFaultsAreNamedButDoNotFail) {
  Replay& replay = AddReplay("jittery");
  replay.faults.push_back(
      {tests::kDriveStart_ns + 1'500'000'000, "scan", "stamp runs backwards by 0.050000 s", 3});
  const v1::GateResult result = JudgeRecordings(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).scenario(), "jittery");
  EXPECT_NEAR(result.findings(0).at_s(), 1.5, 1e-9);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("first of 3 times"));
}

TEST_F(JudgesTest, RecordingsThatCannotBeReplayedFailAndIncompleteOnesAreInsufficient) {
  AddReplay("one").channels.erase("scan");
  EXPECT_EQ(JudgeRecordings(evidence_).outcome(), v1::INSUFFICIENT);
  AddReplay("two").status = absl::DataLossError("two.mcap: CRC of chunk at 120");
  EXPECT_EQ(JudgeRecordings(evidence_).outcome(), v1::FAIL);
}

TEST_F(JudgesTest, StaticPolicyWithoutASiteIsNotEnoughEvidenceAndAFindingStillFails) {
  evidence_.at_site = false;
  const v1::GateResult nowhere = JudgeStaticPolicy(evidence_);
  EXPECT_EQ(nowhere.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(nowhere.summary(), HasSubstr("no site: nothing says where it may drive"));
  evidence_.diagnostics.push_back({"S4", "policy/fallback_rules.yaml", 7, 1, "ranks must rise"});
  EXPECT_EQ(JudgeStaticPolicy(evidence_).outcome(), v1::FAIL);
}

TEST_F(JudgesTest, IntegrityAndStaticPolicyFailOnTheFirstFinding) {
  EXPECT_EQ(JudgeIntegrity(evidence_).outcome(), v1::PASS);
  EXPECT_EQ(JudgeStaticPolicy(evidence_).outcome(), v1::PASS);
  evidence_.broken.emplace_back().set_message("bytes differ");
  evidence_.diagnostics.push_back({"S4", "policy/fallback_rules.yaml", 7, 1, "ranks must rise"});
  EXPECT_EQ(JudgeIntegrity(evidence_).outcome(), v1::FAIL);
  const v1::GateResult result = JudgeStaticPolicy(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_EQ(result.findings(0).line(), 7u);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("S4: ranks must rise"));
}

TEST_F(JudgesTest, WithoutReplaysNoGateThatNeedsThemPasses) {
  evidence_.not_replayed = "there is no scenario below x";
  for (const v1::GateResult& result : JudgeAll(evidence_)) {
    const bool needs = result.id() != "integrity" && result.id() != "static_policy";
    EXPECT_EQ(result.outcome(), needs ? v1::INSUFFICIENT : v1::PASS) << result.id();
  }
}

TEST_F(JudgesTest, ReplaysWithoutASingleTickPassNoGateEither) {
  AddReplays(2);
  for (Replay& replay : evidence_.replays) {
    replay.status = absl::DataLossError("cut off");
    replay.ticks.clear();
    replay.motion_clearance_m.clear();
    replay.frames.clear();
    replay.commands.clear();
  }
  for (const v1::GateResult& result : JudgeAll(evidence_)) {
    if (result.id() == "integrity" || result.id() == "static_policy") continue;
    EXPECT_NE(result.outcome(), v1::PASS) << result.id();
  }
}

TEST(WorstTest, FailBeatsInsufficientBeatsPass) {
  const auto worst = [](std::vector<v1::GateOutcome> outcomes) {
    std::vector<v1::GateResult> results;
    for (const v1::GateOutcome outcome : outcomes) results.emplace_back().set_outcome(outcome);
    return Worst(results);
  };
  EXPECT_EQ(worst({v1::PASS, v1::PASS}), v1::PASS);
  EXPECT_EQ(worst({v1::PASS, v1::INSUFFICIENT}), v1::INSUFFICIENT);
  EXPECT_EQ(worst({v1::INSUFFICIENT, v1::FAIL, v1::PASS}), v1::FAIL);
  EXPECT_EQ(worst({v1::PASS, v1::GATE_OUTCOME_UNSPECIFIED}), v1::INSUFFICIENT);
  EXPECT_EQ(worst({}), v1::INSUFFICIENT);
}

}  // namespace
}  // namespace gatekeeper::gates
