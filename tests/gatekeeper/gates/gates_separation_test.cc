#include <cmath>

#include "gatekeeper/gates/separation.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;

class SeparationTest : public EvidenceTest {
 protected:
  SeparationTest() {
    v1::SeparationGate& limits = *evidence_.suite.mutable_separation();
    limits.set_stop_within_s(0.3);
    limits.set_hold_share(1);
    limits.set_resume_within_s(0.6);
    limits.set_false_stop_share(0.02);
    limits.set_encounters(1);
  }

  static int64_t At(double second) {
    return tests::kDriveStart_ns + static_cast<int64_t>(std::llround(second * 1e9));
  }

  // Something is in the zone from 1 s to 3 s of the 5 s; the robot stands from and to these ticks.
  Replay& AddEncounter(int stands_from, int stands_to) {
    Replay& replay = AddReplay("clip" + std::to_string(scenarios_.size()));
    replay.zone_changes = {{At(1), true}, {At(3), false}};
    Stand(replay, stands_from, stands_to);
    return replay;
  }

  static void Stand(Replay& replay, int from, int to) {
    for (int i = from; i < to; ++i) {
      v1::TickRecord& tick = replay.ticks[static_cast<size_t>(i)];
      tick.set_enforced(0, 0);
      tick.set_enforced(1, 0);
      tick.add_reasons("stop_zone:around");
    }
  }

  static void Move(Replay& replay, int tick) {
    replay.ticks[static_cast<size_t>(tick)].set_enforced(0, 0.1);
  }
};

// Ticks come every 50 ms: 20 is at 1 s, 26 at 1.3 s, 60 at 3 s, 72 at 3.6 s.
TEST_F(SeparationTest, ThePerfectReactionPasses) {
  AddEncounter(20, 60);
  const v1::GateResult result = JudgeSeparation(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  EXPECT_EQ(result.n(), 1u);
  EXPECT_EQ(result.segments_size(), 4);
  EXPECT_EQ(result.findings_size(), 0);
}

TEST_F(SeparationTest, StandsInTimeOrNot) {
  AddEncounter(26, 60);
  EXPECT_EQ(JudgeSeparation(evidence_).outcome(), v1::PASS);
  evidence_.replays.clear();
  AddEncounter(27, 60);
  const v1::GateResult result = JudgeSeparation(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("stands 0.35 s after something came"));
  EXPECT_NEAR(result.findings(0).at_s(), 1, 1e-9);
}

TEST_F(SeparationTest, NeverStandingFails) {
  AddEncounter(0, 0);
  const v1::GateResult result = JudgeSeparation(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_TRUE(std::isinf(result.value()));
  EXPECT_EQ(result.bound(), result.value());
  EXPECT_EQ(result.n_eff(), 1);
  EXPECT_GT(result.alpha(), 0);
}

TEST_F(SeparationTest, HoldsOrNot) {
  Replay& replay = AddEncounter(20, 60);
  Move(replay, 40);
  const v1::GateResult result = JudgeSeparation(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_NEAR(result.findings(0).at_s(), 2, 1e-9) << "the second at which it moved";
  evidence_.suite.mutable_separation()->set_hold_share(39.0 / 40);
  EXPECT_EQ(JudgeSeparation(evidence_).outcome(), v1::PASS);
}

TEST_F(SeparationTest, ResumesInTimeOrNot) {
  AddEncounter(20, 72);
  EXPECT_EQ(JudgeSeparation(evidence_).outcome(), v1::PASS);
  evidence_.replays.clear();
  AddEncounter(20, 73);
  const v1::GateResult result = JudgeSeparation(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(result.summary(), HasSubstr("resumes within 0.65 s"));
  // A model that itself does not want to go on is not made to.
  for (int i = 60; i < 73; ++i) {
    evidence_.replays[0].ticks[static_cast<size_t>(i)].set_raw(0, 0);
    evidence_.replays[0].ticks[static_cast<size_t>(i)].set_raw(1, 0);
  }
  EXPECT_NE(JudgeSeparation(evidence_).outcome(), v1::FAIL);
}

TEST_F(SeparationTest, FalseStopsAreCountedWhereNothingIs) {
  AddEncounter(20, 60);
  Replay& free = AddReplay("free");
  Stand(free, 30, 32);  // 2 of the 147 ticks without anything and without grace
  EXPECT_EQ(JudgeSeparation(evidence_).outcome(), v1::PASS);
  Stand(free, 32, 34);
  const v1::GateResult result = JudgeSeparation(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).scenario(), "free");
  EXPECT_NEAR(result.findings(0).at_s(), 1.5, 1e-9);
}

TEST_F(SeparationTest, AStopForASpeckIsAFalseOne) {
  AddEncounter(20, 60);
  Replay& replay = AddReplay("speck");
  replay.zone_changes = {{At(1), true}, {At(1.25), false}};
  Stand(replay, 20, 30);
  EXPECT_EQ(JudgeSeparation(evidence_).outcome(), v1::FAIL);
  replay.zone_changes = {{At(1), true}, {At(1.3), false}};
  EXPECT_EQ(JudgeSeparation(evidence_).outcome(), v1::PASS) << "0.3 s is no speck";
}

TEST_F(SeparationTest, AFlickeringThingIsOneEncounter) {
  Replay& replay = AddEncounter(20, 60);
  replay.zone_changes = {{At(1), true}, {At(1.8), false}, {At(2), true}, {At(3), false}};
  const v1::GateResult result = JudgeSeparation(evidence_);
  EXPECT_EQ(result.n(), 1u);
  EXPECT_EQ(result.outcome(), v1::PASS);
}

TEST_F(SeparationTest, WhoStandsAnywayShowsNoReaction) {
  Replay& replay = AddEncounter(0, 60);
  EXPECT_EQ(JudgeSeparation(evidence_).outcome(), v1::FAIL) << "20 false stops before it came";
  for (int i = 0; i < 20; ++i) replay.ticks[static_cast<size_t>(i)].clear_reasons();
  const v1::GateResult result = JudgeSeparation(evidence_);
  EXPECT_EQ(result.n(), 0u);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
}

TEST_F(SeparationTest, TooFewEncountersAreNotEnough) {
  AddEncounter(20, 60);
  evidence_.suite.mutable_separation()->set_encounters(2);
  EXPECT_EQ(JudgeSeparation(evidence_).outcome(), v1::INSUFFICIENT);
  AddEncounter(20, 60);
  EXPECT_EQ(JudgeSeparation(evidence_).outcome(), v1::PASS);
}

TEST_F(SeparationTest, APolicyWithoutAStopZoneIsNoEvidence) {
  AddEncounter(20, 60);
  evidence_.policy.clear_separation();
  EXPECT_EQ(JudgeSeparation(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST(StopZoneTest, IsOccupiedByAsManyPointsAsThePolicyAsksFor) {
  const auto bench = tests::MakeBench(tests::GoodDriver);
  v1::LaserScan scan;
  scan.set_angle_min_rad(-0.1);
  scan.set_angle_increment_rad(0.05);
  for (const float range : {6.0F, 0.5F, 0.5F, 6.0F, NAN}) scan.add_ranges_m(range);
  const agent::runtime::Policy& policy = bench->rules().policy;
  EXPECT_FALSE(StopZoneOccupied(policy, scan)) << "two of three";
  scan.set_ranges_m(3, 0.99F);
  EXPECT_TRUE(StopZoneOccupied(policy, scan));
  scan.set_ranges_m(3, 1.01F);
  EXPECT_FALSE(StopZoneOccupied(policy, scan)) << "the zone ends 1 m ahead";
  scan.set_ranges_m(3, -1);
  EXPECT_FALSE(StopZoneOccupied(policy, scan));
}

}  // namespace
}  // namespace gatekeeper::gates
