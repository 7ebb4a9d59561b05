#include "agent/control/health_thread.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

#include "agent/health/record.h"

namespace agent::control {
namespace {

constexpr int kHealthNice = 15;  // behind the recorder and the shadow

}  // namespace

HealthThread::HealthThread(std::string sysfs_root, const base::Clock& clock)
    : clock_(clock), thread_([this, root = std::move(sysfs_root)] { Loop(root); }) {}

HealthThread::~HealthThread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_one();
  thread_.join();
}

void HealthThread::Loop(const std::string& sysfs_root) {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kHealthNice);
  health::Sampler sampler(sysfs_root);
  bool told = false;
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    const health::HealthSample sample = sampler.Sample(clock_.Now());
    // Counters tell a rate from the second look on.
    if (!told && sample.power_w.state != health::State::kPending) {
      spdlog::info("health: {}", health::Describe(sample));
      told = true;
    }
    latest_.Put(sample);
    lock.lock();
    stop_changed_.wait_for(lock, health::kSampleEvery, [this] { return stop_; });
  }
}

}  // namespace agent::control
