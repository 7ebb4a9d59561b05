#include <filesystem>

#include "absl/strings/str_replace.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/run_suite.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// The new unit beside the deployed one, on both sides of every limit.

namespace gatekeeper::gates {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class NonInferiorityTest : public EvidenceTest {
 protected:
  // `count` clips on which both units agree with the driver everywhere.
  void Compare(int count) {
    AddReplays(count);
    evidence_.suite.mutable_non_inferiority()->set_delta(0.1);
    DeployedUnit& deployed = evidence_.deployed.emplace();
    deployed.label = "nav@1.2.0";
    deployed.policy = evidence_.policy;
    for (const Scenario& scenario : scenarios_) deployed.replays.push_back(MakeReplay(scenario));
  }
  Replay& Now(size_t i) { return evidence_.replays[i]; }
  Replay& Before(size_t i) { return evidence_.deployed->replays[i]; }

  // The tag's part of every clip from here on: clear up to tick 50, dusty from there.
  void SplitSegments() {
    for (Scenario& scenario : scenarios_) {
      v1::Segment& clear = *scenario.document.mutable_segments(0);
      clear.set_to_s(2.5);
      clear.clear_tags();
      clear.add_tags("clear");
      v1::Segment& dusty = *scenario.document.add_segments();
      dusty.set_from_s(2.5);
      dusty.set_to_s(10);
      dusty.add_tags("dusty");
    }
  }
};

TEST_F(NonInferiorityTest, WithoutADeployedUnitTheEvidenceIsInsufficientAndSaysWhatToDo) {
  AddReplays(40);
  evidence_.suite.mutable_non_inferiority()->set_delta(0.1);
  const v1::GateResult result = JudgeNonInferiority(evidence_);
  EXPECT_EQ(result.outcome(), v1::INSUFFICIENT);
  EXPECT_THAT(result.summary(), HasSubstr("--against DEPLOYED_UNIT_FOLDER"));
}

TEST_F(NonInferiorityTest, TheSameDrivingPassesWithEnoughClips) {
  // Without a change Tango's bound is z^2 / (n + z^2): the dusty and the clear segment share alpha
  // 0.1, so the first has z(0.05) = 1.645 and needs 25 clips for a delta of 0.1.
  Compare(25);
  const v1::GateResult result = JudgeNonInferiority(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS) << result.summary();
  EXPECT_NEAR(result.bound(), -2.705543 / 27.705543, 1e-6);
  EXPECT_NEAR(result.margin(), result.bound() + 0.1, 1e-12);
  EXPECT_NEAR(result.alpha(), 0.05, 1e-12);
  EXPECT_EQ(result.n(), 25u);
  EXPECT_TRUE(result.marginal()) << "one lost clip more would be too many";
  EXPECT_EQ(result.segments_size(), 4) << "all, two segments, agreement of ticks";
  EXPECT_EQ(RowOf(result, "agreement of ticks").lower(), 0);
}

TEST_F(NonInferiorityTest, OneClipFewerIsInsufficient) {
  Compare(24);
  EXPECT_EQ(JudgeNonInferiority(evidence_).outcome(), v1::INSUFFICIENT);
}

TEST_F(NonInferiorityTest, ManyClipsAreNotMarginal) {
  Compare(80);
  const v1::GateResult result = JudgeNonInferiority(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS);
  EXPECT_FALSE(result.marginal());
}

TEST_F(NonInferiorityTest, ANewlyFailingClipIsNamedAndBlocksWhateverTheMean) {
  Compare(80);
  for (size_t i = 0; i < 30; ++i) Spoil(Before(i), 60);  // the old one failed thirty clips
  Spoil(Now(41), 20);
  Now(41).ticks[33].set_raw(1, -2.0);
  const v1::GateResult result = JudgeNonInferiority(evidence_);
  EXPECT_GT(RowOf(result, "all").lower(), 0) << "better by far";
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 1);
  EXPECT_EQ(result.findings(0).scenario(), "clip41");
  EXPECT_NEAR(result.findings(0).at_s(), 1.65, 1e-9);
  EXPECT_THAT(result.findings(0).message(),
              AllOf(HasSubstr("passes with nav@1.2.0 (100.0%"), HasSubstr("fails now (79.0%"),
                    HasSubstr("wz_radps -2.000, recorded 0.100")));
  evidence_.suite.mutable_non_inferiority()->set_max_newly_failing(1);
  const v1::GateResult allowed = JudgeNonInferiority(evidence_);
  EXPECT_EQ(allowed.outcome(), v1::PASS) << allowed.summary();
  EXPECT_EQ(allowed.findings_size(), 1) << "named all the same";
}

TEST_F(NonInferiorityTest, AClipThatFailedBeforeIsNotNew) {
  Compare(80);
  Spoil(Before(7), 30);
  Spoil(Now(7), 30);
  const v1::GateResult result = JudgeNonInferiority(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS) << result.summary();
  EXPECT_EQ(result.findings_size(), 0);
}

TEST_F(NonInferiorityTest, ABetterWholeDoesNotBuyAWorseSegment) {
  Compare(80);
  SplitSegments();
  evidence_.suite.mutable_non_inferiority()->set_max_newly_failing(80);
  for (size_t i = 0; i < 60; ++i) Spoil(Before(i), 40);  // bad where it is clear
  for (size_t i = 0; i < 20; ++i) {                      // a little bad in the dust
    for (size_t tick = 90; tick < 98; ++tick) Now(i).ticks[tick].set_raw(1, 0.9);
  }
  const v1::GateResult result = JudgeNonInferiority(evidence_);
  EXPECT_EQ(RowOf(result, "all").outcome(), v1::PASS);
  EXPECT_EQ(RowOf(result, "clear").outcome(), v1::PASS);
  EXPECT_EQ(RowOf(result, "agreement of ticks").outcome(), v1::PASS);
  EXPECT_EQ(RowOf(result, "dusty").outcome(), v1::FAIL);
  EXPECT_NEAR(RowOf(result, "dusty").value(), -0.25, 1e-12);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  EXPECT_THAT(result.summary(), HasSubstr("dusty: lower bound of the difference on 80 recordings"));
  EXPECT_EQ(result.findings(0).segment(), "dusty");
  EXPECT_EQ(result.findings(0).scenario(), "clip00");
}

TEST_F(NonInferiorityTest, SegmentsShareTheErrorRateByHolm) {
  Compare(80);
  SplitSegments();
  evidence_.suite.mutable_non_inferiority()->set_max_newly_failing(80);
  for (size_t tick = 90; tick < 98; ++tick) Now(3).ticks[tick].set_raw(1, 0.9);
  const v1::GateResult result = JudgeNonInferiority(evidence_);
  // The clear segment has the smaller p and is tested at alpha / 2, the dusty one at alpha.
  EXPECT_NEAR(RowOf(result, "clear").lower(), -2.705543 / 82.705543, 1e-6);
  EXPECT_GT(RowOf(result, "dusty").lower(), -0.1);
  EXPECT_EQ(result.outcome(), v1::PASS) << result.summary();
}

TEST_F(NonInferiorityTest, FewerAgreeingTicksAreWorseEvenIfNoClipFails) {
  Compare(80);
  evidence_.suite.mutable_agreement()->set_clip_pass_fraction(0.5);
  for (size_t i = 0; i < 80; ++i) Spoil(Now(i), i % 2 == 0 ? 20 : 30);
  const v1::GateResult result = JudgeNonInferiority(evidence_);
  EXPECT_EQ(RowOf(result, "all").outcome(), v1::PASS);
  EXPECT_EQ(RowOf(result, "agreement of ticks").outcome(), v1::FAIL);
  EXPECT_NEAR(RowOf(result, "agreement of ticks").value(), -0.25, 1e-12);
  EXPECT_EQ(result.outcome(), v1::FAIL);
}

TEST_F(NonInferiorityTest, TwoScenariosOfOneRecordingAreOneClip) {
  Compare(50);
  for (size_t i = 25; i < 50; ++i)
    scenarios_[i].document.set_sha256(scenarios_[i - 25].document.sha256());
  const v1::GateResult result = JudgeNonInferiority(evidence_);
  EXPECT_EQ(result.n(), 50u);
  EXPECT_EQ(result.n_eff(), 25);
  EXPECT_EQ(RowOf(result, "all").n(), 25u);
}

TEST_F(NonInferiorityTest, ClipsThatOnlyOneUnitCouldDriveAreNotCompared) {
  Compare(26);
  Before(4).ticks.clear();
  const v1::GateResult result = JudgeNonInferiority(evidence_);
  EXPECT_EQ(result.n(), 25u);
}

TEST_F(NonInferiorityTest, TheSameEvidenceGivesTheSameBytes) {
  Compare(30);
  for (size_t i = 0; i < 30; i += 3) Spoil(Now(i), 5 + static_cast<int>(i));
  EXPECT_EQ(JudgeNonInferiority(evidence_).SerializeAsString(),
            JudgeNonInferiority(evidence_).SerializeAsString());
}

// --- With real files, the real runtime and the real Controller. ---

class AgainstTest : public testing::Test {
 protected:
  AgainstTest() {
    std::filesystem::create_directories(folder_ / "scenarios");
    for (int i = 0; i < 12; ++i) {
      tests::RecordScenario(folder_ / "scenarios", absl::StrFormat("drive%02d", i),
                            {.seconds = 4, .number = i, .dusty_from_s = 2, .without = {}});
    }
    suite_ = tests::SuiteYaml() + "non_inferiority: {delta: 0.25, max_newly_failing: 0}\n";
  }

  absl::StatusOr<GateRun> Run(const std::string& against) {
    auto unit = bundle::UngatedUnit::Open(folder_ / "new");
    if (!unit.ok()) return unit.status();
    return RunSuite(*unit, {.suite_yaml = suite_,
                            .suite_file = "suite.yaml",
                            .scenarios_folder = folder_ / "scenarios",
                            .policy = tests::AtSite(),
                            .against = against,
                            .clips_folder = {},
                            .threads = 2,
                            .library_path = {}});
  }

  void Write(const std::string& name, float dust_gain) {
    tests::WriteUnit(folder_ / name, tests::LinearOnnx(0.5F, dust_gain), tests::PolicyYaml());
  }

  static const v1::GateResult& GateOf(const GateRun& run) {
    for (const v1::GateResult& gate : run.report.gates()) {
      if (gate.id() == "non_inferiority") return gate;
    }
    static const v1::GateResult none;
    return none;
  }

  tests::TempFolder folder_;
  std::string suite_;
};

TEST_F(AgainstTest, ComparesWithTheUnitInTheFolder) {
  Write("new", 0.3F);
  Write("deployed", 0);
  ASSERT_OK_AND_ASSIGN(const GateRun run, Run(folder_ / "deployed"));
  EXPECT_EQ(GateOf(run).outcome(), v1::FAIL) << GateOf(run).summary();
  EXPECT_EQ(GateOf(run).findings_size(), 12);
  EXPECT_EQ(GateOf(run).findings(0).scenario().substr(0, 5), "drive");
  ASSERT_OK_AND_ASSIGN(const auto deployed, bundle::UngatedUnit::Open(folder_ / "deployed"));
  EXPECT_EQ(run.report.deployed_digest(), deployed.digest().hex());
}

TEST_F(AgainstTest, TheGoodUnitPassesAgainstTheWorseOneAndAgainstItself) {
  Write("new", 0);
  Write("deployed", 0.3F);
  for (const char* other : {"deployed", "new"}) {
    ASSERT_OK_AND_ASSIGN(const GateRun run, Run(folder_ / other));
    EXPECT_EQ(GateOf(run).outcome(), v1::PASS) << other << ": " << GateOf(run).summary();
  }
}

TEST_F(AgainstTest, WhatCannotBeRunIsAnErrorAndNoVerdict) {
  Write("new", 0);
  EXPECT_THAT(std::string(Run(folder_ / "nowhere").status().message()), HasSubstr("nowhere"));
  tests::WriteUnit(folder_ / "broken", "this is no model", tests::PolicyYaml());
  EXPECT_THAT(std::string(Run(folder_ / "broken").status().message()),
              HasSubstr("the unit to compare with, " + (folder_ / "broken")));
}

TEST_F(AgainstTest, WithoutTheSectionThereIsNothingToCompareFor) {
  Write("new", 0);
  suite_ = tests::SuiteYaml();
  EXPECT_THAT(Run(folder_ / "new"), tests::StatusIs(absl::StatusCode::kInvalidArgument,
                                                    HasSubstr("no section non_inferiority")));
}

}  // namespace
}  // namespace gatekeeper::gates
