#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "agent/base/model.h"
#include "agent/base/worker_channel.h"

namespace agent::control {

// A unit's model in its own process. Run waits for the answer no longer than its budget; a worker
// that is gone answers kFailed at once, and a worker's answer is copied before anybody judges it.
class WorkerModel final : public base::Model {
 public:
  // `channel` is ready. `released` is called once, when the model is no longer wanted.
  WorkerModel(std::shared_ptr<base::WorkerChannel> channel, std::function<void()> released);
  ~WorkerModel() override;
  WorkerModel(const WorkerModel&) = delete;
  WorkerModel& operator=(const WorkerModel&) = delete;

  const base::ModelSignature& signature() const override { return channel_->signature(); }
  std::span<float> input(size_t index) override { return channel_->input(index); }
  std::span<const float> output(size_t index) const override { return outputs_[index]; }
  base::RunOutcome Run(base::Nanos budget) override;
  base::Nanos took() const override { return took_; }
  bool busy() const override { return channel_->Working(); }

 private:
  std::shared_ptr<base::WorkerChannel> channel_;
  std::function<void()> released_;
  std::vector<std::vector<float>> outputs_;
  base::SystemClock clock_;
  base::Nanos took_{};
};

}  // namespace agent::control
