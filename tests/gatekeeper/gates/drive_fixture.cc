#include "tests/gatekeeper/gates/drive_fixture.h"

#include <cmath>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_format.h"
#include "agent/base/yaml_document.h"
#include "agent/recording/observation_writer.h"
#include "agent/trust/hash.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/sim/onnx_writer.h"

namespace tests {
namespace {

namespace v1 = gatekeeper::v1;

constexpr double kPeriod_s = 0.05;
constexpr int64_t kPeriod_ns = 50'000'000;

class FormulaModel final : public agent::base::Model {
 public:
  explicit FormulaModel(Driver driver) : driver_(std::move(driver)) {
    signature_.inputs = {{"x", {1, 3}}};
    signature_.outputs = {{"y", {1, 2}}};
  }
  const agent::base::ModelSignature& signature() const override { return signature_; }
  std::span<float> input(size_t) override { return input_; }
  std::span<const float> output(size_t) const override { return output_; }
  agent::base::RunOutcome Run(agent::base::Nanos) override {
    const auto [vx, wz] = driver_(static_cast<double>(input_[0]), static_cast<double>(input_[1]),
                                  static_cast<double>(input_[2]));
    output_ = {static_cast<float>(vx), static_cast<float>(wz)};
    return agent::base::RunOutcome::kDone;
  }

 private:
  Driver driver_;
  agent::base::ModelSignature signature_;
  std::vector<float> input_{0, 0, 0};
  std::vector<float> output_{0, 0};
};

template <class Message>
Message Parsed(const std::string& yaml, const std::string& schema) {
  Message message;
  const auto map = agent::base::ReadYaml(yaml, "fixture.yaml", schema, message);
  if (!map.ok()) std::abort();
  return message;
}

void WriteFile(const std::string& path, const std::string& bytes) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

// One packet of the robot. The path is a gentle slalom along the hall.
v1::Observation PacketAt(const DriveOptions& options, int tick, double x_m, double yaw_rad,
                         double wz) {
  const double at_s = tick * kPeriod_s;
  v1::Observation packet;
  const int64_t stamp = 5'000'000'000 + tick * kPeriod_ns;
  packet.set_seq(static_cast<uint64_t>(tick) + 1);
  packet.set_stamp_ns(stamp);
  packet.set_want_command(true);
  packet.set_network_up(true);
  v1::LaserScan& scan = *packet.mutable_scan();
  scan.set_stamp_ns(stamp);
  if (options.backward_stamp_at_s >= 0 &&
      tick == std::lround(options.backward_stamp_at_s / kPeriod_s)) {
    scan.set_stamp_ns(stamp - 2 * kPeriod_ns);
  }
  scan.set_angle_min_rad(-1.5);
  scan.set_angle_increment_rad(0.1);
  for (int beam = 0; beam < 31; ++beam) scan.add_ranges_m(6.0F);
  v1::Odometry& odom = *packet.mutable_odom();
  odom.set_stamp_ns(stamp);
  odom.set_x_m(x_m);
  odom.set_y_m(10);
  odom.set_yaw_rad(yaw_rad);
  odom.set_vx_mps(0.4);
  odom.set_wz_radps(wz);
  v1::Signal& bearing = (*packet.mutable_signals())["goal_bearing_rad"];
  bearing.set_stamp_ns(stamp);
  bearing.set_value(2 * wz);
  v1::Signal& dust = (*packet.mutable_signals())["dust"];
  dust.set_stamp_ns(stamp);
  dust.set_value(at_s >= options.dusty_from_s ? 1 : 0);
  if (options.without == "scan") packet.clear_scan();
  if (options.without == "odom") packet.clear_odom();
  packet.mutable_signals()->erase(options.without);
  return packet;
}

}  // namespace

std::string CardYaml() {
  return R"(schema: model_card/1
description: steers by the bearing of the goal
inputs:
  - {tensor: x, channel: goal_bearing_rad, fields: [value]}
  - {tensor: x, channel: odom, fields: [vx_mps]}
  - {tensor: x, channel: dust, fields: [value]}
outputs:
  - {tensor: "y", index: 0, field: vx_mps}
  - {tensor: "y", index: 1, field: wz_radps}
)";
}

std::string PolicyYaml() {
  return R"(schema: control_policy/1
id: hall
version: 1
robot_class: diff_drive
units: SI
frames: {body: base_link, odom: odom, site: map}
command: {type: twist2d, rate_hz: 20, fields: [vx_mps, wz_radps]}
inputs:
  scan: {required: true, trigger: input_stale, max_age_ms: 200, max_future_ms: 100, stuck_after_ms: 500}
  odom: {required: true, trigger: input_stale, max_age_ms: 200, max_future_ms: 100, stuck_after_ms: 500}
  goal_bearing_rad: {required: true, trigger: input_stale, max_age_ms: 200, max_future_ms: 100, stuck_after_ms: 500}
  dust: {required: true, trigger: input_stale, max_age_ms: 200, max_future_ms: 100, stuck_after_ms: 500}
deadline: {hard_ms: 40, max_consecutive: 2, window: {n: 200, max: 4}, trigger: deadline_miss}
output: {nonfinite: reject, trigger: nonfinite}
footprint: {circle_m: {c: [0, 0], r: 0.1}}
limits:
  nominal:
    speed_points_mps: [0.0, 1.0]
    vx_max_mps: 1.0
    vx_min_mps: -0.2
    wz_abs_max_radps: [1.0, 0.6]
    acc_max_mps2: [0.6, 0.6]
    dec_max_mps2: [1.0, 1.0]
    wz_acc_max_radps2: 3.0
    jerk_max_mps3: [50.0]
    cmd_vs_measured_mps: 0.75
  transition: {for_ms: 1000, vx_max_mps: 0.3, acc_max_mps2: [0.3]}
  degraded: {vx_max_mps: 0.3, wz_abs_max_radps: [0.5]}
  clamp_budget: {window_s: 5, max_fraction: 0.5, trigger: policy_saturated}
envelope:
  - {id: hall, kind: inclusion, frame: map, polygon_m: [[0, 0], [40, 0], [40, 20], [0, 20]], margin_m: 0.3, trigger: envelope_breach}
separation:
  zones:
    - {id: around, action: stop, source: scan, polygon_m: [[1.0, -0.3], [1.0, 0.3], [-0.3, 0.3], [-0.3, -0.3]], min_points: 3, trigger_consecutive: 1, release_consecutive: 5}
requirements:
  # The slalom along the hall turns by 0.2 rad/s at most.
  - {id: calm, formula: 'abs(wz_radps) > 0.5 -> eventually[0,0.5](abs(wz_radps) < 0.5)', trigger: policy_saturated}
)";
}

std::string FallbackYaml() {
  return R"(schema: fallback_rules/1
mrc_within_ms: 3000
states:
  NOMINAL: {rank: 0}
  DEGRADED: {rank: 1, limits: degraded, max_dwell_s: 60, else: CONTROLLED_STOP}
  CONTROLLED_STOP: {rank: 4, controller: stop, dec_mps2: 0.8, complete_within_ms: 1500, then: SAFE_STOPPED, else: EMERGENCY_STOP}
  SAFE_STOPPED: {rank: 5, controller: hold, minimal_risk_condition: true}
  EMERGENCY_STOP: {rank: 6, controller: stop, dec_mps2: 2.4, complete_within_ms: 800, then: ESTOP_LATCHED}
  ESTOP_LATCHED: {rank: 7, controller: hold, minimal_risk_condition: true, latch: persistent}
triggers:
  - {id: input_stale, layer: firmware, to: CONTROLLED_STOP, detect_ms: 550, clear: {quiet_ms: 1000}}
  - {id: deadline_miss, layer: model, to: CONTROLLED_STOP, detect_ms: 150, clear: {quiet_ms: 5000}}
  - {id: nonfinite, layer: model, to: CONTROLLED_STOP, detect_ms: 50, clear: {quiet_ms: 5000}}
  - {id: policy_saturated, layer: model, to: DEGRADED, clear: {quiet_ms: 5000}}
  - {id: envelope_breach, layer: firmware, to: EMERGENCY_STOP, detect_ms: 250, clear: {rearm: true}}
  - {id: model_failed, layer: model, to: CONTROLLED_STOP, detect_ms: 50, clear: {quiet_ms: 5000}}
  - {id: estop_button, layer: circuit, to: EMERGENCY_STOP, detect_ms: 50, clear: {rearm: true}}
  - {id: network_down, layer: firmware, after_ms: 2000, to: DEGRADED, clear: {quiet_ms: 1000}}
flap: {window_s: 60, max_transitions: 6, to: SAFE_STOPPED}
rearm:
  standstill_ms: 2000
  approvals: [local_operator, safety_officer]
  ttl_s: 600
  probation: {for_s: 10, to: SAFE_STOPPED}
)";
}

std::string SuiteYaml() {
  return R"(schema: gate_suite/1
id: hall-suite
alpha: 0.1
seed: 7
agreement: {vx_tolerance_mps: 0.1, wz_tolerance_radps: 0.1, joint_tolerance_rad: 0, clip_pass_fraction: 0.9}
envelope: {min_clearance_m: 0.2}
raw_vs_enforced: {max_clamp_fraction: 0.4}
worst_segment: {tags: [clear, dusty], floor: 0.55, min_clips: 6}
latency: {deadline_ms: 40, quantile: 0.9, confidence: 0.99}
faults: {detect_within_ms: 400, safe_within_ms: 2500, clips: 2, network_floor: 0.3}
determinism: {runs: 2}
)";
}

std::string SiteYaml() {
  return R"(schema: site/1
id: hall
frame: map
geofence:
  - {id: floor, polygon_m: [[-10, -10], [50, -10], [50, 30], [-10, 30]]}
robots:
  amr:
    robot_class: diff_drive
    vx_max_mps: 10
    vx_min_mps: -10
    wz_abs_max_radps: 10
    acc_max_mps2: 10
    dec_mps2: 10
    lag_ms: 10
    footprint: {circle_m: {c: [0, 0], r: 0.05}}
)";
}

gatekeeper::gates::PolicyFiles AtSite() {
  gatekeeper::gates::PolicyFiles files;
  files.site = {.file = "site.yaml", .text = SiteYaml()};
  return files;
}

void WriteSuite(const std::string& folder, const std::string& suite_yaml) {
  WriteFile(folder + "/suite.yaml", suite_yaml + kSiteBeside);
  WriteFile(folder + "/site.yaml", SiteYaml());
}

v1::ControlPolicy PolicyDocument() {
  return Parsed<v1::ControlPolicy>(PolicyYaml(), "control_policy/1");
}
v1::FallbackRules FallbackDocument() {
  return Parsed<v1::FallbackRules>(FallbackYaml(), "fallback_rules/1");
}
v1::GateSuite SuiteDocument() { return Parsed<v1::GateSuite>(SuiteYaml(), "gate_suite/1"); }

std::pair<double, double> GoodDriver(double bearing, double, double) {
  return {0.4, 0.5 * bearing};
}

std::unique_ptr<agent::base::Model> MakeModel(Driver driver) {
  return std::make_unique<FormulaModel>(std::move(driver));
}

std::unique_ptr<gatekeeper::gates::TestBench> MakeBench(Driver driver) {
  auto rules = agent::runtime::LoadRules(CardYaml(), PolicyYaml(), FallbackYaml());
  if (!rules.ok()) {
    fprintf(stderr, "%s\n", rules.status().ToString().c_str());
    std::abort();
  }
  auto bench = gatekeeper::gates::TestBench::Create(std::string(64, 'a'), *rules,
                                                    MakeModel(std::move(driver)));
  if (!bench.ok()) std::abort();
  return *std::move(bench);
}

std::string RecordDrive(const std::string& path, const DriveOptions& options) {
  auto writer = agent::recording::ObservationWriter::Create(path);
  if (!writer.ok()) std::abort();
  double x_m = options.start_x_m;
  double yaw_rad = 0;
  const auto ticks = static_cast<int>(std::lround(options.seconds / kPeriod_s));
  for (int tick = 0; tick <= ticks; ++tick) {
    const double wz = 0.2 * std::sin(0.7 * tick * kPeriod_s + options.number);
    const agent::base::Nanos at(kDriveStart_ns + tick * kPeriod_ns);
    if (!writer->Write(PacketAt(options, tick, x_m, yaw_rad, wz), at).ok()) std::abort();
    v1::Command command;
    command.add_values(0.4);
    command.add_values(wz);
    if (options.commands && !writer->Write(command, at + std::chrono::milliseconds(2)).ok())
      std::abort();
    x_m += 0.4 * kPeriod_s;
    yaw_rad += wz * kPeriod_s;
  }
  if (!writer->Close().ok()) std::abort();
  return agent::trust::Sha256File(path)->hex();
}

gatekeeper::gates::Scenario RecordScenario(const std::string& folder, const std::string& id,
                                           const DriveOptions& options) {
  std::filesystem::create_directories(folder);
  gatekeeper::gates::Scenario scenario;
  scenario.recording = folder + "/" + id + ".mcap";
  scenario.file = folder + "/" + id + ".yaml";
  const std::string sha256 = RecordDrive(scenario.recording, options);
  const double clear_to_s = std::min(options.dusty_from_s, options.seconds + 1);
  std::string yaml = absl::StrFormat(
      "schema: scenario/1\nid: %s\nrecording: %s.mcap\nsha256: %s\nsegments:\n"
      "  - {from_s: 0, to_s: %g, tags: [clear]}\n",
      id, id, sha256, clear_to_s);
  if (options.dusty_from_s < options.seconds) {
    yaml += absl::StrFormat("  - {from_s: %g, to_s: %g, tags: [dusty]}\n", options.dusty_from_s,
                            options.seconds + 1);
  }
  WriteFile(scenario.file, yaml);
  scenario.document = Parsed<v1::Scenario>(yaml, "scenario/1");
  scenario.sha256 = agent::trust::Sha256(yaml);
  return scenario;
}

void WriteUnit(const std::string& folder, const std::string& onnx, const std::string& policy_yaml) {
  WriteUnit(folder, onnx, policy_yaml, "");
}

void WriteUnit(const std::string& folder, const std::string& onnx, const std::string& policy_yaml,
               const std::string& golden_json) {
  std::vector<std::pair<std::string, std::string>> files = {
      {agent::trust::kCardFile, CardYaml()},
      {agent::trust::kModelFile, onnx},
      {agent::trust::kPolicyFile, policy_yaml},
      {agent::trust::kFallbackFile, FallbackYaml()}};
  if (!golden_json.empty()) files.emplace_back(agent::trust::kGoldenFile, golden_json);
  v1::Manifest manifest;
  manifest.set_schema("manifest/1");
  manifest.set_name("nav");
  manifest.set_version("1.0.0");
  manifest.add_hardware("amr");
  manifest.set_commit(std::string(40, 'c'));
  manifest.set_spec_path("release.yaml");
  for (const auto& [path, bytes] : files) {
    WriteFile(folder + "/" + path, bytes);
    v1::UnitFile& file = *manifest.add_files();
    file.set_path(path);
    file.set_size(bytes.size());
    file.set_sha256(agent::trust::Sha256(bytes).hex());
  }
  std::sort(manifest.mutable_files()->begin(), manifest.mutable_files()->end(),
            [](const auto& a, const auto& b) { return a.path() < b.path(); });
  WriteFile(folder + "/" + agent::trust::kManifestFile, agent::trust::CanonicalManifest(manifest));
}

std::string LinearOnnx(float bearing_gain, float dust_gain) {
  gatekeeper::sim::Mlp mlp;
  mlp.inputs = {{"x", {1, 3}}};
  mlp.layers = {{.inputs = 3,
                 .outputs = 2,
                 .weights = {0, bearing_gain, 0, 0, 0, dust_gain},
                 .bias = {0.4F, 0}}};
  mlp.output = "y";
  return gatekeeper::sim::WriteOnnx(gatekeeper::sim::MlpGraph(mlp));
}

}  // namespace tests
