#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/recording/recorder_ring.h"
#include "proto/robot.pb.h"
#include "proto/verdict.pb.h"

namespace agent::control {

// Feeds the flight recorder from a thread of its own, so that no disk ever holds up a tick. When
// the disk cannot follow, items are dropped and counted, the newest first.
class FlightRecorder {
 public:
  // Starts even when the ring cannot be opened (disk full, ...): every item tries again.
  explicit FlightRecorder(recording::RingOptions options);
  ~FlightRecorder();  // writes what waits and ends the current file
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;

  using Content = std::variant<::gatekeeper::v1::Observation, ::gatekeeper::v1::Command,
                               ::gatekeeper::v1::TickRecord>;
  void Add(Content content, base::Nanos at);

  uint64_t dropped() const { return dropped_; }  // queue full, or not written

 private:
  struct Item {
    Content content;
    base::Nanos at;
    size_t bytes = 0;
  };
  void HandOver();  // the lock is held
  void Loop();
  absl::Status Write(const Item& item);

  const recording::RingOptions options_;
  std::optional<recording::RecorderRing> ring_;  // the thread's
  std::atomic<uint64_t> dropped_ = 0;
  std::vector<Item> own_;  // the caller's: what it could not hand over without waiting

  std::mutex mutex_;
  std::condition_variable items_changed_;
  std::deque<Item> items_;
  size_t bytes_ = 0;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace agent::control
