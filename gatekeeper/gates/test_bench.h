#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/model.h"
#include "agent/runtime/unit_rules.h"

namespace gatekeeper::gates {

// Takes the host's speed out of a model: Run waits for the answer however long that takes and never
// reports a missed deadline, so that a verdict depends on the recording alone. How long it took is
// kept for the latency gate only. It can be made to answer badly.
class UnhurriedModel final : public agent::base::Model {
 public:
  enum class Ailment { kNone, kLate, kFails, kTooFewOutputs, kNan, kZero, kLargest };
  explicit UnhurriedModel(std::unique_ptr<agent::base::Model> inner) : inner_(std::move(inner)) {}

  const agent::base::ModelSignature& signature() const override { return inner_->signature(); }
  std::span<float> input(size_t index) override { return inner_->input(index); }
  std::span<const float> output(size_t index) const override;
  agent::base::RunOutcome Run(agent::base::Nanos budget) override;

  // Duration of the run since the last call, if there was one.
  std::optional<agent::base::Nanos> TakeMeasured() {
    return std::exchange(measured_, std::nullopt);
  }

  // From the next run on.
  void Suffer(Ailment ailment) { ailment_ = ailment; }

  // One run's outputs, tensor after tensor.
  using Answers = std::vector<std::vector<std::vector<float>>>;
  // Every answer from now on is added to `answers`; null ends that.
  void Tell(Answers* answers) { told_ = answers; }
  // The n-th run from now on gives the n-th of `answers`, whatever its inputs say, and beyond the
  // last one fails; null ends that.
  void Repeat(const Answers* answers) {
    repeated_ = answers;
    runs_ = 0;
  }

 private:
  std::span<const float> Spoiled(size_t index) const;

  std::unique_ptr<agent::base::Model> inner_;
  std::optional<agent::base::Nanos> measured_;
  Ailment ailment_ = Ailment::kNone;
  Answers* told_ = nullptr;
  const Answers* repeated_ = nullptr;
  size_t runs_ = 0;                              // while answers are repeated
  mutable std::vector<std::vector<float>> bad_;  // outputs of an ailing model
};

// Somebody else's model, who outlives this.
class BorrowedModel final : public agent::base::Model {
 public:
  explicit BorrowedModel(agent::base::Model& owned) : owned_(owned) {}
  const agent::base::ModelSignature& signature() const override { return owned_.signature(); }
  std::span<float> input(size_t index) override { return owned_.input(index); }
  std::span<const float> output(size_t index) const override { return owned_.output(index); }
  agent::base::RunOutcome Run(agent::base::Nanos budget) override { return owned_.Run(budget); }

 private:
  agent::base::Model& owned_;
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

  // A unit of the same rules and the same model under another digest, to stand by: what it is when
  // nothing is wrong with it is not what its drives are for.
  const agent::runtime::Pilot& previous() const { return previous_; }
  UnhurriedModel& previous_model() { return previous_model_; }

 private:
  TestBench(const std::string& digest, std::shared_ptr<const agent::runtime::UnitRules> rules,
            agent::runtime::Binding binding, std::unique_ptr<agent::base::Model> model);

  std::unique_ptr<agent::base::Model> owned_;
  UnhurriedModel model_;  // of owned_, as the next one
  UnhurriedModel previous_model_;
  agent::runtime::Pilot pilot_;     // points to model_
  agent::runtime::Pilot previous_;  // points to previous_model_
};

}  // namespace gatekeeper::gates
