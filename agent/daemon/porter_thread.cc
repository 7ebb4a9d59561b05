#include "agent/daemon/porter_thread.h"

#include <utility>

namespace agent::daemon {

PorterThread::PorterThread(lifecycle::Porter& porter, BulkLink& bulk, Mailbox& mailbox)
    : porter_(porter), bulk_(bulk), mailbox_(mailbox), thread_([this] { Run(); }) {}

PorterThread::~PorterThread() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  Cancel();
  changed_.notify_all();
  thread_.join();
}

void PorterThread::Give(lifecycle::Task task) {
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = stopping_;
    task_ = std::move(task);
  }
  changed_.notify_all();
}

void PorterThread::Cancel() {
  if (!cancelled_.exchange(true)) bulk_.Cancel();
}

void PorterThread::Run() {
  while (true) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopping_ || task_.has_value(); });
    if (stopping_) return;
    const lifecycle::Task task = *std::exchange(task_, std::nullopt);
    lock.unlock();
    absl::Status outcome = porter_.Run(task, cancelled_);
    mailbox_.Post(TaskDone{task, std::move(outcome)});
  }
}

}  // namespace agent::daemon
