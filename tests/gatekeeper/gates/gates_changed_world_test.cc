#include <cmath>

#include "absl/strings/str_replace.h"
#include "gatekeeper/faults/corruption.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/hurt_fixture.h"

// Corruptions and metamorphic relations: recordings that are changed while the loop stays open.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;

class CorruptionTest : public HurtTest {
 protected:
  CorruptionTest() {
    v1::CorruptionGate& gate = *evidence_.suite.mutable_corruption();
    gate.add_corruptions("scan_dropout");
    gate.set_clips(10);
    gate.set_floor_at_3(0.5);
    gate.set_max_silent_wrong(0.4);
    for (int i = 0; i < 10; ++i) {
      Scenario& scenario = scenarios_.emplace_back();
      scenario.document.set_id(absl::StrFormat("clip%02d", i));
      Replay replay;
      replay.scenario = &scenario;
      replay.ticks.emplace_back().set_state("NOMINAL");
      evidence_.replays.push_back(replay);
    }
    for (size_t clip = 0; clip < 10; ++clip) {
      for (int severity = 1; severity <= faults::kSeverities; ++severity) Add(clip, severity);
    }
  }

  void Add(size_t clip, int severity) {
    HurtRun run;
    run.planned.id = absl::StrFormat("scan_dropout/%d", severity);
    run.planned.scenario = clip;
    run.planned.fault.kind = Fault::Kind::kOpenLoop;
    run.planned.fault.spec = {.id = "scan_dropout", .channel = "scan", .severity = severity};
    run.drive.set_agreeing(0.95);
    run.drive.add_changes()->set_state("NOMINAL");
    evidence_.corruption_runs.push_back(run);
  }
  v1::HurtDrive& Drive(size_t clip, int severity) {
    return evidence_.corruption_runs[clip * 5 + static_cast<size_t>(severity) - 1].drive;
  }
};

TEST_F(CorruptionTest, PassesWhenSeverityThreeHoldsAtTheLowerBound) {
  const v1::GateResult result = JudgeCorruption(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS) << Told(result);
  EXPECT_EQ(result.segments_size(), 6) << "five severities and the silent ones";
}

TEST_F(CorruptionTest, TheFloorAtSeverityThreeIsJudgedOnBothSides) {
  Drive(0, 3).set_agreeing(0.5);  // 9 of 10: lower bound 0.66 at alpha 0.1
  EXPECT_EQ(JudgeCorruption(evidence_).outcome(), v1::PASS);
  Drive(1, 3).set_agreeing(0.5);  // 0.55
  EXPECT_EQ(JudgeCorruption(evidence_).outcome(), v1::PASS);
  Drive(2, 3).set_agreeing(0.5);  // 0.45
  const v1::GateResult result = JudgeCorruption(evidence_);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(Told(result), HasSubstr("agreement by severity"));
}

TEST_F(CorruptionTest, AWrongClipIsSilentUnlessATriggerSaysSo) {
  for (const size_t clip : {0U, 1U}) Drive(clip, 5).set_agreeing(0.1);
  EXPECT_EQ(JudgeCorruption(evidence_).outcome(), v1::FAIL) << "2 of 10: up to 0.45";
  v1::HurtDrive::Change& change = *Drive(0, 5).add_changes();
  change.set_state("DEGRADED");
  change.add_triggers("low_confidence");
  EXPECT_EQ(JudgeCorruption(evidence_).outcome(), v1::PASS) << "1 of 10: up to 0.34";
}

TEST_F(CorruptionTest, ATriggerThatTheCleanClipRaisesTooIsNoNotice) {
  for (const size_t clip : {0U, 1U}) {
    Drive(clip, 5).set_agreeing(0.1);
    Drive(clip, 5).mutable_changes(0)->add_triggers("policy_saturated");
    evidence_.replays[clip].ticks.front().add_triggers("policy_saturated");
  }
  EXPECT_EQ(JudgeCorruption(evidence_).outcome(), v1::FAIL);
}

TEST_F(CorruptionTest, FewClipsAreInsufficientAndNotAFailure) {
  evidence_.corruption_runs.resize(5);
  EXPECT_EQ(JudgeCorruption(evidence_).outcome(), v1::INSUFFICIENT);
  evidence_.corruption_runs.clear();
  EXPECT_EQ(JudgeCorruption(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(CorruptionTest, ClipsOfOneDriveAreOneRecording) {
  for (size_t clip : {0U, 1U})
    scenarios_[clip].document.mutable_origin()->set_sha256(std::string(64, 'd'));
  const v1::GateResult nine = JudgeCorruption(evidence_);
  EXPECT_EQ(nine.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(nine.summary(), HasSubstr("on 9 of 10 recordings"));
  evidence_.suite.mutable_corruption()->set_clips(9);
  EXPECT_EQ(JudgeCorruption(evidence_).outcome(), v1::PASS);
}

TEST_F(CorruptionTest, ARiseWithMoreCorruptionIsTold) {
  for (size_t clip = 0; clip < 10; ++clip) Drive(clip, 2).set_agreeing(0.7);
  EXPECT_THAT(JudgeCorruption(evidence_).summary(), HasSubstr("1 curves rise"));
}

using ChangedDriveTest = HurtTest;

TEST_F(ChangedDriveTest, CorruptionsFollowTheUnitsInputsAndLeaveTheLoopOpen) {
  Record(1, 6);
  evidence_.suite.mutable_corruption()->set_clips(1);
  const std::vector<PlannedFault> plan =
      PlanCorruptions(evidence_.replays, bench_->rules(), evidence_.suite);
  EXPECT_EQ(plan.size(), 4u * 5) << "this robot has a laser and no camera";
  for (const HurtRun& run : Run(plan)) {
    EXPECT_EQ(run.drive.error(), "");
    EXPECT_EQ(run.drive.agreeing(), 1) << "its model does not look at the laser";
    EXPECT_GT(run.drive.ticks(), 100u);
  }
}

class MetamorphicTest : public HurtTest {
 protected:
  MetamorphicTest() {
    v1::MetamorphicGate& gate = *evidence_.suite.mutable_metamorphic();
    gate.set_mirror_tolerance(1);
    gate.set_brightness_tolerance(0.5);
    gate.set_max_soft_violations(0.7);  // none of 3 clips: up to 0.63
    gate.set_clips(3);
  }

  RelationLimits limits() const { return {evidence_.policy, evidence_.fallback, evidence_.suite}; }

  v1::GateResult Judge() {
    evidence_.relation_runs.clear();
    for (const PlannedRelation& planned :
         PlanRelations(evidence_.replays, bench_->rules(), evidence_.suite)) {
      evidence_.relation_runs.push_back(
          {planned,
           CheckRelation(*planned.rule, evidence_.replays[planned.scenario], *bench_, limits())});
    }
    return JudgeMetamorphic(evidence_);
  }

  void Drive(tests::Driver driver) {
    auto rules = agent::runtime::LoadRules(tests::CardYaml(), policy_, fallback_);
    ASSERT_TRUE(rules.ok());
    auto bench = TestBench::Create(std::string(64, 'a'), *rules, tests::MakeModel(driver));
    ASSERT_TRUE(bench.ok());
    bench_ = *std::move(bench);
    Record(3, 6);
  }
};

TEST_F(MetamorphicTest, ASymmetricDriverHoldsEveryRelation) {
  Drive(tests::GoodDriver);
  const v1::GateResult result = Judge();
  EXPECT_EQ(result.outcome(), v1::PASS) << Told(result);
  EXPECT_EQ(result.n(), 3u * 4) << "mirror, nearer, nearer_model, moved_site";
  for (const RelationRun& run : evidence_.relation_runs) EXPECT_GT(run.check.ticks(), 100u);
}

TEST_F(MetamorphicTest, ClipsOfOneDriveAreOneRecording) {
  Drive(tests::GoodDriver);
  evidence_.suite.mutable_metamorphic()->set_max_soft_violations(0.9);  // none of 2: up to 0.78
  ASSERT_EQ(Judge().outcome(), v1::PASS);
  for (size_t clip : {0U, 1U})
    scenarios_[clip].document.mutable_origin()->set_sha256(std::string(64, 'd'));
  EXPECT_EQ(Judge().outcome(), v1::INSUFFICIENT) << Judge().summary();
  evidence_.suite.mutable_metamorphic()->set_clips(2);
  EXPECT_EQ(Judge().outcome(), v1::PASS);
}

TEST_F(MetamorphicTest, ADriverWhoPullsToOneSideFailsInTheMirror) {
  Drive([](double bearing, double, double) { return std::pair(0.4, 0.5 * bearing + 0.15); });
  const v1::GateResult result = Judge();
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(Told(result), HasSubstr("mirror: 100.0%"));
}

TEST_F(MetamorphicTest, AnExactRelationAllowsNoViolationAtAll) {
  Drive(tests::GoodDriver);
  ASSERT_EQ(Judge().outcome(), v1::PASS);
  for (RelationRun& run : evidence_.relation_runs) {
    if (std::string(run.planned.rule->id) != "nearer") continue;
    run.check.set_worst(1);
    EXPECT_EQ(JudgeMetamorphic(evidence_).outcome(), v1::PASS);
    run.check.set_worst(1.001);
    EXPECT_EQ(JudgeMetamorphic(evidence_).outcome(), v1::FAIL);
    break;
  }
}

TEST_F(MetamorphicTest, AViolationOfASoftRelationCountsByTheClip) {
  Drive(tests::GoodDriver);
  ASSERT_EQ(Judge().outcome(), v1::PASS);
  int spoiled = 0;
  for (RelationRun& run : evidence_.relation_runs) {
    if (std::string(run.planned.rule->id) != "mirror" || spoiled == 1) continue;
    run.check.set_share(0.10);  // 90 % of the ticks hold: as many as must agree
    EXPECT_EQ(JudgeMetamorphic(evidence_).outcome(), v1::PASS);
    run.check.set_share(0.11);
    ++spoiled;
  }
  EXPECT_EQ(JudgeMetamorphic(evidence_).outcome(), v1::FAIL) << "1 of 3 clips: up to 0.86";
}

TEST_F(MetamorphicTest, WithoutARecordingItIsInsufficient) {
  EXPECT_EQ(Judge().outcome(), v1::INSUFFICIENT);
}

TEST(UnhurriedModelTest, RepeatsWhatItToldAndThenFails) {
  double gain = 1;
  UnhurriedModel model(tests::MakeModel(
      [&](double bearing, double, double) { return std::pair(0.4, gain * bearing); }));
  UnhurriedModel::Answers answers;
  model.Tell(&answers);
  model.input(0)[0] = 0.25F;
  using agent::base::RunOutcome;
  ASSERT_EQ(model.Run({}), RunOutcome::kDone);
  model.Tell(nullptr);
  gain = 2;
  model.Repeat(&answers);
  EXPECT_EQ(model.Run({}), RunOutcome::kDone);
  EXPECT_EQ(model.output(0)[1], 0.25F);
  EXPECT_EQ(model.Run({}), RunOutcome::kFailed);
  model.Repeat(nullptr);
  EXPECT_EQ(model.Run({}), RunOutcome::kDone);
  EXPECT_EQ(model.output(0)[1], 0.5F);
}

TEST(UnhurriedModelTest, AilsAsToldAndGetsWell) {
  using agent::base::RunOutcome;
  using Ailment = UnhurriedModel::Ailment;
  UnhurriedModel model(tests::MakeModel(tests::GoodDriver));
  model.Suffer(Ailment::kLate);
  EXPECT_EQ(model.Run({}), RunOutcome::kDeadlineMissed);
  model.Suffer(Ailment::kFails);
  EXPECT_EQ(model.Run({}), RunOutcome::kFailed);
  model.Suffer(Ailment::kTooFewOutputs);
  EXPECT_EQ(model.output(0).size(), 1u);
  model.Suffer(Ailment::kNan);
  EXPECT_EQ(model.Run({}), RunOutcome::kDone);
  EXPECT_TRUE(std::isnan(model.output(0)[0]));
  model.Suffer(Ailment::kLargest);
  EXPECT_GT(model.output(0)[1], 1e38F);
  model.Suffer(Ailment::kNone);
  EXPECT_EQ(model.Run({}), RunOutcome::kDone);
  EXPECT_FLOAT_EQ(model.output(0)[0], 0.4F);
}

}  // namespace
}  // namespace gatekeeper::gates
