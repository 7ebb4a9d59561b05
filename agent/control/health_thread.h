#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "agent/base/clock.h"
#include "agent/control/latest.h"
#include "agent/health/sampler.h"

namespace agent::control {

// Looks at the computer's power, heat and throttling from a thread of its own, behind everything
// else: a driver that takes its time, or never answers, delays nobody. Its last value then grows
// old where it is used.
class HealthThread {
 public:
  // `clock` must outlive this.
  HealthThread(std::string sysfs_root, const base::Clock& clock);
  ~HealthThread();
  HealthThread(const HealthThread&) = delete;
  HealthThread& operator=(const HealthThread&) = delete;

  // The newest sample, once. For the control thread: never waits.
  std::optional<health::HealthSample> Take() { return latest_.Take(); }

 private:
  void Loop(const std::string& sysfs_root);

  const base::Clock& clock_;
  Latest<health::HealthSample> latest_;
  std::mutex mutex_;  // between the thread and the destructor
  std::condition_variable stop_changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace agent::control
