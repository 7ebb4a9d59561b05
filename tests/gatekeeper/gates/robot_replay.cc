// robot_replay UNIT RECORDING DIGEST: prints the SHA-256 of the verdict stream that the robot's own
// code gives for a recording. Linked from agent/ alone: nothing of the gatekeeper is in this
// program, so an equal digest says that what was gated is what drives.

#include <cstdio>
#include <set>
#include <string>

#include "agent/base/files.h"
#include "agent/inference/onnx_runtime.h"
#include "agent/recording/observation_reader.h"
#include "agent/runtime/binding.h"
#include "agent/runtime/controller.h"
#include "agent/runtime/unit_rules.h"
#include "agent/trust/hash.h"
#include "agent/trust/manifest.h"

namespace {

using agent::base::Nanos;
using agent::recording::RecordedItem;

constexpr int64_t kStartUp_ns = 1'000'000'000;  // how long the first tick waits for its channels

template <class T>
T Must(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s\n", std::string(result.status().message()).c_str());
  std::exit(1);
}

// A recording has time to wait for every answer.
class PatientModel final : public agent::base::Model {
 public:
  explicit PatientModel(std::unique_ptr<agent::base::Model> inner) : inner_(std::move(inner)) {}
  const agent::base::ModelSignature& signature() const override { return inner_->signature(); }
  std::span<float> input(size_t index) override { return inner_->input(index); }
  std::span<const float> output(size_t index) const override { return inner_->output(index); }
  agent::base::RunOutcome Run(Nanos) override { return inner_->Run(std::chrono::hours(1)); }

 private:
  std::unique_ptr<agent::base::Model> inner_;
};

class Drive {
 public:
  Drive(const agent::runtime::Pilot& pilot, const agent::runtime::Policy& policy)
      : pilot_(pilot), period_(policy.command().period), controller_(agent::runtime::LatchState{}) {
    for (const agent::runtime::InputLimits& input : policy.inputs()) {
      if (input.required) awaited_.insert(input.channel);
    }
  }

  absl::Status Take(const RecordedItem& item) {
    if (std::holds_alternative<gatekeeper::v1::TickRecord>(item.content)) return absl::OkStatus();
    const int64_t now = item.log_time_ns;
    if (last_ns_ < 0) first_ns_ = now;
    if (next_ns_ < 0 && now - first_ns_ > kStartUp_ns) Start(first_ns_ + kStartUp_ns);
    while (next_ns_ >= 0 && next_ns_ < now) Step();
    last_ns_ = now;
    const auto* observation = std::get_if<gatekeeper::v1::Observation>(&item.content);
    if (observation == nullptr) return absl::OkStatus();
    Await(*observation);
    controller_.Observe(*observation, Nanos(now));
    if (next_ns_ < 0 && awaited_.empty()) Start(now);
    return absl::OkStatus();
  }

  std::string Finish() {
    if (next_ns_ < 0) Start(last_ns_);
    while (next_ns_ <= last_ns_) Step();
    return digest_.Finish().hex();
  }

 private:
  void Await(const gatekeeper::v1::Observation& observation) {
    if (observation.has_scan()) awaited_.erase("scan");
    if (observation.has_odom()) awaited_.erase("odom");
    for (const auto& [name, signal] : observation.signals()) awaited_.erase(name);
  }

  void Start(int64_t at) {
    next_ns_ = at;
    controller_.SetLink(true, Nanos(at));
    controller_.SwapTo(&pilot_, nullptr, Nanos(at));
  }

  void Step() {
    digest_.Update(agent::runtime::ToRecord(controller_.Step(Nanos(next_ns_))).SerializeAsString());
    next_ns_ += period_.count();
  }

  const agent::runtime::Pilot& pilot_;
  Nanos period_;
  agent::runtime::Controller controller_;
  agent::trust::Sha256Stream digest_;
  std::set<std::string> awaited_;
  int64_t first_ns_ = 0;
  int64_t last_ns_ = -1;
  int64_t next_ns_ = -1;  // before the start
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const std::string unit = argv[1];
  const auto read = [&](const std::string& name) {
    return Must(agent::base::OsFiles().Read(unit + "/" + name, 64 << 20));
  };
  const auto rules =
      Must(agent::runtime::LoadRules(read(agent::trust::kCardFile), read(agent::trust::kPolicyFile),
                                     read(agent::trust::kFallbackFile)));
  const auto runtime =
      Must(agent::inference::OnnxRuntime::Open(agent::inference::DefaultLibraryPath()));
  const auto signature = Must(agent::runtime::SignatureFor(rules->card, rules->policy));
  PatientModel model(Must(runtime->Load(read(agent::trust::kModelFile), signature)));
  const agent::runtime::Pilot pilot{.digest = argv[3],
                                    .rules = rules,
                                    .binding = Must(agent::runtime::Binding::Compile(
                                        rules->card, rules->policy, model.signature())),
                                    .model = &model};
  const auto recording = Must(agent::recording::ObservationReader::Open(argv[2]));
  Drive drive(pilot, rules->policy);
  const absl::Status status =
      recording.ForEach([&](const RecordedItem& item) { return drive.Take(item); });
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    return 1;
  }
  std::puts(drive.Finish().c_str());
  return 0;
}
