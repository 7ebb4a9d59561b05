#include <cmath>

#include "gatekeeper/gates/suite.h"
#include "gmock/gmock.h"
#include "tests/gatekeeper/gates/evidence_fixture.h"
#include "tests/support/status_matchers.h"

// What the library must hold before a verdict on it is worth anything.

namespace gatekeeper::gates {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class CoverageTest : public EvidenceTest {
 protected:
  // Four clips of five seconds, one for each pair of two lights and two floors, and every trigger
  // and state somewhere.
  void Covered() {
    v1::CoverageGate& gate = *evidence_.suite.mutable_coverage();
    Dimension("light", {"day", "dusk"});
    Dimension("floor", {"dry", "wet"});
    gate.set_trigger_clips(2);
    gate.set_min_hours(4 * 4.95 / 3600);
    for (const char* light : {"day", "dusk"}) {
      for (const char* floor : {"dry", "wet"}) {
        AddReplay(std::string(light) + "-" + floor);
        v1::Segment& segment = *scenarios_.back().document.mutable_segments(0);
        segment.clear_tags();
        segment.add_tags(light);
        segment.add_tags(floor);
      }
    }
    size_t tick = 0;
    for (const auto& [name, state] : evidence_.fallback.states()) {
      evidence_.replays[0].ticks[tick++].set_state(name);
    }
    tick = 20;
    for (const v1::Trigger& trigger : evidence_.fallback.triggers()) {
      evidence_.replays[0].ticks[tick].add_triggers(trigger.id());
      evidence_.replays[1].ticks[tick++].add_triggers(trigger.id());
    }
  }

  void Dimension(const std::string& id, const std::vector<std::string>& tags) {
    v1::CoverageDimension& dimension = *evidence_.suite.mutable_coverage()->add_dimensions();
    dimension.set_id(id);
    for (const std::string& tag : tags) dimension.add_tags(tag);
  }

  // The one finding of a library that lacks one thing.
  std::string Missing() {
    const v1::GateResult result = JudgeCoverage(evidence_);
    EXPECT_EQ(result.outcome(), v1::INSUFFICIENT) << result.summary();
    EXPECT_EQ(result.findings_size(), 1);
    return result.findings_size() == 1 ? result.findings(0).message() : result.summary();
  }
};

TEST_F(CoverageTest, ALibraryWithEverythingPasses) {
  Covered();
  const v1::GateResult result = JudgeCoverage(evidence_);
  EXPECT_EQ(result.outcome(), v1::PASS) << result.findings(0).message();
  EXPECT_EQ(result.segments_size(), 4);
  EXPECT_NEAR(result.value(), 4 * 4.95 / 3600, 1e-12);
  EXPECT_NEAR(result.bound(), -std::log(0.1) / result.value(), 1e-6) << "what it cannot rule out";
  EXPECT_THAT(result.summary(),
              HasSubstr("4 of 4 pairs of conditions, 8 of 8 triggers, 6 of 6 states"));
}

TEST_F(CoverageTest, AMissingPairIsNamed) {
  Covered();
  scenarios_[3].document.mutable_segments(0)->set_tags(1, "dry");  // dusk and wet never meet
  EXPECT_THAT(Missing(), HasSubstr("light: dusk, floor: wet"));
}

TEST_F(CoverageTest, APairMustMeetForASecond) {
  Covered();
  v1::Scenario& scenario = scenarios_[3].document;
  scenario.mutable_segments(0)->set_to_s(3);
  scenario.mutable_segments(0)->mutable_tags()->RemoveLast();  // dusk to 3 s
  v1::Segment& wet = *scenario.add_segments();
  wet.add_tags("wet");
  wet.set_to_s(60);
  wet.set_from_s(2.0);
  EXPECT_EQ(JudgeCoverage(evidence_).outcome(), v1::PASS);
  wet.set_from_s(2.01);
  EXPECT_THAT(Missing(), HasSubstr("light: dusk, floor: wet"));
}

TEST_F(CoverageTest, OneDimensionAsksForEveryValue) {
  Covered();
  evidence_.suite.mutable_coverage()->clear_dimensions();
  Dimension("light", {"day", "dusk"});
  EXPECT_EQ(JudgeCoverage(evidence_).outcome(), v1::PASS);
  evidence_.suite.mutable_coverage()->mutable_dimensions(0)->add_tags("night");
  EXPECT_THAT(Missing(), HasSubstr("light: night"));
}

TEST_F(CoverageTest, ATriggerThatFiresTooSeldomIsNamed) {
  Covered();
  for (v1::TickRecord& tick : evidence_.replays[1].ticks) {
    if (tick.triggers_size() > 0 && tick.triggers(0) == "nonfinite") tick.clear_triggers();
  }
  EXPECT_THAT(Missing(), AllOf(HasSubstr("trigger nonfinite fired in 1 recording,"),
                               HasSubstr("2 are wanted")));
}

TEST_F(CoverageTest, ATriggerInTwoClipsOfOneDriveFiredInOneRecording) {
  Covered();
  for (size_t clip : {0u, 1u})
    scenarios_[clip].document.mutable_origin()->set_sha256(std::string(64, 'd'));
  EXPECT_THAT(JudgeCoverage(evidence_).findings(0).message(), HasSubstr("fired in 1 recording,"));
  scenarios_[1].document.clear_origin();
  EXPECT_EQ(JudgeCoverage(evidence_).outcome(), v1::PASS);
}

TEST_F(CoverageTest, InjectedFaultsCountForTriggersAndStates) {
  Covered();
  for (Replay& replay : evidence_.replays) {
    for (v1::TickRecord& tick : replay.ticks) {
      if (tick.state() == "SAFE_STOPPED") tick.set_state("NOMINAL");
    }
  }
  EXPECT_THAT(Missing(), HasSubstr("state SAFE_STOPPED was never visited"));
  AddStale("scan", 45, 70);
  EXPECT_EQ(JudgeCoverage(evidence_).outcome(), v1::PASS);
}

TEST_F(CoverageTest, DrivesOfTheFaultMatrixCountForTheirScenario) {
  Covered();
  for (v1::TickRecord& tick : evidence_.replays[1].ticks) {
    if (tick.triggers_size() > 0 && tick.triggers(0) == "nonfinite") tick.clear_triggers();
  }
  v1::HurtDrive& drive = evidence_.matrix_runs.emplace_back().drive;
  v1::HurtDrive::Change& change = *drive.add_changes();
  change.add_triggers("nonfinite");
  change.set_state("CONTROLLED_STOP");
  drive.set_scenario("day-dry");  // fired there already
  EXPECT_THAT(Missing(), HasSubstr("trigger nonfinite fired in 1 recording,"));
  drive.set_scenario("dusk-wet");
  EXPECT_EQ(JudgeCoverage(evidence_).outcome(), v1::PASS);
}

TEST_F(CoverageTest, TooFewHoursAreTold) {
  Covered();
  evidence_.suite.mutable_coverage()->set_min_hours(0.01);
  EXPECT_THAT(Missing(), HasSubstr("0.010 h are wanted"));
}

TEST_F(CoverageTest, ARecordingThatTwoScenariosNameLastsOnce) {
  Covered();
  for (Scenario& scenario : scenarios_)
    scenario.document.set_sha256(scenarios_[0].document.sha256());
  EXPECT_NEAR(JudgeCoverage(evidence_).value(), 4.95 / 3600, 1e-12);
}

TEST_F(CoverageTest, WhatCannotBeReplayedCoversNothing) {
  Covered();
  evidence_.replays[3].status = absl::DataLossError("cut short");
  EXPECT_EQ(JudgeCoverage(evidence_).outcome(), v1::INSUFFICIENT);
}

struct BadCoverage {
  const char* section;
  const char* told;
};
class BadCoverageTest : public testing::TestWithParam<BadCoverage> {};

TEST_P(BadCoverageTest, IsRefusedWithItsPlace) {
  const std::string yaml = tests::SuiteYaml() + "coverage: " + GetParam().section + "\n";
  EXPECT_THAT(ParseSuite(yaml, "suite.yaml"),
              tests::StatusIs(absl::StatusCode::kInvalidArgument,
                              AllOf(HasSubstr("suite.yaml:"), HasSubstr(GetParam().told))));
}

INSTANTIATE_TEST_SUITE_P(
    Sections, BadCoverageTest,
    testing::Values(
        BadCoverage{"{dimensions: [], trigger_clips: 1}", "coverage.dimensions is empty"},
        BadCoverage{"{dimensions: [{id: light, tags: [day]}], trigger_clips: 0}", "trigger_clips"},
        BadCoverage{"{dimensions: [{id: light, tags: []}], trigger_clips: 1}", "an id and tags"},
        BadCoverage{"{dimensions: [{id: \"\", tags: [day]}], trigger_clips: 1}", "an id and tags"},
        BadCoverage{"{dimensions: [{id: a, tags: [x]}, {id: b, tags: [x]}], trigger_clips: 1}",
                    "\"x\", which is empty or stands in another place too"},
        BadCoverage{"{dimensions: [{id: a, tags: [x]}], trigger_clips: 1, min_hours: -1}",
                    "coverage.min_hours"}));

TEST(GoodCoverageTest, IsRead) {
  EXPECT_OK(ParseSuite(tests::SuiteYaml() +
                           "coverage: {dimensions: [{id: light, tags: [day, dusk]}, "
                           "{id: floor, tags: [wet]}], min_hours: 2.5, trigger_clips: 3}\n",
                       "suite.yaml"));
}

}  // namespace
}  // namespace gatekeeper::gates
