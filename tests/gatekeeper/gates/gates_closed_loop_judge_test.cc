#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/closed_drive.h"
#include "gatekeeper/gates/failing_drive.h"
#include "gatekeeper/gates/gate.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"

// What drives in rebuilt worlds come to.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

TEST(PlanDrivesTest, EnoughStartsForTheDrivesThatAreAskedFor) {
  std::vector<Scenario> scenarios(3);
  for (size_t i = 0; i < 3; ++i) scenarios[i].sha256 = agent::trust::Sha256(std::to_string(i));
  v1::GateSuite suite;
  EXPECT_THAT(PlanDrives(scenarios, suite), IsEmpty()) << "no such section";
  suite.mutable_closed_loop()->set_runs(7);
  const auto planned = PlanDrives(scenarios, suite);
  ASSERT_EQ(planned.size(), 9u);
  EXPECT_EQ(planned[0].start, 0);
  EXPECT_EQ(planned[1].start, 0.25);
  EXPECT_NE(planned[0].seed, planned[3].seed);
  suite.mutable_closed_loop()->set_runs(1000);
  EXPECT_EQ(PlanDrives(scenarios, suite).size(), 3 * kMostStarts);
  // What a part of the library plans holds what the whole plans for it.
  suite.mutable_closed_loop()->set_runs(7);
  const auto part = PlanDrives({scenarios[1]}, suite);
  ASSERT_GE(part.size(), 3u);
  for (size_t k = 0; k < 3; ++k) {
    EXPECT_EQ(part[k].seed, planned[3 + k].seed);
    EXPECT_EQ(Text(part[k], {suite.closed_loop(), nullptr}),
              Text(planned[3 + k], {suite.closed_loop(), nullptr}));
  }
}

class ClosedLoopJudgeTest : public EvidenceTest {
 protected:
  ClosedLoopJudgeTest() {
    evidence_.suite.set_alpha(0.1);
    v1::ClosedLoopGate& limits = *evidence_.suite.mutable_closed_loop();
    limits.set_runs(20);
    limits.set_max_collision_rate(0.15);
    limits.set_min_goal_rate(0.8);
  }

  v1::ClosedLoopRun& AddRun(const std::string& scenario) {
    v1::ClosedLoopRun& run = evidence_.closed_loop.emplace_back();
    run.set_scenario(scenario);
    run.set_period_s(0.05);
    run.set_collided_at_s(NAN);
    run.set_left_map_at_s(NAN);
    run.set_min_clearance_m(NAN);
    run.set_reached_goal_at_s(4);
    run.set_start_s(2);
    for (int i = 0; i < 80; ++i) run.add_x_m(i);
    return run;
  }

  void AddRuns(int clips) {
    for (int i = 0; i < clips; ++i) AddRun(absl::StrFormat("clip%02d", i));
  }
};

TEST_F(ClosedLoopJudgeTest, ShowsFirstStartsBeforeSecondOnesAsAShardWithMoreStartsDoes) {
  const auto add = [&](const std::string& scenario, int starts) {
    for (int k = 0; k < starts; ++k) AddRun(scenario).set_collided_at_s(1);
  };
  for (const char* scenario : {"a", "b", "c"}) add(scenario, 4);
  AddRun("d");
  // The first starts of all three, then the second ones of the first two.
  EXPECT_THAT(FailingInWorlds(evidence_), testing::ElementsAre(0, 4, 8, 1, 5));
  evidence_.closed_loop[0].set_not_used("too near to its goal");
  EXPECT_THAT(FailingInWorlds(evidence_), testing::ElementsAre(4, 8, 1, 5, 9));
  evidence_.closed_loop.resize(3);
  EXPECT_THAT(FailingInWorlds(evidence_), testing::ElementsAre(1, 2));
}

// Without a collision in 20 clips the rate is at most 1 - 0.05^(1/20) = 0.139; with one 0.216.
TEST_F(ClosedLoopJudgeTest, PassesOnTheBoundsOfItsClips) {
  AddRuns(20);
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  EXPECT_NEAR(result.bound(), 0.1391, 1e-4);
  EXPECT_EQ(result.n(), 20u);
  EXPECT_TRUE(result.marginal());
  evidence_.suite.mutable_closed_loop()->set_max_collision_rate(0.139);
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::INSUFFICIENT) << "nothing failed: more clips";
}

TEST_F(ClosedLoopJudgeTest, OneCollisionFailsWithClipAndSecond) {
  AddRuns(20);
  evidence_.closed_loop[7].set_collided_at_s(3.25);
  evidence_.closed_loop[7].set_reached_goal_at_s(NAN);
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).scenario(), "clip07");
  EXPECT_EQ(result.findings(0).at_s(), 2 + 3.25);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("drives into something 3.25 s"));
  evidence_.suite.mutable_closed_loop()->set_max_collision_rate(0.22);
  evidence_.suite.mutable_closed_loop()->set_min_goal_rate(0.78);
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::PASS) << "a rate that allows for it";
}

TEST_F(ClosedLoopJudgeTest, SaysHowNearTheWorldsComeToTheirRecordings) {
  AddRuns(20);
  v1::ClosedLoopGate& limits = *evidence_.suite.mutable_closed_loop();
  limits.set_max_pose_error_m(0.3);
  limits.set_max_range_error_m(0.1);
  v1::ClosedLoopRun& worst = evidence_.closed_loop[3];
  worst.set_pose_error_m(0.21);
  worst.set_range_error_m(0.05);
  worst.set_far_off(0.02);
  worst.set_far_off_walls(0.07);
  worst.set_movers(3);
  worst.set_walked_into(1);
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  ASSERT_EQ(result.segments_size(), 5);
  EXPECT_EQ(result.segments(2).value(), 0.21);
  EXPECT_EQ(result.segments(2).limit(), 0.3);
  EXPECT_EQ(result.segments(3).value(), 0.05);
  EXPECT_EQ(result.segments(4).value(), 0.02);
  EXPECT_EQ(result.segments(4).limit(), 0.1);
  EXPECT_THAT(result.summary(), HasSubstr("at worst 0.21 m (0.30) and ranges 0.050 m (0.100)"));
  EXPECT_THAT(result.summary(), HasSubstr("2.0 % of ranges far off (10.0 %; 7.0 % without"));
  EXPECT_THAT(result.summary(),
              HasSubstr("moving objects: 3, times that one walked into the robot: 1"));
}

TEST_F(ClosedLoopJudgeTest, SaysWhatItRanInto) {
  AddRuns(20);
  evidence_.closed_loop[7].set_collided_at_s(3.25);
  evidence_.closed_loop[7].set_collided_with_mover(true);
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(result.findings(0).message(),
              HasSubstr("3.25 s after its start, which moved there in the recording too"));
}

TEST_F(ClosedLoopJudgeTest, LeavingTheFloorOrTheEnvelopeIsACollision) {
  AddRuns(20);
  evidence_.closed_loop[3].set_left_map_at_s(1);
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::FAIL);
  evidence_.closed_loop[3].set_left_map_at_s(NAN);
  evidence_.closed_loop[3].set_min_clearance_m(-0.01);
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::FAIL);
  evidence_.closed_loop[3].set_min_clearance_m(0);
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::PASS);
}

// 20 of 20 goals: at least 0.861; 19: 0.784.
TEST_F(ClosedLoopJudgeTest, GoalsMustBeReached) {
  AddRuns(20);
  evidence_.closed_loop[3].set_reached_goal_at_s(NAN);
  evidence_.closed_loop[3].add_y_m(4.4);
  evidence_.closed_loop[3].set_last_state("NOMINAL");
  evidence_.closed_loop[3].add_last_reasons("stop_zone:touch");
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("does not get to"));
  EXPECT_THAT(result.findings(0).message(),
              HasSubstr("ends at (79.0, 4.4) in NOMINAL, held by stop_zone:touch"));
  evidence_.suite.mutable_closed_loop()->set_min_goal_rate(0.78);
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::PASS);
}

TEST_F(ClosedLoopJudgeTest, DrivesOfOneClipAreOneSample) {
  for (int i = 0; i < 20; ++i) AddRun(absl::StrFormat("clip%02d", i / 4));
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.n(), 20u);
  EXPECT_EQ(result.n_eff(), 5);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_NEAR(result.bound(), 1 - std::pow(0.05, 1. / 5), 1e-9);
}

TEST_F(ClosedLoopJudgeTest, WhatMayNotBeBelievedIsCountedOutAndNamed) {
  AddRuns(20);
  evidence_.closed_loop[4].set_not_used("the recorded commands lead 0.90 m away");
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.n(), 19u);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT) << "20 are asked for";
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).scenario(), "clip04");
  EXPECT_THAT(result.findings(0).message(),
              HasSubstr("not used: the recorded commands lead 0.90 m"));
  AddRun("clip99");
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::PASS);
}

TEST_F(ClosedLoopJudgeTest, TwoScenariosOfOneRecordingAreOneSample) {
  AddRuns(20);
  for (int i = 0; i < 20; ++i) AddReplay(absl::StrFormat("clip%02d", i));
  EXPECT_EQ(JudgeClosedLoop(evidence_).n_eff(), 20);
  scenarios_[1].document.set_sha256(scenarios_[0].document.sha256());
  EXPECT_EQ(JudgeClosedLoop(evidence_).n_eff(), 19);
}

TEST_F(ClosedLoopJudgeTest, AStartTooNearToTheGoalDoesNotCountAClipOut) {
  AddRuns(20);
  AddRun("clip03").set_not_used("the recorded robot went no farther than 0.20 m");
  const v1::GateResult result = JudgeClosedLoop(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  EXPECT_EQ(result.findings_size(), 0);
  EXPECT_THAT(result.summary(), HasSubstr("; 0 clips not used"));
}

TEST_F(ClosedLoopJudgeTest, WithoutAnyDriveThereIsNoEvidence) {
  EXPECT_EQ(JudgeClosedLoop(evidence_).outcome(), v1::INSUFFICIENT);
}

}  // namespace
}  // namespace gatekeeper::gates
