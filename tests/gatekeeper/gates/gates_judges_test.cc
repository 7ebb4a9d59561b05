#include <deque>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/gates/limit_oracle.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/status_matchers.h"

// Each gate as a function of hand-made evidence, on both sides of its limit.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;

constexpr int64_t kPeriod_ns = 50'000'000;
constexpr int64_t kFirst_ns = tests::kDriveStart_ns;

class JudgesTest : public testing::Test {
 protected:
  JudgesTest() {
    evidence_.suite = tests::SuiteDocument();
    evidence_.policy = tests::PolicyDocument();
    evidence_.fallback = tests::FallbackDocument();
  }

  // A replay of 100 ticks that all agree, in the middle of the hall, tagged "clear" and "dusty".
  Replay& AddReplay(const std::string& id) {
    Scenario& scenario = scenarios_.emplace_back();
    scenario.document.set_id(id);
    scenario.document.set_sha256(std::string(64, '0'));
    v1::Segment& segment = *scenario.document.add_segments();
    segment.set_to_s(60);
    segment.add_tags("clear");
    segment.add_tags("dusty");
    evidence_.replays.push_back(MakeReplay(scenario));
    return evidence_.replays.back();
  }

  static Replay MakeReplay(const Scenario& scenario) {
    Replay replay;
    replay.scenario = &scenario;
    replay.first_ns = kFirst_ns;
    replay.channels = {"scan", "odom", "goal_bearing_rad", "dust"};
    for (int i = 0; i < 100; ++i) {
      v1::TickRecord tick;
      tick.set_now_ns(kFirst_ns + i * kPeriod_ns);
      tick.add_raw(0.4);
      tick.add_raw(0.1);
      tick.add_enforced(0.4);
      tick.add_enforced(0.1);
      tick.set_state("NOMINAL");
      tick.set_clearance_m(5);
      replay.ticks.push_back(tick);
      replay.motion_clearance_m.push_back(4.9);
      replay.commands.push_back({tick.now_ns() + 2'000'000, {0.4, 0.1}});
      replay.frames.push_back({static_cast<size_t>(i), std::chrono::milliseconds(1)});
    }
    replay.last_ns = replay.ticks.back().now_ns();
    return replay;
  }

  void AddReplays(int count) {
    for (int i = 0; i < count; ++i) AddReplay(absl::StrFormat("clip%02d", i));
  }

  // The first `ticks` raw commands of a replay steer wrongly.
  static void Spoil(Replay& replay, int ticks) {
    for (int i = 0; i < ticks; ++i) replay.ticks[static_cast<size_t>(i)].set_raw(1, 0.9);
  }

  // A run in which `channel` fell silent at tick 40.
  FaultRun& AddStale(const std::string& channel, int trigger_tick, int safe_tick) {
    FaultRun run;
    run.planned.id = "drop:" + channel;
    run.planned.fault = {.kind = Fault::Kind::kDropChannel,
                         .channel = channel,
                         .onset_ns = kFirst_ns + 40 * kPeriod_ns,
                         .until_ns = kFirst_ns + 99 * kPeriod_ns};
    run.replay = MakeReplay(scenarios_.front());
    React(run.replay, "input_stale", trigger_tick, safe_tick);
    evidence_.stale_runs.push_back(std::move(run));
    return evidence_.stale_runs.back();
  }

  static void React(Replay& replay, const std::string& trigger, int trigger_tick, int safe_tick) {
    for (int i = 0; i < 100; ++i) {
      v1::TickRecord& tick = replay.ticks[static_cast<size_t>(i)];
      if (i >= trigger_tick) {
        tick.add_triggers(trigger);
        tick.set_state("CONTROLLED_STOP");
      }
      if (i >= safe_tick) tick.set_state("SAFE_STOPPED");
    }
  }

  void AddAllStale(int trigger_tick, int safe_tick) {
    for (const char* channel : {"scan", "odom", "goal_bearing_rad", "dust"}) {
      for (int clip = 0; clip < 2; ++clip) AddStale(channel, trigger_tick, safe_tick);
    }
  }

  FaultRun& AddNetworkRun(int trigger_tick) {
    FaultRun run;
    run.planned.id = "link_down";
    run.planned.fault = {
        .kind = Fault::Kind::kLinkDown, .channel = {}, .onset_ns = kFirst_ns + 10 * kPeriod_ns};
    run.replay = MakeReplay(scenarios_.front());
    for (int i = trigger_tick; i < 100; ++i) {
      run.replay.ticks[static_cast<size_t>(i)].add_triggers("network_down");
      run.replay.ticks[static_cast<size_t>(i)].set_state("DEGRADED");
    }
    evidence_.network_runs.push_back(std::move(run));
    return evidence_.network_runs.back();
  }

  std::deque<Scenario> scenarios_;  // addresses stay
  Evidence evidence_;
};

TEST_F(JudgesTest, WorstSegmentPassesWhenEverySegmentHolds) {
  AddReplays(6);  // 0.05^(1/6) = 0.607, floor 0.55
  const v1::GateResult result = JudgeWorstSegment(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS) << result.summary();
  EXPECT_NEAR(result.bound(), 0.607, 0.001);
  EXPECT_EQ(result.n(), 6u);
  EXPECT_EQ(result.findings_size(), 0);
}

TEST_F(JudgesTest, WorstSegmentNamesTheWorstClipAndItsSecond) {
  AddReplays(8);
  Spoil(evidence_.replays[2], 20);
  Spoil(evidence_.replays[5], 60);
  evidence_.replays[5].ticks[30].set_raw(1, -2.0);
  const v1::GateResult result = JudgeWorstSegment(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_GE(result.findings_size(), 2);
  EXPECT_EQ(result.findings(0).scenario(), "clip05");
  EXPECT_NEAR(result.findings(0).at_s(), 1.5, 1e-9);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("wz_radps -2.000, recorded 0.100"));
  EXPECT_EQ(result.findings(1).scenario(), "clip02");
}

TEST_F(JudgesTest, AClipPassesAtItsShareOfTicksAndFailsBelow) {
  AddReplays(6);
  for (Replay& replay : evidence_.replays) Spoil(replay, 10);  // 90 of 100 agree, wanted 90 %
  EXPECT_EQ(JudgeWorstSegment(evidence_).outcome(), v1::PASS);
  for (Replay& replay : evidence_.replays) Spoil(replay, 11);
  EXPECT_EQ(JudgeWorstSegment(evidence_).outcome(), v1::FAIL);
}

TEST_F(JudgesTest, ABetterMeanDoesNotBuyAWorseSegment) {
  AddReplays(12);
  for (size_t i = 0; i < 12; ++i) {
    v1::Segment& segment = *scenarios_[i].document.mutable_segments(0);
    segment.clear_tags();
    segment.add_tags(i < 6 ? "clear" : "dusty");
  }
  for (size_t i = 6; i < 9; ++i) Spoil(evidence_.replays[i], 11);
  EXPECT_GT(MeanScore(evidence_.replays, evidence_.policy, evidence_.suite.agreement()), 0.97);
  const v1::GateResult result = JudgeWorstSegment(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(result.summary(), HasSubstr("dusty: 3 of 6"));
}

TEST_F(JudgesTest, TooFewClipsAreInsufficient) {
  AddReplays(5);
  EXPECT_EQ(JudgeWorstSegment(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(JudgesTest, CleanClipsThatCannotReachTheFloorAreInsufficientAndNotAFailure) {
  AddReplays(6);
  evidence_.suite.mutable_worst_segment()->set_floor(0.61);
  EXPECT_EQ(JudgeWorstSegment(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(JudgesTest, WithoutRecordedCommandsNothingCanBeScored) {
  AddReplays(6);
  for (Replay& replay : evidence_.replays) replay.commands.clear();
  const v1::GateResult result = JudgeWorstSegment(evidence_);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(result.summary(), HasSubstr("0 clips with recorded commands"));
}

TEST_F(JudgesTest, ATickWithoutAnAnswerDisagrees) {
  AddReplays(6);
  for (Replay& replay : evidence_.replays) {
    for (size_t i = 50; i < 61; ++i) replay.ticks[i].clear_raw();
  }
  EXPECT_EQ(JudgeWorstSegment(evidence_).outcome(), v1::FAIL);
}

TEST_F(JudgesTest, OnlyTheStartMayLackAnAnswer) {
  Replay& replay = AddReplay("late");
  for (size_t i = 0; i < 15; ++i) replay.ticks[i].clear_raw();
  EXPECT_EQ(ScoreTicks(replay, evidence_.policy, evidence_.suite.agreement()).size(), 85u);
  for (v1::TickRecord& tick : replay.ticks) tick.clear_raw();
  EXPECT_EQ(ScoreTicks(replay, evidence_.policy, evidence_.suite.agreement()).size(), 80u);
}

TEST_F(JudgesTest, TicksAreScoredOnlyWhileACommandWasRecorded) {
  Replay& replay = AddReplay("gap");
  replay.commands.erase(replay.commands.begin() + 40, replay.commands.begin() + 60);
  const auto scores = ScoreTicks(replay, evidence_.policy, evidence_.suite.agreement());
  // Commands come 2 ms behind their ticks: the gap's first tick is 48 ms from one, its last 52 ms.
  EXPECT_EQ(scores.size(), 81u);
}

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

TEST_F(JudgesTest, ClampsAreBearableUpToTheirShare) {
  AddReplay("clamped");
  for (size_t i = 0; i < 10; ++i) evidence_.replays[0].ticks[i + 20].set_clamped(true);
  EXPECT_EQ(JudgeRawVsEnforced(evidence_).outcome(), v1::PASS);
  evidence_.replays[0].ticks[30].set_clamped(true);
  const v1::GateResult result = JudgeRawVsEnforced(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_NEAR(result.value(), 0.11, 1e-12);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_NEAR(result.findings(0).at_s(), 1.0, 1e-9);
}

TEST_F(JudgesTest, AnEnforcedCommandBeyondALimitFailsEvenInAFaultRun) {
  AddReplays(1);
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

TEST_F(JudgesTest, LatencyPassesWithEnoughFramesInTime) {
  AddReplay("fast");  // 100 frames; 81 are needed with 2 late ones
  evidence_.replays[0].frames[7].took = std::chrono::milliseconds(50);
  evidence_.replays[0].frames[8].took = std::chrono::milliseconds(50);
  const v1::GateResult result = JudgeLatency(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS) << result.summary();
  EXPECT_EQ(result.n(), 100u);
  EXPECT_LE(result.bound(), 40);
}

TEST_F(JudgesTest, LatencyHoldsAtTheDeadlineItself) {
  AddReplay("fast");
  for (Frame& frame : evidence_.replays[0].frames) frame.took = std::chrono::milliseconds(40);
  EXPECT_EQ(JudgeLatency(evidence_).outcome(), v1::PASS);
}

TEST_F(JudgesTest, LatencyWithTooFewFramesIsInsufficient) {
  AddReplay("short");
  evidence_.replays[0].frames.resize(43);
  EXPECT_EQ(JudgeLatency(evidence_).outcome(), v1::INSUFFICIENT);
  evidence_.replays[0].frames.resize(44);
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

TEST_F(JudgesTest, StaleInputsPassAtBothLimits) {
  AddReplays(1);
  AddAllStale(48, 90);  // 400 ms to the trigger, 2500 ms to safety
  EXPECT_EQ(JudgeStaleInput(evidence_).outcome(), v1::PASS) << JudgeStaleInput(evidence_).summary();
}

TEST_F(JudgesTest, StaleInputsFailBehindEitherLimit) {
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

TEST_F(JudgesTest, AChannelThatCouldNotBeSilencedOftenEnoughIsInsufficient) {
  AddReplays(1);
  AddAllStale(45, 80);
  evidence_.stale_runs.pop_back();
  const v1::GateResult result = JudgeStaleInput(evidence_);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("channel dust could be silenced in 1"));
}

TEST_F(JudgesTest, NetworkDownPassesAtItsLimitAndFailsBehind) {
  AddReplays(1);
  AddNetworkRun(58);  // 2000 ms by the rule and 400 ms to notice
  AddNetworkRun(58);
  EXPECT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::PASS);
  AddNetworkRun(59);
  EXPECT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::FAIL);
}

TEST_F(JudgesTest, NetworkDownNeedsCommandsAndObedience) {
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

TEST_F(JudgesTest, NetworkDownWithoutEnoughDrivesIsInsufficientAndWithoutARuleFails) {
  AddReplays(1);
  AddNetworkRun(50);
  EXPECT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::INSUFFICIENT);
  evidence_.fallback.mutable_triggers()->RemoveLast();
  EXPECT_EQ(JudgeNetworkDown(evidence_).outcome(), v1::FAIL);
}

TEST_F(JudgesTest, DeterminismComparesEveryRunWithTheFirst) {
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

TEST_F(JudgesTest, RecordingsWithClockFaultsAreNamedButDoNotFail) {
  Replay& replay = AddReplay("jittery");
  replay.faults.push_back(
      {kFirst_ns + 1'500'000'000, "scan", "stamp runs backwards by 0.050000 s", 3});
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

TEST_F(JudgesTest, IntegrityAndStaticPolicyFailOnTheFirstFinding) {
  EXPECT_EQ(JudgeIntegrity(evidence_).outcome(), v1::PASS);
  EXPECT_EQ(JudgeStaticPolicy(evidence_).outcome(), v1::PASS);
  evidence_.broken.emplace_back().set_message("bytes differ");
  evidence_.diagnostics.push_back({"S4", "policy/fallback_rules.yaml", 7, "ranks must rise"});
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
