#include "agent/control/flight_recorder.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <utility>

#include "agent/base/status_macros.h"

namespace agent::control {
namespace {

constexpr int kRecorderNice = 5;
// Two seconds of a robot at 50 Hz with scan, command and verdict; images fill the bytes first.
constexpr size_t kMaxItems = 400;
constexpr size_t kMaxBytes = 32 << 20;
constexpr base::Nanos kFlushEvery = std::chrono::seconds(1);

}  // namespace

FlightRecorder::FlightRecorder(recording::RingOptions options)
    : options_(std::move(options)), thread_([this] { Loop(); }) {}

FlightRecorder::~FlightRecorder() {
  {
    const std::lock_guard lock(mutex_);
    HandOver();
    stop_ = true;
  }
  items_changed_.notify_one();
  thread_.join();
}

void FlightRecorder::Add(Content content, base::Nanos at) {
  const size_t bytes =
      std::visit([](const auto& message) { return message.ByteSizeLong(); }, content);
  own_.push_back({std::move(content), at, bytes});
  // The other side holds the lock for moments only; even those are not waited for.
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (lock) HandOver();
}

void FlightRecorder::HandOver() {
  for (Item& item : own_) {
    if (items_.size() >= kMaxItems || bytes_ + item.bytes > kMaxBytes) {
      ++dropped_;
      continue;
    }
    bytes_ += item.bytes;
    items_.push_back(std::move(item));
  }
  own_.clear();
  items_changed_.notify_one();
}

absl::Status FlightRecorder::Write(const Item& item) {
  if (!ring_) {
    ASSIGN_OR_RETURN(ring_, recording::RecorderRing::Open(options_));
  }
  return std::visit([&](const auto& message) { return ring_->Write(message, item.at); },
                    item.content);
}

void FlightRecorder::Loop() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kRecorderNice);
  std::deque<Item> taken;
  bool running = true;
  bool working = true;
  while (running) {
    {
      std::unique_lock lock(mutex_);
      items_changed_.wait_for(lock, kFlushEvery, [this] { return stop_ || !items_.empty(); });
      running = !stop_;
      taken.swap(items_);
      bytes_ = 0;
    }
    absl::Status status;
    for (const Item& item : taken) {
      const absl::Status written = Write(item);
      if (!written.ok()) ++dropped_;
      status.Update(written);
    }
    // Nothing came for a second: what waits in the open chunk goes out.
    if (taken.empty() && ring_) status.Update(ring_->Flush());
    taken.clear();
    if (!status.ok() && working) {
      spdlog::error("flight recorder: {}", std::string(status.message()));
    }
    working = status.ok();
  }
  if (ring_) (void)ring_->Rotate();
}

}  // namespace agent::control
