#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "agent/base/model.h"
#include "agent/runtime/unit_rules.h"

namespace gatekeeper::gates {

// Takes the host's speed out of a model: Run waits for the answer however long that takes and never
// reports a missed deadline, so that a verdict depends on the recording alone. How long it took is
// kept for the latency gate only.
class UnhurriedModel final : public agent::base::Model {
 public:
  explicit UnhurriedModel(std::unique_ptr<agent::base::Model> inner) : inner_(std::move(inner)) {}

  const agent::base::ModelSignature& signature() const override { return inner_->signature(); }
  std::span<float> input(size_t index) override { return inner_->input(index); }
  std::span<const float> output(size_t index) const override { return inner_->output(index); }
  agent::base::RunOutcome Run(agent::base::Nanos budget) override;

  // Duration of the run since the last call, if there was one.
  std::optional<agent::base::Nanos> TakeMeasured() {
    return std::exchange(measured_, std::nullopt);
  }

 private:
  std::unique_ptr<agent::base::Model> inner_;
  std::optional<agent::base::Nanos> measured_;
};

// A unit ready to be replayed by one thread: the robot's own rules and binding around a model.
class TestBench {
 public:
  // kInvalidArgument when the model's tensors are not what the card binds.
  static absl::StatusOr<std::unique_ptr<TestBench>> Create(
      const std::string& digest, std::shared_ptr<const agent::runtime::UnitRules> rules,
      std::unique_ptr<agent::base::Model> model);

  const agent::runtime::Pilot& pilot() const { return pilot_; }
  const agent::runtime::UnitRules& rules() const { return *pilot_.rules; }
  UnhurriedModel& model() { return model_; }

 private:
  TestBench(const std::string& digest, std::shared_ptr<const agent::runtime::UnitRules> rules,
            agent::runtime::Binding binding, std::unique_ptr<agent::base::Model> model);

  UnhurriedModel model_;
  agent::runtime::Pilot pilot_;  // points to model_
};

}  // namespace gatekeeper::gates
