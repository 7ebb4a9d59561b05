#include "agent/control/shadow_thread.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

namespace agent::control {
namespace {

constexpr int kShadowNice = 10;

}  // namespace

ShadowThread::ShadowThread()
    : result_signal_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { Loop(); }) {}

ShadowThread::~ShadowThread() {
  turn_.store(Turn::kStop);
  turn_.notify_one();
  thread_.join();
}

void ShadowThread::Offer() {
  turn_.store(Turn::kShadow);  // in one order with who waits, whom notify_one looks for
  turn_.notify_one();
}

const ShadowResult* ShadowThread::Result() {
  if (turn_.load(std::memory_order_acquire) != Turn::kResult) return nullptr;
  uint64_t count = 0;
  (void)!read(result_signal_.get(), &count, sizeof(count));
  return &result_;
}

void ShadowThread::Release() {
  result_.seat.reset();
  turn_.store(Turn::kControl, std::memory_order_relaxed);
}

void ShadowThread::Loop() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kShadowNice);
  while (true) {
    Turn turn = turn_.load(std::memory_order_acquire);
    if (turn == Turn::kStop) return;
    if (turn != Turn::kShadow) {
      turn_.wait(turn, std::memory_order_acquire);
      continue;
    }
    RunShadow(frame_, result_);
    // Nobody else changes the word meanwhile, but to end this thread.
    if (!turn_.compare_exchange_strong(turn, Turn::kResult, std::memory_order_release)) return;
    const uint64_t one = 1;
    (void)!write(result_signal_.get(), &one, sizeof(one));
  }
}

}  // namespace agent::control
