#include <cstdio>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "gatekeeper/gates/gate.h"
#include "gatekeeper/ingest/channel_import.h"
#include "gatekeeper/ingest/recording_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// The recording by which Nav2 tests its collision monitor, through our stop zone: an obstacle
// beside the robot's middle from 2.5 s to 7.5 s of 11.5 s, while it is told to drive 0.2 m/s.

namespace gatekeeper::gates {
namespace {

constexpr char kRecording[] = "nav2-collision/cm_moving_obstacle_0.mcap.zstd";

absl::Status Import(const std::string& from, const std::string& to) {
  auto file = ingest::OpenRecording(from);
  if (!file.ok()) return file.status();
  v1::ImportMap map;
  auto& channels = *map.mutable_channels();
  channels["scan"].set_topic("/local_costmap/costmap");
  v1::GridScan& grid = *channels["scan"].mutable_grid();
  grid.set_beams(360);
  grid.set_range_m(2.5);
  grid.set_min_cost(254);  // nav2_costmap_2d: LETHAL_OBSTACLE
  channels["cmd_vx"].set_topic("/cmd_vel_smoothed");
  channels["cmd_vx"].set_field("linear.x");
  channels["cmd_wz"].set_topic("/cmd_vel_smoothed");
  channels["cmd_wz"].set_field("angular.z");
  const auto importer = ingest::Importer::For(**file, map);
  return importer.ok() ? importer->Write({}, to).status() : importer.status();
}

// A robot that does what it is told, behind the hall's stop zone.
std::unique_ptr<TestBench> ToldRobot(int release_consecutive) {
  const std::string card =
      "schema: model_card/1\ndescription: does what it is told\ninputs:\n"
      "  - {tensor: x, channel: cmd_vx, fields: [value]}\n"
      "  - {tensor: x, channel: cmd_wz, fields: [value]}\n"
      "  - {tensor: x, channel: cmd_vx, fields: [value]}\n"
      "outputs:\n  - {tensor: \"y\", index: 0, field: vx_mps}\n"
      "  - {tensor: \"y\", index: 1, field: wz_radps}\n";
  const std::string drive = tests::PolicyYaml();
  const std::string limits =
      ", trigger: input_stale, max_age_ms: 300, max_future_ms: 100, stuck_after_ms: 500}\n";
  const std::string policy =
      drive.substr(0, drive.find("inputs:")) + "inputs:\n  scan: {required: true" + limits +
      "  cmd_vx: {required: true" + limits + "  cmd_wz: {required: true" + limits +
      drive.substr(drive.find("deadline:"), drive.find("envelope:") - drive.find("deadline:")) +
      absl::StrFormat(
          "separation:\n  zones:\n    - {id: touch, action: stop, source: scan, polygon_m: [[0.45, "
          "0.30], [-0.30, 0.30], [-0.30, -0.30], [0.45, -0.30]], min_points: 4, "
          "trigger_consecutive: 1, release_consecutive: %d}\n",
          release_consecutive);
  std::string fallback = tests::FallbackYaml();
  const size_t breach = fallback.find("  - {id: envelope_breach");
  fallback.erase(breach, fallback.find('\n', breach) + 1 - breach);
  auto rules = agent::runtime::LoadRules(card, policy, fallback);
  if (!rules.ok()) ADD_FAILURE() << rules.status();
  auto bench = TestBench::Create(
      std::string(64, 'a'), *rules,
      tests::MakeModel([](double vx, double wz, double) { return std::pair(vx, wz); }));
  if (!bench.ok()) ADD_FAILURE() << bench.status();
  return *std::move(bench);
}

class MovingObstacleTest : public testing::Test {
 protected:
  v1::GateResult Judge(int release_consecutive) {
    Scenario scenario;
    scenario.document.set_id("nav2");
    scenario.recording = folder_ / "nav2.mcap";
    EXPECT_OK(Import(tests::SharedRecording(kRecording), scenario.recording));
    Evidence evidence;
    evidence.suite = tests::SuiteDocument();
    v1::SeparationGate& limits = *evidence.suite.mutable_separation();
    limits.set_stop_within_s(0.3);  // Nav2 asks for 0.6 s, 90 %, 0.6 s and 5 %
    limits.set_hold_share(1);
    limits.set_resume_within_s(0.6);
    limits.set_false_stop_share(0.02);
    limits.set_encounters(1);
    evidence.policy = tests::PolicyDocument();
    const auto bench = ToldRobot(release_consecutive);
    evidence.replays.push_back(RunReplay(scenario, *bench));
    EXPECT_OK(evidence.replays.back().status);
    return JudgeSeparation(evidence);
  }

  tests::TempFolder folder_;
};

TEST_F(MovingObstacleTest, PassesAtHalfOfWhatNav2Asks) {
  SKIP_WITHOUT(tests::SharedRecording(kRecording));
  const v1::GateResult result = Judge(8);
  std::printf("%s\n", result.summary().c_str());
  EXPECT_EQ(result.outcome(), v1::PASS) << result.summary();
  EXPECT_EQ(result.n(), 1u);
  EXPECT_EQ(result.findings_size(), 0);
}

TEST_F(MovingObstacleTest, AZoneThatWaitsTooLongIsNamedWithTheSecond) {
  SKIP_WITHOUT(tests::SharedRecording(kRecording));
  const v1::GateResult result = Judge(14);
  EXPECT_EQ(result.outcome(), v1::FAIL);
  ASSERT_EQ(result.findings_size(), 2) << "and what it stands beyond the limit is a false stop";
  EXPECT_THAT(result.findings(0).message(), testing::HasSubstr("resumes"));
  EXPECT_NEAR(result.findings(0).at_s(), 7.3, 0.4);
}

}  // namespace
}  // namespace gatekeeper::gates
