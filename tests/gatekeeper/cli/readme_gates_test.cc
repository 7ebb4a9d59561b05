#include <sys/wait.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "agent/base/sanitized.h"
#include "gatekeeper/sim/onnx_writer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/agent/recording/file_bytes.h"
#include "tests/gatekeeper/gates/drive_fixture.h"
#include "tests/support/git_folder.h"
#include "tests/support/importers/carmen_bag.h"
#include "tests/support/importers/shared_recordings.h"
#include "tests/support/status_matchers.h"
#include "tests/support/temp_folder.h"

// The README's chapter "Gates for your robot", its very commands and its files, typed by a team
// that has a robot's drive through an office building in rosbag2 folders: seventeen minutes of
// laser, odometry and corrected poses. The first 100 s are what the models were made from, the rest
// judges, in bags of 15 s that are taken for drives of their own: no other log here has scans often
// enough. Nobody logged what the driver asked for; /cmd_vel is what the robot did.

namespace {

namespace fs = std::filesystem;
namespace sim = gatekeeper::sim;
using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using tests::ReadBytes;

constexpr char kLog[] = "carmen/freiburg-079-corrected.log.gz";
constexpr double kTrainedOn_s = 100;
constexpr double kBag_s = 15;
constexpr int kBags = 64;  // to second 1060 of 1061

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

// The robot (0.47 m by 0.41 m, 0.5 m/s) in the building: its laptop sends scans and poses four
// times a second and pauses now and then, so that they may be a second old.
constexpr char kPolicy[] = R"(schema: control_policy/1
id: hall
version: 1
robot_class: diff_drive
units: SI
frames: {body: base_link, odom: odom, site: map}
command: {type: twist2d, rate_hz: 20, fields: [vx_mps, wz_radps]}
inputs:
  scan: {required: true, trigger: input_stale, max_age_ms: 1000, max_future_ms: 100, stuck_after_ms: 1500}
  odom: {required: true, trigger: input_stale, max_age_ms: 1000, max_future_ms: 100, stuck_after_ms: 1500}
deadline: {hard_ms: 40, max_consecutive: 2, window: {n: 200, max: 4}, trigger: deadline_miss}
output: {nonfinite: reject, trigger: nonfinite}
footprint: {polygon_m: [[0.235, 0.205], [-0.235, 0.205], [-0.235, -0.205], [0.235, -0.205]]}
limits:
  nominal:
    speed_points_mps: [0.0, 0.7]
    vx_max_mps: 0.7
    vx_min_mps: 0.0
    wz_abs_max_radps: [1.0, 1.0]
    acc_max_mps2: [0.8, 0.8]
    dec_max_mps2: [1.5, 1.5]
    wz_acc_max_radps2: 3.0
    jerk_max_mps3: [50.0]
    cmd_vs_measured_mps: 0.5
  transition: {for_ms: 1000, vx_max_mps: 0.3, acc_max_mps2: [0.3]}
  degraded: {vx_max_mps: 0.3, wz_abs_max_radps: [0.5]}
  clamp_budget: {window_s: 5, max_fraction: 0.5, trigger: policy_saturated}
envelope:
  - {id: floor, kind: inclusion, frame: map, polygon_m: [[-26, -10], [15, -10], [15, 10], [-26, 10]], margin_m: 0.3, trigger: envelope_breach}
separation:
  zones:
    - {id: touch, action: stop, source: scan, polygon_m: [[0.65, 0.22], [-0.24, 0.22], [-0.24, -0.22], [0.65, -0.22]], min_points: 3, trigger_consecutive: 1, release_consecutive: 5}
)";

std::string CardOf(const std::string& inputs) {
  return "schema: model_card/1\ndescription: drives on\ninputs:\n" + inputs +
         "outputs:\n"
         "  - {tensor: \"y\", index: 0, field: vx_mps, clip_min: 0.0, clip_max: 2.0}\n"
         "  - {tensor: \"y\", index: 1, field: wz_radps}\n";
}

// (vx, wz) = (measured vx, turns * measured wz): goes on as it goes. A model that forgot how to
// turn has 0.
std::string GoesOn(float turns) {
  sim::Mlp mlp;
  mlp.inputs = {{"x", {1, 2}}};
  mlp.layers = {{.inputs = 2, .outputs = 2, .weights = {1, 0, 0, turns}, .bias = {0, 0}}};
  mlp.output = "y";
  return sim::WriteOnnx(sim::MlpGraph(mlp));
}

// 0.45 m/s straight at the goal, slower the more it lies to the side: wz = turns * bearing.
std::string SteersAtGoal(float turns) {
  sim::Mlp mlp;
  mlp.inputs = {{"x", {1, 1}}};
  mlp.layers = {
      {.inputs = 1,
       .outputs = 2,
       .weights = {1, -1},
       .bias = {0, 0},
       .activation = sim::Activation::kRelu},
      {.inputs = 2, .outputs = 2, .weights = {-0.45F, turns, -0.45F, -turns}, .bias = {0.45F, 0}}};
  mlp.output = "y";
  return sim::WriteOnnx(sim::MlpGraph(mlp));
}

class ReadmeGatesTest : public testing::Test {
 protected:
  // What judges: the drive in bags of 15 s, or in one.
  std::vector<tests::CarmenStretch> ManyBags() const {
    std::vector<tests::CarmenStretch> bags;
    for (int i = 0; i < kBags; ++i) {
      const double from_s = kTrainedOn_s + kBag_s * i;
      bags.push_back({from_s, from_s + kBag_s, folder_ / absl::StrFormat("bags/run%d", i)});
    }
    return bags;
  }
  std::vector<tests::CarmenStretch> OneBag() const {
    return {{kTrainedOn_s, kTrainedOn_s + kBag_s * kBags, folder_ / "bags/run40"}};
  }

  // What the chapter takes for granted: recordings, two units, a policy repository.
  void Prepare(std::vector<tests::CarmenStretch> bags) {
    bags.push_back({0, kTrainedOn_s, folder_ / "bags/training"});
    ASSERT_OK(tests::WriteCarmenBags(tests::SharedRecording(kLog), bags));
    std::ofstream(folder_ / "import.yaml") << Block("schema: import/1");

    models_.Write("control_policy.yaml", kPolicy);
    models_.Write("fallback_rules.yaml",
                  absl::StrReplaceAll(
                      tests::FallbackYaml(),
                      {{"mrc_within_ms: 3000", "mrc_within_ms: 4000"},
                       {"CONTROLLED_STOP, detect_ms: 550", "CONTROLLED_STOP, detect_ms: 1550"},
                       {"EMERGENCY_STOP, detect_ms: 250", "EMERGENCY_STOP, detect_ms: 1050"}}));
    const std::string measured = "  - {tensor: x, channel: odom, fields: [vx_mps, wz_radps]}\n";
    ASSERT_NO_FATAL_FAILURE(Build("deployed", "1.0.0", measured, GoesOn(1)));
    ASSERT_NO_FATAL_FAILURE(Build("unit", "1.1.0", measured, GoesOn(0)));
    fs::create_directory_symlink(policy_.path(), folder_ / "policy");
  }
  void Build(const std::string& unit, const std::string& version, const std::string& card_inputs,
             const std::string& onnx) {
    models_.Write("card.yaml", CardOf(card_inputs));
    models_.Write("model.onnx", onnx);
    models_.Write("release.yaml",
                  "schema: release/1\nname: hall\nversion: " + version +
                      "\nhardware: [diff-drive-2]\nmodel: model.onnx\nmodel_card: card.yaml\n"
                      "control_policy: control_policy.yaml\nfallback_rules: fallback_rules.yaml\n");
    models_.Commit(unit);
    ASSERT_EQ(Run("gatekeeper unit build --repo " + models_.path() + " --spec release.yaml --out " +
                  unit),
              0)
        << printed_;
  }
  // 2 to 4.
  void ImportLabelAndWriteSuite() {
    ASSERT_EQ(Run(Block("gatekeeper scenario import")), 0) << printed_;
    ASSERT_EQ(Run(Block("gatekeeper scenario label")), 0) << printed_;
    ASSERT_EQ(Run(Block("mkdir -p policy/scenarios")), 0) << printed_;
    policy_.Write("site/hall.yaml", Block("schema: site/1"));
    policy_.Write("suites/hall.yaml", Block("schema: gate_suite/1"));
    policy_.Git("config user.name safety");
    policy_.Git("config user.email safety@example.org");
    ASSERT_EQ(Run(Block("git -C policy add -A") + "echo \"$POLICY_COMMIT\" > pinned\n"), 0)
        << printed_;
    commit_ = ReadBytes(folder_ / "pinned").substr(0, 40);
  }
  int RunGates(const std::string& unit, const std::string& more = "") {
    std::string run = absl::StrReplaceAll(Block("gatekeeper gate run unit"),
                                          {{"gate run unit", "gate run " + unit}});
    run.pop_back();
    return Run(run + more + "\n");
  }
  // Each line of it, as far as the README tells them.
  void ExpectPrinted(const std::string& block) const {
    EXPECT_NE(block, "");
    for (const absl::string_view line : absl::StrSplit(block, '\n', absl::SkipEmpty()))
      EXPECT_THAT(printed_, HasSubstr(std::string(line.substr(0, line.find("...")))));
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

TEST_F(ReadmeGatesTest, TheChapterWorksWordByWordOnARealDrive) {
  SKIP_WITHOUT(tests::SharedRecording(kLog));
  ASSERT_NO_FATAL_FAILURE(Prepare(ManyBags()));

  ASSERT_EQ(Run(Block("gatekeeper scenario info")), 0) << printed_;  // 1. Look
  EXPECT_THAT(printed_,
              AllOf(HasSubstr("rosbag2 mcap"), HasSubstr("pose.pose.position.x float64")));
  ASSERT_NO_FATAL_FAILURE(ImportLabelAndWriteSuite());  // 2. to 4.
  EXPECT_THAT(ReadBytes(folder_ / "library/run40-000.yaml"),
              AllOf(HasSubstr("tags: [corridor]}\n"),
                    HasSubstr("  - {from_s: 2, to_s: 4, tags: [turn]}\n")));

  EXPECT_EQ(Run(absl::StrReplaceAll(Block("gatekeeper gate run unit"),
                                    {{"--recordings library", "--recordings libary"}})),
            2);
  EXPECT_THAT(printed_, HasSubstr("Directory does not exist: libary"));
  EXPECT_EQ(RunGates("unit"), 3) << printed_;  // 5. Run it, 6. See why
  ExpectPrinted(Block("FAIL: of 16 gates"));
  EXPECT_THAT(printed_,
              AllOf(HasSubstr("(clip clips/"), HasSubstr("at commit " + commit_.substr(0, 12))));
  EXPECT_THAT(ReadBytes(folder_ / "gate.xml"), HasSubstr("<failure"));
  EXPECT_THAT(ReadBytes(folder_ / "summary.md"), HasSubstr("## FAIL: hall@1.1.0"));
  EXPECT_THAT(ReadBytes(folder_ / "gate.sarif"), HasSubstr("\"2.1.0\""));
  EXPECT_THAT(ReadBytes(folder_ / "gate.html"), HasSubstr("<svg"));

  EXPECT_EQ(Run("gatekeeper scenario info clips/non_inferiority-1-*.mcap"), 0) << printed_;
  EXPECT_THAT(printed_, AllOf(HasSubstr("/verdict"), HasSubstr("foxglove.LaserScan")));

  ASSERT_EQ(Run(Block("gatekeeper scenario minimise")), 0) << printed_;
  EXPECT_THAT(printed_, HasSubstr("worst_segment still fails"));

  const std::string keep = "gatekeeper gate keep short/run40-000-min.mcap --corpus policy/corpus";
  ASSERT_THAT(ReadBytes("README.md"), HasSubstr("`" + keep + "`"));
  ASSERT_EQ(Run(keep), 0) << printed_;  // 7. Keep it
  commit_ = policy_.Commit("the unit that forgot how to turn");
  EXPECT_EQ(RunGates("unit"), 3);
  EXPECT_THAT(printed_, HasSubstr("corpus/run40-000-min at"));
}

TEST_F(ReadmeGatesTest, TheDeployedUnitPassesEveryGateOfTheChapter) {
  SKIP_WITHOUT(tests::SharedRecording(kLog));
  ASSERT_NO_FATAL_FAILURE(Prepare(ManyBags()));
  ASSERT_NO_FATAL_FAILURE(ImportLabelAndWriteSuite());
  EXPECT_EQ(RunGates("deployed"), 0) << printed_;
  EXPECT_THAT(printed_, HasSubstr("60 of 62 recordings agree"));
  EXPECT_THAT(printed_,
              HasSubstr("PASS: of 16 gates 16 held, 0 failed, 0 had too little evidence"));
}

TEST_F(ReadmeGatesTest, OneDriveIsOneSampleIntoHoweverManyClipsItIsCut) {
  SKIP_WITHOUT(tests::SharedRecording(kLog));
  ASSERT_NO_FATAL_FAILURE(Prepare(OneBag()));
  ASSERT_NO_FATAL_FAILURE(ImportLabelAndWriteSuite());
  EXPECT_EQ(RunGates("deployed"), 10) << printed_;
  EXPECT_THAT(printed_, HasSubstr("corridor: 1 recording with recorded commands"));
}

// 8. Let it drive by itself, in worlds that came of a real robot's laser and wheels.
class ClosedLoopOnARealDriveTest : public ReadmeGatesTest {
 protected:
  // The gate's verdict on a unit that steers so; `printed_` has the table.
  nlohmann::json Drive(const std::string& unit, float turns) {
    const std::string measured = "deadline: {";
    models_.Write("control_policy.yaml",
                  absl::StrReplaceAll(
                      kPolicy, {{measured,
                                 "  goal_bearing_rad: {required: true, trigger: input_stale, "
                                 "max_age_ms: 1000, max_future_ms: 100, stuck_after_ms: 1500}\n" +
                                     measured}}));
    Build(unit, "1.2.0", "  - {tensor: x, channel: goal_bearing_rad, fields: [value]}\n",
          SteersAtGoal(turns));
    policy_.Write("suites/hall.yaml", Block("schema: gate_suite/1") + Block("closed_loop: {runs"));
    commit_ = policy_.Commit(unit);
    // The recording has no goals, so that every gate which replays it lacks evidence.
    EXPECT_EQ(RunGates(unit, " -o json=gate.json"), 3) << printed_;
    const auto report = nlohmann::json::parse(ReadBytes(folder_ / "gate.json"), nullptr, false);
    if (report.is_discarded()) return {};
    for (const nlohmann::json& gate : report["gates"]) {
      if (gate["id"] != "closed_loop") continue;
      std::printf("%s: %s\n", unit.c_str(), gate["summary"].get<std::string>().c_str());
      return gate;
    }
    return {};
  }
};

TEST_F(ClosedLoopOnARealDriveTest, IsDrivenOnlyInWorldsThatReproduceTheRecording) {
  SKIP_WITHOUT(tests::SharedRecording(kLog));
  ASSERT_NO_FATAL_FAILURE(Prepare(ManyBags()));
  ASSERT_NO_FATAL_FAILURE(ImportLabelAndWriteSuite());
  const nlohmann::json gate = Drive("steered", 1.2F);
  ExpectPrinted(Block("closed_loop      FAIL"));
  int struck = 0;
  for (const nlohmann::json& finding : gate["findings"]) {
    const std::string message = finding["message"];
    struck += message.find("drives into something") != std::string::npos ? 1 : 0;
    if (message.find("not used: ") != 0) continue;
    EXPECT_THAT(message, AnyOf(HasSubstr("away from the recorded pose"),
                               HasSubstr("(median) off the recorded ones, allowed 0.100 m"),
                               HasSubstr("off the rebuilt world"), HasSubstr("went no farther")));
  }
  EXPECT_EQ(struck, 1);

  if (agent::base::kSanitized) return;  // a second library of drives shows it nothing more
  const nlohmann::json wrong_way = Drive("wrong_way", -1.2F);
  EXPECT_LT(wrong_way["segments"][1]["value"], 0.5 * gate["segments"][1]["value"].get<double>())
      << "who steers away from the goal gets there less often";
}

}  // namespace
