#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "agent/base/unique_fd.h"

namespace agent::control {

// What stands in a record's bytes.
enum class RecordKind : uint32_t {
  kPacket,           // the robot's packet as it came, a gatekeeper.v1.Observation
  kPacketLessImage,  // the same, its image not to be recorded
  kCommand,          // gatekeeper.v1.Command
  kTick,             // gatekeeper.v1.TickRecord
  kHealth,           // health::HealthSample, as it stands in memory
  kSignal,           // a double, then its name
  kEvent,            // gatekeeper.v1.ControlEvent
};

struct QueuedRecord {
  RecordKind kind{};
  base::Nanos at{};
  std::string bytes;
  base::UniqueFd attached;  // an image's memfd
};

// Records on their way from the control thread to the flight recorder's: memory of fixed size, one
// thread that pushes, one that pops. Neither ever waits: no lock, no allocation, no system call.
class RecordQueue {
 public:
  explicit RecordQueue(size_t capacity);
  ~RecordQueue();
  RecordQueue(const RecordQueue&) = delete;
  RecordQueue& operator=(const RecordQueue&) = delete;

  // False, and nothing happens but that `attached` is closed, when there is no room.
  bool Push(RecordKind kind, base::Nanos at, std::string_view bytes, base::UniqueFd attached = {});
  // False when there is nothing. `record` keeps its memory from call to call.
  bool Pop(QueuedRecord& record);

 private:
  struct Head;
  char* at(uint64_t position) { return memory_.get() + position % capacity_; }

  const size_t capacity_;
  const std::unique_ptr<char[]> memory_;
  // Positions that only rise; their difference is what waits. On lines of their own, because two
  // threads write them.
  alignas(64) std::atomic<uint64_t> pushed_ = 0;
  alignas(64) std::atomic<uint64_t> popped_ = 0;
};

}  // namespace agent::control
