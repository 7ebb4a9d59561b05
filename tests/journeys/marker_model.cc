#include "tests/journeys/marker_model.h"

#include <array>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_format.h"

namespace tests::journeys {
namespace {

using agent::base::ModelSignature;
using agent::base::RunOutcome;
using std::chrono::milliseconds;

struct Reply {
  float vx_mps = 0;
  float wz_radps = 0;
  RunOutcome outcome = RunOutcome::kDone;
};
using Behaviour = Reply (*)(float measured_wz_radps, uint64_t run);

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

constexpr Reply kLate{.outcome = RunOutcome::kDeadlineMissed};

constexpr std::array<std::pair<std::string_view, Behaviour>, 6> kBehaviours = {{
    {"good", [](float, uint64_t) { return Reply{.vx_mps = 0.3F, .wz_radps = 0.02F}; }},
    {"nan", [](float, uint64_t) { return Reply{.vx_mps = kNan, .wz_radps = kNan}; }},
    {"slow", [](float, uint64_t run) { return run % 2 == 0 ? Reply{.vx_mps = 0.3F} : kLate; }},
    {"hung", [](float, uint64_t) { return kLate; }},
    {"saturating", [](float, uint64_t) { return Reply{.vx_mps = 5, .wz_radps = 5}; }},
    {"wild-when-driving",
     [](float wz, uint64_t) { return Reply{.vx_mps = 0.3F, .wz_radps = 1.5F * wz + 0.01F}; }},
}};

class MarkerModel final : public agent::base::Model {
 public:
  MarkerModel(Behaviour behaviour, ModelSignature signature, std::string digest,
              std::shared_ptr<RunLog> log, std::shared_ptr<const bool> alive)
      : behaviour_(behaviour),
        signature_(std::move(signature)),
        digest_(std::move(digest)),
        log_(std::move(log)),
        alive_(std::move(alive)) {}

  const ModelSignature& signature() const override { return signature_; }
  std::span<float> input(size_t) override { return input_; }
  std::span<const float> output(size_t) const override { return output_; }
  RunOutcome Run(Nanos budget) override {
    log_->runs.push_back(digest_);
    if (!*alive_) return RunOutcome::kFailed;
    const Reply reply = behaviour_(input_[1], runs_++);
    output_ = {reply.vx_mps, reply.wz_radps};
    took_ = reply.outcome == RunOutcome::kDone ? milliseconds(2) : budget;
    return reply.outcome;
  }
  Nanos took() const override { return took_; }

 private:
  Behaviour behaviour_;
  ModelSignature signature_;
  std::string digest_;
  std::shared_ptr<RunLog> log_;
  std::shared_ptr<const bool> alive_;
  std::array<float, 2> input_ = {};  // vx_mps, wz_radps: see tests/support/sealed_unit.cc
  std::array<float, 2> output_ = {};
  uint64_t runs_ = 0;
  Nanos took_{};
};

}  // namespace

absl::StatusOr<std::unique_ptr<agent::base::Model>> MakeMarkerModel(
    std::string_view bytes, const ModelSignature& signature, const std::string& digest,
    std::shared_ptr<RunLog> log, std::shared_ptr<const bool> alive) {
  const std::string_view word = bytes.substr(0, bytes.find_first_of(" \n"));
  for (const auto& [name, behaviour] : kBehaviours) {
    if (name != word) continue;
    return std::make_unique<MarkerModel>(behaviour, signature, digest, std::move(log),
                                         std::move(alive));
  }
  return absl::InvalidArgumentError(
      absl::StrFormat("the model does not load: no behaviour is called '%s'", word));
}

}  // namespace tests::journeys
