#include <cmath>

#include "gatekeeper/gates/statistics.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"

// What the gates tell beside their verdict: bounds, margins, effective numbers, cliffs.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;
using SegmentBoundsTest = EvidenceTest;
using LatencyBoundsTest = EvidenceTest;

TEST_F(SegmentBoundsTest, EverySegmentHasItsRow) {
  AddReplays(20);
  Spoil(evidence_.replays[4], 30);
  const v1::GateResult result = JudgeWorstSegment(evidence_);
  ASSERT_EQ(result.segments_size(), 2);
  for (const v1::SegmentBound& row : result.segments()) {
    EXPECT_EQ(row.outcome(), v1::PASS);
    EXPECT_EQ(row.n(), 20u);
    EXPECT_NEAR(row.value(), 0.95, 1e-12);
    EXPECT_EQ(row.lower(), LowerBound(19, 20, 0.05)) << "alpha 0.1 over two segments";
    EXPECT_EQ(row.upper(), UpperBound(19, 20, 0.05));
    EXPECT_EQ(row.limit(), 0.55);
  }
  EXPECT_EQ(result.segments(0).tag(), "clear");
  EXPECT_EQ(result.segments(1).tag(), "dusty");
  EXPECT_NEAR(result.alpha(), 0.05, 1e-12);
  EXPECT_NEAR(result.margin(), result.bound() - 0.55, 1e-12);
  EXPECT_FALSE(result.marginal());
  EXPECT_EQ(result.n_eff(), 20);
}

TEST_F(SegmentBoundsTest, APassThatOneMoreFailureWouldUndoIsMarginal) {
  AddReplays(6);  // 0.607 of six; 0.418 with one failure
  const v1::GateResult result = JudgeWorstSegment(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  EXPECT_TRUE(result.marginal());
  AddReplays(4);
  EXPECT_FALSE(JudgeWorstSegment(evidence_).marginal()) << LowerBound(9, 10, 0.05);
}

TEST_F(SegmentBoundsTest, TwoScenariosOfOneRecordingCountOnce) {
  AddReplays(12);
  for (size_t i = 6; i < 12; ++i)
    scenarios_[i].document.set_sha256(scenarios_[i - 6].document.sha256());
  const v1::GateResult six = JudgeWorstSegment(evidence_);
  EXPECT_EQ(six.outcome(), v1::PASS);
  EXPECT_EQ(six.n(), 12u);
  EXPECT_EQ(six.n_eff(), 6);
  EXPECT_NEAR(six.bound(), 0.607, 0.001) << "as of six clips, not of twelve";
  EXPECT_THAT(six.summary(), HasSubstr("of 12 clips, those of one recording count once"));
  scenarios_[6].document.set_sha256(scenarios_[1].document.sha256());
  scenarios_[0].document.set_sha256(scenarios_[1].document.sha256());
  EXPECT_EQ(JudgeWorstSegment(evidence_).outcome(), v1::INSUFFICIENT) << "five recordings";
}

TEST_F(SegmentBoundsTest, ARecordingHoldsOnlyIfAllItsScenariosDo) {
  AddReplays(12);
  for (size_t i = 6; i < 12; ++i)
    scenarios_[i].document.set_sha256(scenarios_[i - 6].document.sha256());
  Spoil(evidence_.replays[8], 30);
  const v1::GateResult result = JudgeWorstSegment(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(result.summary(), HasSubstr("5 of 6 recordings agree"));
}

TEST_F(LatencyBoundsTest, EveryPercentileHasItsMeasuredValueAndItsBound) {
  AddReplays(8);  // 760 frames without warm-up, of 0.001 to 0.760 ms in some order
  int64_t took_us = 0;
  for (Replay& replay : evidence_.replays) {
    for (size_t i = 5; i < replay.frames.size(); ++i)
      replay.frames[i].took = std::chrono::microseconds(1 + (took_us++ * 7) % 760);
  }
  const v1::GateResult result = JudgeLatency(evidence_);
  EXPECT_EQ(result.n(), 760u);
  EXPECT_NEAR(RowOf(result, "P50").value(), 0.380, 0.0011);
  EXPECT_NEAR(RowOf(result, "P95").value(), 0.722, 0.0011);
  // The bound: as many samples above it as the binomial allows.
  EXPECT_NEAR(RowOf(result, "P95").upper(),
              0.760 - 0.001 * static_cast<double>(SamplesAboveBound(760, 0.95, 0.99)), 1e-9);
  EXPECT_NEAR(RowOf(result, "P95").lower(),
              0.001 + 0.001 * static_cast<double>(SamplesAboveBound(760, 0.05, 0.99)), 1e-9);
  EXPECT_LT(RowOf(result, "P95").lower(), 0.722);
  EXPECT_NEAR(RowOf(result, "P99").upper(), 0.759, 1e-9) << "662 frames allow one above";
  EXPECT_EQ(RowOf(result, "P99").outcome(), v1::PASS);
  EXPECT_TRUE(std::isnan(RowOf(result, "P99.9").upper()));
  EXPECT_EQ(RowOf(result, "P99.9").outcome(), v1::INSUFFICIENT) << "needs 4603 frames";
  EXPECT_EQ(result.outcome(), v1::PASS) << "the suite asks for P90";
  EXPECT_NEAR(result.margin(), 40 - result.bound(), 1e-12);
  EXPECT_NEAR(result.alpha(), 0.01, 1e-12);
}

TEST_F(LatencyBoundsTest, WarmUpIsLeftOutAndCounted) {
  AddReplays(3);
  for (Replay& replay : evidence_.replays) replay.frames[4].took = std::chrono::milliseconds(500);
  const v1::GateResult result = JudgeLatency(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  EXPECT_EQ(result.n(), 285u);
  EXPECT_THAT(result.summary(), HasSubstr("15 of warm-up are left out, the slowest 500.000 ms"));
  evidence_.replays[0].frames[5].took = std::chrono::milliseconds(500);
  EXPECT_THAT(JudgeLatency(evidence_).summary(), HasSubstr("1 of 285 frames took longer"));
}

TEST_F(LatencyBoundsTest, APassThatOneMoreLateFrameWouldUndoIsMarginal) {
  AddReplay("short");
  evidence_.replays[0].frames.resize(5 + 44);
  EXPECT_TRUE(JudgeLatency(evidence_).marginal());
  AddReplay("longer");
  EXPECT_FALSE(JudgeLatency(evidence_).marginal());
}

TEST_F(LatencyBoundsTest, TimesOfAnotherKindOfComputerSayNothing) {
  AddReplays(3);
  evidence_.host_class = "x86-64/avx2";
  evidence_.suite.set_host_class("x86-64/avx2");
  EXPECT_EQ(JudgeLatency(evidence_).outcome(), v1::PASS);
  evidence_.suite.set_host_class("arm64");
  const v1::GateResult result = JudgeLatency(evidence_);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_FALSE(result.marginal());
  EXPECT_THAT(result.summary(), HasSubstr("class arm64, these are from x86-64/avx2"));
}

TEST_F(LatencyBoundsTest, FramesThatDependOnEachOtherAreWorthFewer) {
  AddReplays(8);
  for (size_t clip = 0; clip < 8; ++clip) {
    for (size_t i = 0; i < 100; ++i)
      evidence_.replays[clip].frames[i].took = std::chrono::microseconds(i / 25 % 2 == 0 ? 1 : 900);
  }
  const v1::GateResult result = JudgeLatency(evidence_);
  EXPECT_EQ(result.n(), 760u);
  EXPECT_LT(result.n_eff(), 76);
  EXPECT_GT(result.n_eff(), 8);
}

}  // namespace
}  // namespace gatekeeper::gates
