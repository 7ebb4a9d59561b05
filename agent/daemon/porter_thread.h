#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "agent/daemon/bulk_link.h"
#include "agent/daemon/mailbox.h"
#include "agent/lifecycle/porter.h"

namespace agent::daemon {

// Runs a Porter's tasks, one at a time, so that a download never holds up an order.
class PorterThread {
 public:
  PorterThread(lifecycle::Porter& porter, BulkLink& bulk, Mailbox& mailbox);
  // Ends the task that is under way; its outcome is not posted.
  ~PorterThread();

  // The outcome comes as TaskDone. One task at a time: give the next only after it.
  void Give(lifecycle::Task task);
  // The task given last is to end soon; nothing happens when it has.
  void Cancel();

 private:
  void Run();

  lifecycle::Porter& porter_;
  BulkLink& bulk_;
  Mailbox& mailbox_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<lifecycle::Task> task_;
  bool stopping_ = false;
  std::atomic<bool> cancelled_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace agent::daemon
