#include "tests/e2e/stage.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <regex>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/trust/hash.h"
#include "grpcpp/grpcpp.h"
#include "tests/support/nav_release.h"

namespace tests {
namespace {

namespace v1 = ::gatekeeper::v1;

// So lenient that only a broken unit fails: what is tested here is the way, not the judgement.
constexpr char kSuite[] = R"(schema: gate_suite/1
id: e2e
alpha: 0.05
seed: 1
agreement: {vx_tolerance_mps: 0.5, wz_tolerance_radps: 1.5, joint_tolerance_rad: 0, clip_pass_fraction: 0.3}
envelope: {min_clearance_m: 0.0}
raw_vs_enforced: {max_clamp_fraction: 0.9}
worst_segment: {tags: [clean], floor: 0.2, min_clips: 4}
latency: {deadline_ms: 500, quantile: 0.9, confidence: 0.99}
faults: {detect_within_ms: 2000, safe_within_ms: 4500, clips: 1}
determinism: {runs: 2}
site: hall.yaml
)";

// Stretches as short as their evidence allows; patience that only a hang wears out.
constexpr char kAtOnce[] = R"(schema: rollout_plan/1
id: at-once
waves:
  - {name: all, percent: 100, shadow_s: 0.5, trial_s: 1, soak_s: 0.5}
health:
  min_ticks: 10
  max_deadline_miss_fraction: 0.9
  max_clamp_fraction: 0.95
  max_fallback_episodes: 0
  silent_after_s: 30
  step_deadline_s: 90
  lease_s: 45
)";

std::string InTwoWaves() {
  return Edit(kAtOnce, "waves:\n",
              "waves:\n  - {name: canary, count: 1, shadow_s: 0.5, trial_s: 1, soak_s: 0.5}\n");
}

// Every number that stands after `key` (a regular expression) becomes `value`.
std::string Set(const std::string& text, const std::string& key, const std::string& value) {
  const std::regex number("(" + key + ": )[0-9.]+");
  if (!std::regex_search(text, number)) {
    std::fprintf(stderr, "policies/nav has no %s any more\n", key.c_str());
    std::abort();
  }
  return std::regex_replace(text, number, "$01" + value);
}

// A policy that forgives what a loaded test machine does to a 20 Hz loop.
std::string PatientPolicy() {
  std::string policy = NavFile("control_policy.yaml");
  policy = Set(policy, "max_age_ms", "1500");
  policy = Set(policy, "max_future_ms", "1000");
  policy = Set(policy, "stuck_after_ms", "3000");
  policy = Set(policy, "hard_ms", "44");
  policy = Set(policy, "max_consecutive", "60");
  policy = Set(policy, "max", "99");
  return Set(policy, "max_fraction", "0.9");
}

std::string PatientRules() {
  std::string rules = NavFile("fallback_rules.yaml");
  rules = Set(rules, "mrc_within_ms", "6500");
  rules = Set(rules, "id: input_stale, .*detect_ms", "3050");
  rules = Set(rules, "id: deadline_miss, .*detect_ms", "3050");
  rules = Set(rules, "id: envelope_breach, .*detect_ms", "1600");
  rules = Set(rules, "max_transitions", "30");
  rules = Set(rules, "standstill_ms", "1000");
  // A killed worker is back in half a second, and is to be believed again soon after.
  return Set(rules, "id: model_failed, .*quiet_ms", "500");
}

std::string Spec(const std::string& version, bool even) {
  return absl::StrFormat(
      "schema: release/1\nname: nav\nversion: %s\nhardware: [diff-drive-2]\n"
      "model: models/nav-%s.onnx\nmodel_card: card.yaml\ncontrol_policy: control_policy.yaml\n"
      "fallback_rules: fallback_rules.yaml\nsite: hall.yaml\n",
      version, even ? "1.0.0" : "1.1.0");
}

std::string Version(int number) { return absl::StrFormat("1.0.%d", number); }

// The stage itself must stand; without it there is nothing to test.
Finished Must(Finished finished) {
  if (finished.code == 0) return finished;
  std::fprintf(stderr, "the stage cannot be set up, code %d:\n%s%s", finished.code,
               finished.out.c_str(), finished.err.c_str());
  std::abort();
}

// Each call asks anew: after a restart of the server no old connection is waited for.
std::unique_ptr<v1::Operator::Stub> OperatorStub(const std::string& home,
                                                 const std::string& address) {
  const grpc::SslCredentialsOptions tls{.pem_root_certs = ReadWhole(home + "/ca.pem"),
                                        .pem_private_key = ReadWhole(home + "/operator-admin.key"),
                                        .pem_cert_chain = ReadWhole(home + "/operator-admin.pem")};
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  return v1::Operator::NewStub(
      grpc::CreateCustomChannel(address, grpc::SslCredentials(tls), arguments));
}

void GiveUpSoon(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
}

}  // namespace

std::string Title(const std::string& version) { return "nav@" + version; }

std::string DigestOf(const std::string& unit_folder) {
  return agent::trust::Sha256(ReadWhole(unit_folder + "/manifest.json")).hex();
}

Stage::Stage() {
  CommitReleases();
  WriteWhole(suite(), kSuite);
  WriteWhole(path("hall.yaml"), NavFile("../site/hall.yaml"));
  WriteWhole(at_once(), kAtOnce);
  WriteWhole(in_two_waves(), InTwoWaves());
  Must(RunProgram(
      {GATEKEEPER_SIM, "record", "--out", scenarios(), "--clips", "4", "--seconds", "4"}));
  Must(RunProgram({GATEKEEPER, "init", home()}));
  Must(Cli({"approver", "add", "ada", "--role", "local_operator"}));
  Must(Cli({"approver", "add", "bo", "--role", "safety_officer"}));
}

void Stage::CommitReleases() const {
  repository_.Write("card.yaml", NavFile("card.yaml"));
  repository_.Write("control_policy.yaml", PatientPolicy());
  repository_.Write("fallback_rules.yaml", PatientRules());
  repository_.Write("hall.yaml", NavFile("../site/hall.yaml"));
  for (const char* model : {"models/nav-1.0.0.onnx", "models/nav-1.1.0.onnx"}) {
    repository_.Write(model, NavFile(model));
  }
  for (int i = 0; i < kReleases; ++i) {
    repository_.Write("release-" + Version(i) + ".yaml", Spec(Version(i), i % 2 == 0));
  }
  repository_.Commit("nav: releases");
}

std::vector<std::string> Stage::SignedBy(const std::string& name) const {
  const std::string role = name == "ada" ? "local_operator" : "safety_officer";
  return {"--key", home() + "/approver-" + name + ".key", "--role", role, "--name", name};
}

Finished Stage::Cli(const std::vector<std::string>& words) const {
  std::vector<std::string> all = {GATEKEEPER, "--home", home(), "--server", address_};
  all.insert(all.end(), words.begin(), words.end());
  return RunProgram(all);
}

std::string Stage::BuiltUnit(const std::string& version) {
  std::string unit = path("built-" + version);
  if (!std::filesystem::exists(unit)) {
    Must(Cli({"unit", "build", "--repo", repository_.path(), "--spec",
              "release-" + version + ".yaml", "--out", unit}));
  }
  return unit;
}

std::string Stage::SealedUnit(const std::string& version) {
  std::string unit = path("sealed-" + version);
  if (!std::filesystem::exists(unit)) {
    std::filesystem::copy(BuiltUnit(version), unit, std::filesystem::copy_options::recursive);
    Must(Cli({"gate", "run", unit, "--suite", suite(), "--scenarios", scenarios(), "--sign"}));
  }
  return unit;
}

std::string Stage::PushedUnit(const std::string& version) {
  const std::string unit = SealedUnit(version);
  Must(Cli({"unit", "push", unit}));
  return DigestOf(unit);
}

std::string Stage::NewVersion() {
  if (versions_ == kReleases) std::abort();
  return Version(versions_++);
}

void Stage::Serve() {
  const std::string log = path("server.log");
  const size_t before = ReadWhole(log).size();
  if (!server_) {
    server_ = std::make_unique<Process>(Launch{.words = {}, .log = log});
  }
  server_->launch().words = {GATEKEEPER, "--home", home(),           "serve",
                             "--listen", address_, "--enrol-listen", enrol_address_};
  server_->Start();
  static const std::regex ports("port ([0-9]+) \\(robots.*, port ([0-9]+) \\(enrolment");
  std::smatch found;
  std::string text;
  const bool serves = Eventually([&] {
    text = ReadWhole(log).substr(before);
    return std::regex_search(text, found, ports) || !server_->running();
  });
  if (!serves || found.empty()) {
    std::fprintf(stderr, "the server does not serve:\n%s", text.c_str());
    std::abort();
  }
  address_ = "127.0.0.1:" + found[1].str();
  enrol_address_ = "127.0.0.1:" + found[2].str();
  if (!operator_) operator_ = OperatorStub(home(), address_);
}

v1::RolloutView Stage::Rollout(const std::string& fleet) const {
  grpc::ClientContext context;
  GiveUpSoon(context);
  v1::GetRolloutRequest request;
  request.set_fleet(fleet);
  v1::RolloutView view;
  if (!operator_->GetRollout(&context, request, &view).ok()) view.Clear();
  return view;
}

v1::FleetView Stage::Fleet(const std::string& fleet) const {
  grpc::ClientContext context;
  GiveUpSoon(context);
  v1::ShowFleetRequest request;
  request.set_fleet(fleet);
  v1::FleetView view;
  if (!operator_->ShowFleet(&context, request, &view).ok()) view.Clear();
  return view;
}

v1::RobotView Stage::Robot(const std::string& fleet, const std::string& robot) const {
  const v1::FleetView view = Fleet(fleet);
  for (const v1::RobotView& one : view.robots()) {
    if (one.robot() == robot) return one;
  }
  return {};
}

}  // namespace tests
