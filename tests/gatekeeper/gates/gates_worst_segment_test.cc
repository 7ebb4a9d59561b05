#include "gatekeeper/gates/agreement.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"

// Agreement with the recorded driver, and the segment that decides.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;
using WorstSegmentTest = EvidenceTest;

TEST_F(WorstSegmentTest, WorstSegmentPassesWhenEverySegmentHolds) {
  AddReplays(6);  // 0.05^(1/6) = 0.607, floor 0.55
  const v1::GateResult result = JudgeWorstSegment(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS) << result.summary();
  EXPECT_NEAR(result.bound(), 0.607, 0.001);
  EXPECT_EQ(result.n(), 6u);
  EXPECT_EQ(result.findings_size(), 0);
}

TEST_F(WorstSegmentTest, WorstSegmentNamesTheWorstClipAndItsSecond) {
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

TEST_F(WorstSegmentTest, AClipPassesAtItsShareOfTicksAndFailsBelow) {
  AddReplays(6);
  for (Replay& replay : evidence_.replays) Spoil(replay, 10);  // 90 of 100 agree, wanted 90 %
  EXPECT_EQ(JudgeWorstSegment(evidence_).outcome(), v1::PASS);
  for (Replay& replay : evidence_.replays) Spoil(replay, 11);
  EXPECT_EQ(JudgeWorstSegment(evidence_).outcome(), v1::FAIL);
}

TEST_F(WorstSegmentTest, ABetterMeanDoesNotBuyAWorseSegment) {
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

TEST_F(WorstSegmentTest, TooFewClipsAreInsufficient) {
  AddReplays(5);
  EXPECT_EQ(JudgeWorstSegment(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(WorstSegmentTest, CleanClipsThatCannotReachTheFloorAreInsufficientAndNotAFailure) {
  AddReplays(6);
  evidence_.suite.mutable_worst_segment()->set_floor(0.61);
  EXPECT_EQ(JudgeWorstSegment(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(WorstSegmentTest, WithoutRecordedCommandsNothingCanBeScored) {
  AddReplays(6);
  for (Replay& replay : evidence_.replays) replay.commands.clear();
  const v1::GateResult result = JudgeWorstSegment(evidence_);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(result.summary(), HasSubstr("0 recordings with recorded commands"));
}

TEST_F(WorstSegmentTest, ATickWithoutAnAnswerDisagrees) {
  AddReplays(6);
  for (Replay& replay : evidence_.replays) {
    for (size_t i = 50; i < 61; ++i) replay.ticks[i].clear_raw();
  }
  EXPECT_EQ(JudgeWorstSegment(evidence_).outcome(), v1::FAIL);
}

TEST_F(WorstSegmentTest, OnlyTheStartMayLackAnAnswer) {
  Replay& replay = AddReplay("late");
  for (size_t i = 0; i < 15; ++i) replay.ticks[i].clear_raw();
  EXPECT_EQ(ScoreTicks(replay, evidence_.policy, evidence_.suite.agreement()).size(), 85u);
  for (v1::TickRecord& tick : replay.ticks) tick.clear_raw();
  EXPECT_EQ(ScoreTicks(replay, evidence_.policy, evidence_.suite.agreement()).size(), 80u);
}

TEST_F(WorstSegmentTest, TicksAreScoredOnlyWhileACommandWasRecorded) {
  Replay& replay = AddReplay("gap");
  replay.commands.erase(replay.commands.begin() + 40, replay.commands.begin() + 60);
  const auto scores = ScoreTicks(replay, evidence_.policy, evidence_.suite.agreement());
  // Commands come 2 ms behind their ticks: the gap's first tick is 48 ms from one, its last 52 ms.
  EXPECT_EQ(scores.size(), 81u);
}

}  // namespace
}  // namespace gatekeeper::gates
