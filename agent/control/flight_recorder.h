#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "agent/base/clock.h"
#include "agent/base/unique_fd.h"
#include "agent/control/record_queue.h"
#include "agent/health/reading.h"
#include "agent/recording/recorder_ring.h"
#include "proto/control.pb.h"
#include "proto/verdict.pb.h"

namespace agent::control {

struct RecorderOptions {
  recording::RingOptions ring;
  // Images a second that are recorded. Two let a person see what happened; all 30 of a camera with
  // 640 x 480 colour pixels would fill the whole ring in five seconds.
  double images_hz = 2;
};

// Everything that happened, on one clock: what the robot sent, what the model asked for, what was
// decided and why, where the time went, heat and power, events. A thread of its own writes it, so
// that no disk ever holds up a tick; the control thread only copies bytes into memory of fixed
// size. When the disk cannot follow, records are dropped and counted, the newest first. Times are
// the control's monotonic clock; health samples carry the wall clock beside it.
class FlightRecorder {
 public:
  // Starts even when the ring cannot be opened (disk full, ...): every record tries again. `clock`
  // must outlive this.
  FlightRecorder(RecorderOptions options, const base::Clock& clock);
  ~FlightRecorder();  // writes what waits and ends the current file
  FlightRecorder(const FlightRecorder&) = delete;
  FlightRecorder& operator=(const FlightRecorder&) = delete;

  // --- control thread: neither waits nor allocates, but for an event ---
  // The robot's packet as it came; `image` is the memfd that came beside it.
  void AddPacket(std::string_view observation, base::UniqueFd image, bool has_image,
                 base::Nanos received);
  void AddCommand(std::string_view command, base::Nanos at);  // as it was sent
  void AddTick(const ::gatekeeper::v1::TickRecord& tick, base::Nanos at);
  void AddHealth(const health::HealthSample& sample);
  void AddSignal(std::string_view name, double value, base::Nanos at);  // that control set itself
  void AddEvent(const ::gatekeeper::v1::ControlEvent& event, base::Nanos at);

  uint64_t dropped() const { return dropped_; }  // queue full, or not written

 private:
  void Push(RecordKind kind, base::Nanos at, std::string_view bytes, base::UniqueFd attached = {});
  void Loop();
  absl::Status WriteWhatWaits(bool& any);
  absl::Status Write(QueuedRecord& record);
  absl::Status WritePacket(QueuedRecord& record);
  absl::Status WriteSignal(const QueuedRecord& record);
  absl::Status WriteHealth(const QueuedRecord& record);
  absl::Status WriteEvent(const QueuedRecord& record);

  const RecorderOptions options_;
  const base::Clock& clock_;
  const base::Nanos image_period_;
  RecordQueue queue_;
  std::atomic<uint64_t> dropped_ = 0;
  std::optional<base::Nanos> last_image_;  // the control thread's
  std::string bytes_;                      // likewise

  std::optional<recording::RecorderRing> ring_;  // the thread's
  std::set<std::string> own_signals_;            // likewise: names that AddSignal has spoken for
  std::mutex mutex_;                             // between the thread and the destructor
  std::condition_variable stop_changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace agent::control
