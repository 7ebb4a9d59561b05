#include <filesystem>
#include <fstream>

#include "absl/strings/str_replace.h"
#include "agent/inference/onnx_runtime.h"
#include "agent/recording/observation_reader.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/run_suite.h"
#include "gatekeeper/report/writer.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// The whole run: real files, the real runtime, the real Controller.

namespace gatekeeper::gates {
namespace {

using testing::HasSubstr;

class RunSuiteTest : public testing::Test {
 protected:
  void RecordDrives(int count) {
    for (int i = 0; i < count; ++i) {
      tests::RecordScenario(Scenarios(), "drive" + std::to_string(i),
                            {.seconds = 6, .number = i, .dusty_from_s = 3, .without = {}});
    }
  }
  std::string Scenarios() {
    std::filesystem::create_directories(folder_ / "scenarios");
    return folder_ / "scenarios";
  }

  absl::StatusOr<GateRun> Run(const std::string& onnx, unsigned threads = 2) {
    tests::WriteUnit(folder_ / "unit", onnx, tests::PolicyYaml());
    auto unit = bundle::UngatedUnit::Open(folder_ / "unit");
    if (!unit.ok()) return unit.status();
    return RunSuite(*unit, {.suite_yaml = suite_,
                            .suite_file = "suite.yaml",
                            .scenarios_folder = Scenarios(),
                            .policy = tests::AtSite(),
                            .clips_folder = folder_ / "clips",
                            .threads = threads,
                            .library_path = {}});
  }

  static const v1::GateResult& Gate(const GateRun& run, const std::string& id) {
    for (const v1::GateResult& gate : run.report.gates()) {
      if (gate.id() == id) return gate;
    }
    static const v1::GateResult none;
    return none;
  }

  tests::TempFolder folder_;
  std::string suite_ = tests::SuiteYaml();
};

TEST_F(RunSuiteTest, AGoodUnitGetsAPass) {
  RecordDrives(6);
  ASSERT_OK_AND_ASSIGN(const GateRun run, Run(tests::LinearOnnx(0.5F, 0)));
  EXPECT_EQ(run.report.outcome(), v1::PASS)
      << report::WriteReport(report::ReportFormat::kTable, run.report);
  ASSERT_TRUE(run.pass.has_value());
  EXPECT_EQ(run.pass->digest().hex(), run.report.unit_digest());
  EXPECT_EQ(run.pass->unit_folder(), folder_ / "unit");
  EXPECT_EQ(run.report.gates_size(), 11);
  EXPECT_EQ(run.report.scenarios(), 6u);
  EXPECT_EQ(run.report.ticks(), 6u * 121u);
  EXPECT_EQ(run.report.inputs_size(), 6);
  EXPECT_NEAR(run.report.mean_score(), 1.0, 1e-12);
}

TEST_F(RunSuiteTest, AWorseDustySegmentIsRefusedWithClipAndSecond) {
  RecordDrives(6);
  ASSERT_OK_AND_ASSIGN(const GateRun run, Run(tests::LinearOnnx(0.5F, 0.3F)));
  EXPECT_EQ(run.report.outcome(), v1::FAIL);
  EXPECT_FALSE(run.pass.has_value());
  const v1::GateResult& gate = Gate(run, "worst_segment");
  EXPECT_EQ(gate.outcome(), v1::FAIL);
  EXPECT_THAT(gate.summary(), HasSubstr("dusty: 0 of 6"));
  ASSERT_GT(gate.findings_size(), 0);
  EXPECT_GE(gate.findings(0).at_s(), 3.0);
  EXPECT_EQ(gate.findings(0).segment(), "dusty");
  ASSERT_FALSE(gate.findings(0).clip().empty());

  // The clip: the inputs, what was driven, what the unit wanted, and where all of it comes from.
  ASSERT_OK_AND_ASSIGN(const auto clip,
                       agent::recording::ObservationReader::Open(gate.findings(0).clip(), {}));
  int observations = 0, commands = 0, verdicts = 0;
  ASSERT_OK(clip.ForEach([&](const agent::recording::RecordedItem& item) {
    if (std::holds_alternative<v1::Observation>(item.content)) ++observations;
    if (std::holds_alternative<v1::Command>(item.content)) ++commands;
    if (std::holds_alternative<v1::TickRecord>(item.content)) ++verdicts;
    return absl::OkStatus();
  }));
  EXPECT_GT(observations, 60);
  EXPECT_GT(commands, 60);
  EXPECT_EQ(verdicts, observations);
  // What a 3D view draws: where the body is, zones and outline, then the finding in its second.
  std::map<std::string, int> drawn;
  ASSERT_OK(clip.mcap().ForEachMessage(
      {}, [&](const agent::recording::Channel& channel, const agent::recording::Message&) {
        ++drawn[channel.topic];
        return absl::OkStatus();
      }));
  EXPECT_EQ(drawn["/tf"], observations);
  EXPECT_EQ(drawn["/scene"], 2);
  EXPECT_EQ(drawn["/event"], 1);
  ASSERT_OK_AND_ASSIGN(const auto metadata, clip.mcap().ReadMetadata());
  bool found = false;
  for (const auto& record : metadata) {
    if (record.name != "counterexample") continue;
    found = true;
    EXPECT_EQ(record.values.at("unit_sha256"), run.report.unit_digest());
    EXPECT_EQ(record.values.at("suite_sha256"), run.report.suite_sha256());
    EXPECT_EQ(record.values.at("gate"), "worst_segment");
  }
  EXPECT_TRUE(found);
}

TEST_F(RunSuiteTest, GivesTheSameReportWithOneThreadAndMany) {
  RecordDrives(6);
  ASSERT_OK_AND_ASSIGN(GateRun one, Run(tests::LinearOnnx(0.5F, 0.3F), 1));
  ASSERT_OK_AND_ASSIGN(GateRun many, Run(tests::LinearOnnx(0.5F, 0.3F), 4));
  for (GateRun* run : {&one, &many}) {
    for (v1::GateResult& gate : *run->report.mutable_gates()) {
      if (gate.id() == "latency") gate.Clear();  // measured
    }
    for (v1::Figure& figure : *run->report.mutable_figures()) {
      if (figure.id() == "latency") figure.Clear();
    }
  }
  EXPECT_EQ(one.report.SerializeAsString(), many.report.SerializeAsString());
}

TEST_F(RunSuiteTest, WithoutScenariosTheEvidenceIsInsufficient) {
  ASSERT_OK_AND_ASSIGN(const GateRun run, Run(tests::LinearOnnx(0.5F, 0)));
  EXPECT_EQ(run.report.outcome(), v1::INSUFFICIENT);
  EXPECT_FALSE(run.pass.has_value());
  EXPECT_THAT(Gate(run, "worst_segment").summary(), HasSubstr("no scenario"));
}

TEST_F(RunSuiteTest, AChangedRecordingFailsIntegrityAndIsNotReplayed) {
  RecordDrives(6);
  std::ofstream(Scenarios() + "/drive3.mcap", std::ios::app) << "x";
  ASSERT_OK_AND_ASSIGN(const GateRun run, Run(tests::LinearOnnx(0.5F, 0)));
  EXPECT_EQ(Gate(run, "integrity").outcome(), v1::FAIL);
  EXPECT_EQ(Gate(run, "integrity").findings(0).scenario(), "drive3");
  EXPECT_EQ(run.report.ticks(), 5u * 121u);
}

TEST_F(RunSuiteTest, AModelThatIsNoOnnxFailsIntegrity) {
  RecordDrives(1);
  ASSERT_OK_AND_ASSIGN(const GateRun run, Run("not a model"));
  EXPECT_EQ(run.report.outcome(), v1::FAIL);
  EXPECT_EQ(Gate(run, "integrity").outcome(), v1::FAIL);
  EXPECT_EQ(Gate(run, "envelope").outcome(), v1::INSUFFICIENT);
}

TEST_F(RunSuiteTest, ABadSuiteOrScenarioIsAnErrorAndNoVerdict) {
  RecordDrives(1);
  std::ofstream(Scenarios() + "/bad.yaml") << "schema: scenario/1\nid: ../x\n";
  EXPECT_THAT(Run(tests::LinearOnnx(0.5F, 0)).status(),
              tests::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("bad.yaml:2")));
  std::filesystem::remove(Scenarios() + "/bad.yaml");
  suite_ = absl::StrReplaceAll(suite_, {{"wz_tolerance_radps: 0.1", "wz_tolerance_radps: 0"}});
  EXPECT_THAT(Run(tests::LinearOnnx(0.5F, 0)).status(),
              tests::StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("wz_radps")));
}

}  // namespace
}  // namespace gatekeeper::gates
