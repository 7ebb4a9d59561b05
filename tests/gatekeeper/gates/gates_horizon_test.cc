#include <cmath>
#include <limits>

#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/horizon.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;

class HorizonTest : public EvidenceTest {
 protected:
  HorizonTest() {
    v1::HorizonGate& limits = *evidence_.suite.mutable_horizon();
    limits.set_max_deviation_m(0.25);
    limits.set_max_deviation_deg(8);
    limits.set_min_median_s(2);
  }

  // A robot that drove its circle exactly as it was commanded: 0.4 m/s, 0.1 rad/s, 5 s.
  Replay& AddDriven(const std::string& id) {
    Replay& replay = AddReplay(id);
    for (int i = 0; i < 100; ++i) {
      const double yaw = 0.1 * i * 0.05;
      replay.measured.push_back(
          {10 + 4 * std::sin(yaw), 10 + 4 * (1 - std::cos(yaw)), yaw, 0.4, 0.1});
    }
    return replay;
  }

  Horizon Of(const Replay& replay) const {
    return HorizonOf(replay, evidence_.policy, evidence_.suite.horizon());
  }

  // Turns by 0.4 rad/s more than recorded from a tick on: 8 degrees later than a third of a second.
  static void Stray(Replay& replay, size_t from) {
    for (size_t i = from; i < replay.ticks.size(); ++i) replay.ticks[i].set_raw(1, 0.5);
  }
};

TEST_F(HorizonTest, WhoImitatesExactlyNeverLeaves) {
  const Horizon horizon = Of(AddDriven("a"));
  EXPECT_FALSE(horizon.left);
  EXPECT_NEAR(horizon.seconds, 4.95, 1e-9);
  EXPECT_LT(horizon.deviation_m, 1e-6);
  EXPECT_GT(horizon.ticks, 100u);
}

TEST_F(HorizonTest, ATurnTooMuchEndsItAtEightDegrees) {
  Replay& replay = AddDriven("a");
  Stray(replay, 20);
  const Horizon horizon = Of(replay);
  EXPECT_TRUE(horizon.left);
  // 0.1396 rad at 0.4 rad/s takes 0.349 s; the drive needs 0.133 s more to turn that fast at 3
  // rad/s2, of which half is lost, and half its fitted latency's grid.
  EXPECT_NEAR(horizon.seconds, 1.0 + 0.349 + 0.067, 0.11);
  EXPECT_GT(horizon.deviation_deg, 8);
  EXPECT_LT(horizon.deviation_deg, 10);
  EXPECT_LT(horizon.deviation_m, 0.25);
}

TEST_F(HorizonTest, AMetreTooFarEndsItToo) {
  Replay& replay = AddDriven("a");
  for (v1::TickRecord& tick : replay.ticks) tick.set_raw(0, 0.6);
  const Horizon horizon = Of(replay);
  EXPECT_TRUE(horizon.left);
  EXPECT_NEAR(horizon.seconds, 0.25 / 0.2, 0.35) << "0.2 m/s faster, after it has gathered speed";
  EXPECT_LT(horizon.deviation_deg, 8);
  // The other side of the same limit.
  evidence_.suite.mutable_horizon()->set_max_deviation_m(1.1);
  EXPECT_FALSE(Of(replay).left);
}

TEST_F(HorizonTest, TheLatenessOfTheRecordedDriveIsNobodysFault) {
  // The recorded robot stood until its drive followed, 0.2 s late and then at once at 0.6 m/s2.
  Replay& replay = AddReplay("a");
  double x = 10;
  double vx = 0;
  for (int i = 0; i < 100; ++i) {
    replay.measured.push_back({x, 10, 0, vx, 0});
    replay.ticks[static_cast<size_t>(i)].set_raw(1, 0);
    replay.commands[static_cast<size_t>(i)].values = {0.4, 0};
    const double before = vx;
    if (i >= 4) vx = std::min(0.4, vx + 0.6 * 0.05);
    x += (before + vx) / 2 * 0.05;
  }
  evidence_.suite.mutable_horizon()->set_max_deviation_m(0.05);
  EXPECT_FALSE(Of(replay).left) << Of(replay).deviation_m;
}

TEST_F(HorizonTest, TicksBeyondItAreNotScored) {
  Replay& replay = AddDriven("a");
  Stray(replay, 40);
  SetHorizons(evidence_);
  const auto scores = ScoreTicks(replay, evidence_.policy, evidence_.suite.agreement());
  ASSERT_FALSE(scores.empty());
  EXPECT_EQ(scores.back().tick, replay.horizon.ticks - 1);
  EXPECT_LT(replay.horizon.ticks, 60u);
  replay.horizon = {};
  EXPECT_EQ(ScoreTicks(replay, evidence_.policy, evidence_.suite.agreement()).size(), 100u);
}

TEST_F(HorizonTest, WithoutLimitsInTheSuiteNothingIsLeftOut) {
  Replay& replay = AddDriven("a");
  Stray(replay, 0);
  evidence_.suite.clear_horizon();
  SetHorizons(evidence_);
  EXPECT_EQ(ScoreTicks(replay, evidence_.policy, evidence_.suite.agreement()).size(), 100u);
}

TEST_F(HorizonTest, PassesOnTheLowerBoundOfTheMedian) {
  for (int i = 0; i < 12; ++i)
    Stray(AddDriven("clip" + std::to_string(i)), 50 + static_cast<size_t>(i));
  SetHorizons(evidence_);
  const v1::GateResult result = JudgeHorizon(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  EXPECT_EQ(result.n(), 12u);
  EXPECT_LT(result.bound(), result.value());
  evidence_.suite.mutable_horizon()->set_min_median_s(result.bound() + 1e-6);
  EXPECT_EQ(JudgeHorizon(evidence_).outcome(), v1::INSUFFICIENT)
      << "the median holds, its bound does not";
  evidence_.suite.mutable_horizon()->set_min_median_s(result.value() + 0.2);
  const v1::GateResult failed = JudgeHorizon(evidence_);
  EXPECT_EQ(failed.outcome(), v1::FAIL);
  ASSERT_GT(failed.findings_size(), 0);
  EXPECT_THAT(failed.findings(0).message(), HasSubstr("leaves the recorded one"));
  EXPECT_NEAR(failed.findings(0).at_s(), evidence_.replays[0].horizon.seconds, 1e-9);
}

TEST_F(HorizonTest, ClipsThatEndTooSoonAreNotEnough) {
  for (int i = 0; i < 12; ++i) AddDriven("clip" + std::to_string(i));
  SetHorizons(evidence_);
  EXPECT_EQ(JudgeHorizon(evidence_).outcome(), v1::PASS);
  evidence_.suite.mutable_horizon()->set_min_median_s(6);
  EXPECT_EQ(JudgeHorizon(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(HorizonTest, ClipsOfOneDriveLeaveAsOneRecording) {
  for (int i = 0; i < 7; ++i) {
    Stray(AddDriven("long" + std::to_string(i)), 20);
    scenarios_.back().document.mutable_origin()->set_sha256(std::string(64, 'd'));
  }
  for (int i = 0; i < 6; ++i) AddDriven("short" + std::to_string(i));
  evidence_.suite.mutable_horizon()->set_min_median_s(6);
  SetHorizons(evidence_);
  EXPECT_EQ(JudgeHorizon(evidence_).outcome(), v1::INSUFFICIENT) << "one of seven left";
  for (size_t i = 0; i < 13; ++i) {
    v1::Scenario& scenario = scenarios_[i].document;
    if (i < 7) {
      scenario.clear_origin();
    } else {
      scenario.mutable_origin()->set_sha256(std::string(64, 'd'));
    }
  }
  EXPECT_EQ(JudgeHorizon(evidence_).outcome(), v1::FAIL) << "seven of eight";
}

TEST_F(HorizonTest, AFewClipsHaveNoBound) {
  for (int i = 0; i < 3; ++i) AddDriven("clip" + std::to_string(i));
  SetHorizons(evidence_);
  EXPECT_EQ(JudgeHorizon(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(HorizonTest, WithoutOdometryThereIsNone) {
  AddReplay("a");
  SetHorizons(evidence_);
  EXPECT_TRUE(std::isnan(evidence_.replays[0].horizon.seconds));
  EXPECT_EQ(JudgeHorizon(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(HorizonTest, AShorterOneThanTheDeployedUnitsIsTold) {
  for (int i = 0; i < 12; ++i) Stray(AddDriven("clip" + std::to_string(i)), 60);
  evidence_.deployed.emplace();
  evidence_.deployed->label = "nav@0.9.0";
  evidence_.deployed->policy = evidence_.policy;
  evidence_.deployed->replays = evidence_.replays;
  SetHorizons(evidence_);
  EXPECT_EQ(JudgeHorizon(evidence_).findings_size(), 0) << "equal";
  for (Replay& replay : evidence_.replays) Stray(replay, 55);
  SetHorizons(evidence_);
  const v1::GateResult result = JudgeHorizon(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_THAT(result.findings(0).message(), HasSubstr("shrank"));
  EXPECT_THAT(result.findings(0).message(), HasSubstr("nav@0.9.0"));
}

}  // namespace
}  // namespace gatekeeper::gates
