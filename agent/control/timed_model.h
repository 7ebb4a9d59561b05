#pragma once

#include <memory>
#include <utility>

#include "agent/base/model.h"

namespace agent::control {

// What of a tick was the model's.
struct ModelTimes {
  bool ran = false;
  base::Nanos copy{};  // from the first look at the model's inputs until it was started
  base::Nanos run{};
};

// A model that notes when its inputs were filled and when it ran. The runtime that asks it reads no
// clock.
class TimedModel final : public base::Model {
 public:
  explicit TimedModel(std::unique_ptr<base::Model> model) : model_(std::move(model)) {}

  const base::ModelSignature& signature() const override { return model_->signature(); }
  std::span<float> input(size_t index) override {
    if (filling_since_ == base::Nanos{0}) filling_since_ = clock_.Now();
    return model_->input(index);
  }
  std::span<const float> output(size_t index) const override { return model_->output(index); }
  base::RunOutcome Run(base::Nanos budget) override {
    const base::Nanos start = clock_.Now();
    const base::RunOutcome outcome = model_->Run(budget);
    times_ = {.ran = true,
              .copy = filling_since_ == base::Nanos{0} ? base::Nanos{0} : start - filling_since_,
              .run = clock_.Now() - start};
    filling_since_ = base::Nanos{0};
    return outcome;
  }
  base::Nanos took() const override { return model_->took(); }
  bool busy() const override { return model_->busy(); }

  // Of the last run since the last call.
  ModelTimes TakeTimes() {
    filling_since_ = base::Nanos{0};
    return std::exchange(times_, {});
  }

 private:
  const std::unique_ptr<base::Model> model_;
  const base::SystemClock clock_{};
  base::Nanos filling_since_{};  // 0: not yet
  ModelTimes times_;
};

}  // namespace agent::control
