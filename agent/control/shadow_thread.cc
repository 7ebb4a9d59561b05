#include "agent/control/shadow_thread.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

namespace agent::control {
namespace {

constexpr int kShadowNice = 10;

}  // namespace

ShadowThread::ShadowThread()
    : result_signal_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { Loop(); }) {}

ShadowThread::~ShadowThread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  frame_changed_.notify_one();
  thread_.join();
}

void ShadowThread::Offer(ShadowFrame frame) {
  {
    const std::lock_guard lock(mutex_);
    frame_ = std::move(frame);
  }
  frame_changed_.notify_one();
}

std::optional<ShadowResult> ShadowThread::Take() {
  uint64_t count = 0;
  (void)!read(result_signal_.get(), &count, sizeof(count));
  const std::lock_guard lock(mutex_);
  return std::exchange(result_, std::nullopt);
}

void ShadowThread::Loop() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kShadowNice);
  while (true) {
    std::optional<ShadowFrame> frame;
    {
      std::unique_lock lock(mutex_);
      frame_changed_.wait(lock, [this] { return stop_ || frame_.has_value(); });
      if (stop_) return;
      frame = std::exchange(frame_, std::nullopt);
    }
    ShadowResult result = RunShadow(*frame);
    {
      const std::lock_guard lock(mutex_);
      result_ = std::move(result);
    }
    const uint64_t one = 1;
    (void)!write(result_signal_.get(), &one, sizeof(one));
  }
}

}  // namespace agent::control
