#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "gatekeeper/gates/scenario_file.h"
#include "gatekeeper/sim/onnx_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/agent/recording/file_bytes.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/git_folder.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// The README's chapter "Gates for your robot", its very commands and its suite, typed by a team
// that has Nav2's recording of a moving obstacle in a rosbag2 folder. Only the import map names
// this recording's own topics. The deployed unit does what it is told; the new one drives twice as
// fast.

namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using tests::ReadBytes;

constexpr char kFolder[] = "nav2-collision/";
constexpr char kFile[] = "cm_moving_obstacle_0.mcap.zstd";

// The block of the chapter that `word` stands in.
std::string Block(const std::string& word) {
  const std::string readme = ReadBytes("README.md");
  const std::string fence = "\n```";
  const size_t chapter = readme.find("## Gates for your robot");
  const size_t at = readme.find(word, chapter);
  if (chapter == std::string::npos || at == std::string::npos) return "";
  const size_t open = readme.rfind(fence, at);
  const size_t begin = readme.find('\n', open + 1) + 1;
  return readme.substr(begin, readme.find(fence, at) + 1 - begin);
}

constexpr char kImport[] = R"(schema: import/1
channels:
  scan: {topic: /local_costmap/costmap, grid: {beams: 360, range_m: 2.5, min_cost: 254}}
  command: {topic: /cmd_vel_smoothed, fields: [linear.x, angular.z]}
  cmd_vx: {topic: /cmd_vel_smoothed, field: linear.x}
  cmd_wz: {topic: /cmd_vel_smoothed, field: angular.z}
)";

constexpr char kCard[] = R"(schema: model_card/1
description: does what it is told
inputs:
  - {tensor: x, channel: cmd_vx, fields: [value]}
  - {tensor: x, channel: cmd_wz, fields: [value]}
outputs:
  - {tensor: "y", index: 0, field: vx_mps}
  - {tensor: "y", index: 1, field: wz_radps}
)";

constexpr char kPolicy[] = R"(schema: control_policy/1
id: hall
version: 1
robot_class: diff_drive
units: SI
frames: {body: base_link, odom: odom, site: map}
command: {type: twist2d, rate_hz: 20, fields: [vx_mps, wz_radps]}
inputs:
  scan: {required: true, trigger: input_stale, max_age_ms: 300, max_future_ms: 100, stuck_after_ms: 500}
  cmd_vx: {required: true, trigger: input_stale, max_age_ms: 300, max_future_ms: 100, stuck_after_ms: 500}
  cmd_wz: {required: true, trigger: input_stale, max_age_ms: 300, max_future_ms: 100, stuck_after_ms: 500}
deadline: {hard_ms: 40, max_consecutive: 2, window: {n: 200, max: 4}, trigger: deadline_miss}
output: {nonfinite: reject, trigger: nonfinite}
footprint: {circle_m: {c: [0, 0], r: 0.1}}
limits:
  nominal:
    speed_points_mps: [0.0, 0.25]
    vx_max_mps: 0.25
    vx_min_mps: -0.2
    wz_abs_max_radps: [1.0, 0.6]
    acc_max_mps2: [0.6, 0.6]
    dec_max_mps2: [1.0, 1.0]
    wz_acc_max_radps2: 3.0
    jerk_max_mps3: [50.0]
    cmd_vs_measured_mps: 0.25
  transition: {for_ms: 1000, vx_max_mps: 0.2, acc_max_mps2: [0.3]}
  degraded: {vx_max_mps: 0.2, wz_abs_max_radps: [0.5]}
  clamp_budget: {window_s: 5, max_fraction: 0.5, trigger: policy_saturated}
separation:
  zones:
    - {id: touch, action: stop, source: scan, polygon_m: [[0.45, 0.30], [-0.30, 0.30], [-0.30, -0.30], [0.45, -0.30]], min_points: 4, trigger_consecutive: 1, release_consecutive: 8}
)";

// (vx, wz) = (gain * told vx, told wz).
std::string ToldModel(float gain) {
  gatekeeper::sim::Mlp mlp;
  mlp.inputs = {{"x", {1, 2}}};
  mlp.layers = {{.inputs = 2, .outputs = 2, .weights = {gain, 0, 0, 1}, .bias = {0, 0}}};
  mlp.output = "y";
  return gatekeeper::sim::WriteOnnx(gatekeeper::sim::MlpGraph(mlp));
}

class ReadmeGatesTest : public testing::Test {
 protected:
  // What the chapter takes for granted: a recording, two units, a policy repository.
  void Prepare() {
    const fs::path recordings = fs::absolute(tests::SharedRecording(kFolder));
    fs::create_directories(folder_ / "bags/run7");
    fs::create_symlink(recordings / kFile, folder_ / (std::string("bags/run7/") + kFile));
    std::ofstream(folder_ / "bags/run7/metadata.yaml")
        << absl::StrReplaceAll(ReadBytes((recordings / "metadata.yaml").string()),
                               {{"_tmp_cm_bag_0", "cm_moving_obstacle_0"}});
    std::ofstream(folder_ / "import.yaml") << kImport;

    std::string fallback = tests::FallbackYaml();  // without an envelope nobody breaches one
    const size_t breach = fallback.find("  - {id: envelope_breach");
    fallback.erase(breach, fallback.find('\n', breach) + 1 - breach);
    const std::string spec =
        "schema: release/1\nname: hall\nversion: %s\nhardware: [diff-drive-2]\nmodel: %s\n"
        "model_card: card.yaml\ncontrol_policy: control_policy.yaml\n"
        "fallback_rules: fallback_rules.yaml\n";
    models_.Write("card.yaml", kCard);
    models_.Write("control_policy.yaml", kPolicy);
    models_.Write("fallback_rules.yaml", fallback);
    models_.Write("told.onnx", ToldModel(1));
    models_.Write("fast.onnx", ToldModel(2));
    models_.Write("told.yaml", absl::StrReplaceAll(spec, {{"version: %s", "version: 1.0.0"},
                                                          {"model: %s", "model: told.onnx"}}));
    models_.Write("fast.yaml", absl::StrReplaceAll(spec, {{"version: %s", "version: 1.1.0"},
                                                          {"model: %s", "model: fast.onnx"}}));
    models_.Commit("models");
    const std::string build = "gatekeeper unit build --repo " + models_.path();
    ASSERT_EQ(
        Run(build + " --spec told.yaml --out deployed\n" + build + " --spec fast.yaml --out unit"),
        0)
        << printed_;
  }
  // Behind the import and the labels.
  void PreparePolicy() {
    fs::create_directory_symlink(policy_.path(), folder_ / "policy");
    ASSERT_EQ(Run(Block("mkdir -p policy/scenarios")), 0) << printed_;
    policy_.Write("suites/hall.yaml", Block("schema: gate_suite/1"));
    policy_.Write("suites/train.txt", "");
    policy_.Write("corpus/corpus.lock", "");
    commit_ = policy_.Commit("policy");
  }

  // The script's exit code; what it printed is in `printed_`.
  int Run(const std::string& script) {
    const std::string file = folder_ / "step.sh";
    std::ofstream(file, std::ios::trunc) << script;
    const std::string command = absl::StrFormat(
        "cd '%s' && env PATH='%s':\"$PATH\" GATEKEEPER_HOME='%s' GITHUB_STEP_SUMMARY=summary.md "
        "POLICY_REPO='%s' POLICY_COMMIT=%s bash -eu -o pipefail step.sh > printed 2>&1",
        folder_.path(), fs::path(GATEKEEPER).parent_path().string(), folder_ / "home",
        policy_.path(), commit_);
    const int status = std::system(command.c_str());
    printed_ = ReadBytes(folder_ / "printed");
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  tests::TempFolder folder_;
  tests::GitFolder models_;
  tests::GitFolder policy_;
  std::string commit_;
  std::string printed_;
};

TEST_F(ReadmeGatesTest, TheChapterWorksWordByWordOnARecordingOfOthers) {
  SKIP_WITHOUT(tests::SharedRecording(kFolder));
  ASSERT_NO_FATAL_FAILURE(Prepare());

  ASSERT_EQ(Run(Block("gatekeeper scenario info")), 0) << printed_;  // 1. Look
  EXPECT_THAT(printed_, AllOf(HasSubstr("rosbag2 mcap"), HasSubstr("linear.x float64")));
  ASSERT_EQ(Run(Block("gatekeeper scenario import")), 0) << printed_;  // 2. Import
  ASSERT_EQ(Run(Block("gatekeeper scenario label")), 0) << printed_;   // 3. Label
  EXPECT_THAT(ReadBytes(folder_ / "library/run7.yaml"),
              HasSubstr("  - {from_s: 0, to_s: 11.501, tags: [corridor]}\n"
                        "  - {from_s: 2, to_s: 8, tags: [crowd]}\n"));
  ASSERT_NO_FATAL_FAILURE(PreparePolicy());  // 4. Write a suite

  EXPECT_EQ(Run(Block("gatekeeper gate run unit")), 3) << printed_;  // 5. Run it, 6. See why
  EXPECT_THAT(printed_,
              AllOf(HasSubstr("run7 at 2.00 s [crowd]"), HasSubstr("vx_mps 0.400, recorded 0.200"),
                    HasSubstr("(clip clips/"), HasSubstr("at commit " + commit_.substr(0, 12))));
  EXPECT_THAT(ReadBytes(folder_ / "gate.xml"), HasSubstr("<failure"));
  EXPECT_THAT(ReadBytes(folder_ / "summary.md"), HasSubstr("## FAIL: hall@1.1.0"));
  EXPECT_THAT(ReadBytes(folder_ / "gate.sarif"), HasSubstr("\"2.1.0\""));
  EXPECT_THAT(ReadBytes(folder_ / "gate.html"), HasSubstr("<svg"));

  EXPECT_EQ(Run("gatekeeper scenario info clips/non_inferiority-1-*.mcap"), 0) << printed_;
  EXPECT_THAT(printed_, AllOf(HasSubstr("/verdict"), HasSubstr("foxglove.LaserScan")));

  ASSERT_EQ(Run(Block("gatekeeper scenario minimise")), 0) << printed_;
  EXPECT_THAT(printed_, HasSubstr("worst_segment still fails"));

  const std::string keep = "gatekeeper gate keep short/run7-min.mcap --corpus policy/corpus";
  ASSERT_THAT(ReadBytes("README.md"), HasSubstr("`" + keep + "`"));
  ASSERT_EQ(Run(keep), 0) << printed_;  // 7. Keep it
  commit_ = policy_.Commit("the unit that drove twice as fast");
  EXPECT_EQ(Run(Block("gatekeeper gate run unit")), 3);
  EXPECT_THAT(printed_, HasSubstr("corpus/run7-min at"));
}

TEST_F(ReadmeGatesTest, TheDeployedUnitIsRefusedNothingAndOnlyLacksEvidence) {
  SKIP_WITHOUT(tests::SharedRecording(kFolder));
  ASSERT_NO_FATAL_FAILURE(Prepare());
  ASSERT_EQ(Run(Block("gatekeeper scenario import") + Block("gatekeeper scenario label")), 0)
      << printed_;
  ASSERT_NO_FATAL_FAILURE(PreparePolicy());
  const std::string run = absl::StrReplaceAll(Block("gatekeeper gate run unit"),
                                              {{"gate run unit", "gate run deployed"}});
  EXPECT_EQ(Run(run), 10) << printed_;  // one clip where the suite asks for twenty
  EXPECT_THAT(printed_, HasSubstr("corridor: 1 clip with recorded commands, at least 20"));
}

}  // namespace
