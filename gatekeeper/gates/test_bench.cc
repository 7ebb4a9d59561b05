#include "gatekeeper/gates/test_bench.h"

#include <chrono>
#include <limits>
#include <utility>

#include "agent/base/status_macros.h"
#include "agent/runtime/binding.h"

namespace gatekeeper::gates {
namespace {

constexpr agent::base::Nanos kPatience = std::chrono::hours(24);

}  // namespace

agent::base::RunOutcome UnhurriedModel::Run(agent::base::Nanos) {
  if (ailment_ == Ailment::kLate) return agent::base::RunOutcome::kDeadlineMissed;
  if (ailment_ == Ailment::kFails) return agent::base::RunOutcome::kFailed;
  if (repeated_ != nullptr) {
    return runs_++ < repeated_->size() ? agent::base::RunOutcome::kDone
                                       : agent::base::RunOutcome::kFailed;
  }
  const auto start = std::chrono::steady_clock::now();
  const agent::base::RunOutcome outcome = inner_->Run(kPatience);
  measured_ = std::chrono::steady_clock::now() - start;
  if (told_ != nullptr && outcome == agent::base::RunOutcome::kDone) {
    auto& answer = told_->emplace_back();
    for (size_t i = 0; i < signature().outputs.size(); ++i) {
      const std::span<const float> output = inner_->output(i);
      answer.emplace_back(output.begin(), output.end());
    }
  }
  return outcome;
}

std::span<const float> UnhurriedModel::output(size_t index) const {
  if (repeated_ != nullptr && runs_ > 0 && runs_ <= repeated_->size())
    return (*repeated_)[runs_ - 1][index];
  return ailment_ == Ailment::kNone ? inner_->output(index) : Spoiled(index);
}

std::span<const float> UnhurriedModel::Spoiled(size_t index) const {
  const std::span<const float> sound = inner_->output(index);
  if (ailment_ == Ailment::kTooFewOutputs) return sound.first(sound.empty() ? 0 : sound.size() - 1);
  float value = 0;
  if (ailment_ == Ailment::kNan) {
    value = std::numeric_limits<float>::quiet_NaN();
  } else if (ailment_ == Ailment::kLargest) {
    value = std::numeric_limits<float>::max();
  } else if (ailment_ != Ailment::kZero) {
    return sound;
  }
  bad_.resize(signature().outputs.size());
  bad_[index].assign(sound.size(), value);
  return bad_[index];
}

absl::StatusOr<std::unique_ptr<TestBench>> TestBench::Create(
    const std::string& digest, std::shared_ptr<const agent::runtime::UnitRules> rules,
    std::unique_ptr<agent::base::Model> model) {
  ASSIGN_OR_RETURN(
      agent::runtime::Binding binding,
      agent::runtime::Binding::Compile(rules->card, rules->policy, model->signature()));
  return std::unique_ptr<TestBench>(
      new TestBench(digest, std::move(rules), std::move(binding), std::move(model)));
}

TestBench::TestBench(const std::string& digest,
                     std::shared_ptr<const agent::runtime::UnitRules> rules,
                     agent::runtime::Binding binding, std::unique_ptr<agent::base::Model> model)
    : owned_(std::move(model)),
      model_(std::make_unique<BorrowedModel>(*owned_)),
      previous_model_(std::make_unique<BorrowedModel>(*owned_)),
      pilot_{.digest = digest,
             .rules = std::move(rules),
             .binding = std::move(binding),
             .model = &model_},
      previous_(pilot_) {
  previous_.digest[0] = previous_.digest[0] == '0' ? '1' : '0';
  previous_.model = &previous_model_;
}

}  // namespace gatekeeper::gates
