#include "agent/control/worker_model.h"

#include <algorithm>
#include <utility>

namespace agent::control {

WorkerModel::WorkerModel(std::shared_ptr<base::WorkerChannel> channel,
                         std::function<void()> released)
    : channel_(std::move(channel)), released_(std::move(released)) {
  for (const base::TensorSpec& spec : channel_->signature().outputs) {
    outputs_.emplace_back(spec.elements());
  }
}

WorkerModel::~WorkerModel() { released_(); }

base::RunOutcome WorkerModel::Run(base::Nanos budget) {
  const base::Nanos start = clock_.Now();
  const base::RunOutcome outcome = channel_->WaitAnswer(channel_->Post(), start + budget);
  took_ = clock_.Now() - start;
  if (outcome != base::RunOutcome::kDone) return outcome;
  for (size_t i = 0; i < outputs_.size(); ++i) {
    std::ranges::copy(channel_->output(i), outputs_[i].begin());
  }
  return outcome;
}

}  // namespace agent::control
