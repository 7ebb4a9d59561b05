#include "agent/control/flight_recorder.h"

#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/sealed_memory.h"
#include "agent/base/status_macros.h"
#include "agent/health/record.h"
#include "agent/recording/foxglove_codec.h"
#include "agent/recording/topics.h"
#include "proto/robot.pb.h"

namespace agent::control {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr int kRecorderNice = 5;
// Ten seconds of a robot at 50 Hz with a scan of 720 beams; images inside packets fill it sooner.
constexpr size_t kQueueBytes = 4 << 20;
// Nobody wakes the writer, which would cost the tick a system call; it looks by itself.
constexpr base::Nanos kLookEvery = std::chrono::milliseconds(20);
constexpr base::Nanos kFlushEvery = std::chrono::seconds(1);
constexpr size_t kMaxImageBytes = 64 << 20;
constexpr size_t kMaxSignalName = 63;  // of control's own signals

base::Nanos PeriodOf(double hz) {
  return std::chrono::duration_cast<base::Nanos>(std::chrono::duration<double>(1 / hz));
}

// Foxglove colours its log panel by these.
::foxglove::Log::Level LevelOf(const std::string& kind) {
  if (kind == "estop" || kind == "quarantined") return ::foxglove::Log::ERROR;
  if (kind == "fallback" || kind == "stopped" || kind == "rolled_back" || kind == "worker_lost") {
    return ::foxglove::Log::WARNING;
  }
  return ::foxglove::Log::INFO;
}

}  // namespace

FlightRecorder::FlightRecorder(RecorderOptions options, const base::Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      image_period_(PeriodOf(options_.images_hz)),
      queue_(kQueueBytes),
      thread_([this] { Loop(); }) {}

FlightRecorder::~FlightRecorder() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stop_changed_.notify_one();
  thread_.join();
}

void FlightRecorder::Push(RecordKind kind, base::Nanos at, std::string_view bytes,
                          base::UniqueFd attached) {
  if (!queue_.Push(kind, at, bytes, std::move(attached))) ++dropped_;
}

// Which images are kept is decided here, so that no more descriptors wait than are recorded.
void FlightRecorder::AddPacket(std::string_view observation, base::UniqueFd image, bool has_image,
                               base::Nanos received) {
  const bool due = has_image && (!last_image_ || received - *last_image_ >= image_period_);
  if (due) last_image_ = received;
  if (!due) image.reset();
  Push(has_image && !due ? RecordKind::kPacketLessImage : RecordKind::kPacket, received,
       observation, std::move(image));
}

void FlightRecorder::AddCommand(std::string_view command, base::Nanos at) {
  Push(RecordKind::kCommand, at, command);
}

void FlightRecorder::AddTick(const v1::TickRecord& tick, base::Nanos at) {
  tick.SerializeToString(&bytes_);
  Push(RecordKind::kTick, at, bytes_);
}

void FlightRecorder::AddHealth(const health::HealthSample& sample) {
  static_assert(std::is_trivially_copyable_v<health::HealthSample>);
  Push(RecordKind::kHealth, sample.at, {reinterpret_cast<const char*>(&sample), sizeof(sample)});
}

void FlightRecorder::AddSignal(std::string_view name, double value, base::Nanos at) {
  std::array<char, sizeof(value) + kMaxSignalName> bytes;
  std::memcpy(bytes.data(), &value, sizeof(value));
  const size_t size = name.copy(bytes.data() + sizeof(value), kMaxSignalName);
  Push(RecordKind::kSignal, at, {bytes.data(), sizeof(value) + size});
}

void FlightRecorder::AddEvent(const v1::ControlEvent& event, base::Nanos at) {
  Push(RecordKind::kEvent, at, event.SerializeAsString());
}

void FlightRecorder::Loop() {
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kRecorderNice);
  base::Nanos last_write = clock_.Now();
  bool working = true;
  std::unique_lock lock(mutex_);
  for (bool stopping = false; !stopping;) {
    stop_changed_.wait_for(lock, kLookEvery, [this] { return stop_; });
    stopping = stop_;
    lock.unlock();
    bool any = false;
    absl::Status status = WriteWhatWaits(any);
    // Nothing came for a second: what waits in the open chunk goes out.
    if (any) last_write = clock_.Now();
    if (!any && ring_ && clock_.Now() - last_write >= kFlushEvery) {
      status.Update(ring_->Flush());
      last_write = clock_.Now();
    }
    if (!status.ok() && working) {
      spdlog::error("flight recorder: {}", std::string(status.message()));
    }
    if (any) working = status.ok();
    lock.lock();
  }
  if (ring_) (void)ring_->Rotate();
}

absl::Status FlightRecorder::WriteWhatWaits(bool& any) {
  absl::Status status;
  for (QueuedRecord record; queue_.Pop(record); any = true) {
    const absl::Status written = Write(record);
    if (!written.ok()) ++dropped_;
    status.Update(written);
  }
  return status;
}

absl::Status FlightRecorder::Write(QueuedRecord& record) {
  if (!ring_) {
    ASSIGN_OR_RETURN(ring_, recording::RecorderRing::Open(options_.ring));
  }
  switch (record.kind) {
    case RecordKind::kPacket:
    case RecordKind::kPacketLessImage:
      return WritePacket(record);
    case RecordKind::kCommand: {
      v1::Command command;
      command.ParseFromString(record.bytes);
      return ring_->Write(command, record.at);
    }
    case RecordKind::kTick: {
      v1::TickRecord tick;
      tick.ParseFromString(record.bytes);
      return ring_->Write(tick, record.at);
    }
    case RecordKind::kHealth:
      return WriteHealth(record);
    case RecordKind::kSignal:
      return WriteSignal(record);
    case RecordKind::kEvent:
      return WriteEvent(record);
  }
  return absl::InternalError("a record of no kind");
}

absl::Status FlightRecorder::WritePacket(QueuedRecord& record) {
  v1::Observation observation;
  observation.ParseFromString(record.bytes);  // control has read it already
  if (record.kind == RecordKind::kPacketLessImage) observation.clear_image();
  for (const std::string& name : own_signals_) observation.mutable_signals()->erase(name);
  if (record.attached.valid()) {
    ASSIGN_OR_RETURN(const base::SealedView image,
                     base::SealedView::Map(record.attached.get(), kMaxImageBytes));
    observation.mutable_image()->set_data(std::string(image.bytes()));
  }
  return ring_->Write(observation, record.at);
}

// As the robot's own signals, so that a replay sees what the policy saw.
absl::Status FlightRecorder::WriteSignal(const QueuedRecord& record) {
  v1::Signal signal;
  double value = 0;
  std::memcpy(&value, record.bytes.data(), sizeof(value));
  signal.set_stamp_ns(record.at.count());
  signal.set_value(value);
  const std::string name = record.bytes.substr(sizeof(value));
  own_signals_.insert(name);
  return ring_->WriteMessage(std::string(recording::topics::kSignals) + name, signal, record.at);
}

// Also tells what time it is for people.
absl::Status FlightRecorder::WriteHealth(const QueuedRecord& record) {
  health::HealthSample sample;
  std::memcpy(static_cast<void*>(&sample), record.bytes.data(), sizeof(sample));
  const auto since =
      std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - sample.at);
  return ring_->WriteMessage(recording::topics::kHealth,
                             health::ToRecord(sample, clock_.WallMs() - since.count()), record.at);
}

// What happened is what people will look for: it reaches the disk at once.
absl::Status FlightRecorder::WriteEvent(const QueuedRecord& record) {
  v1::ControlEvent event;
  event.ParseFromString(record.bytes);
  const std::string text =
      absl::StrFormat("%s %s %s", event.kind(), event.unit_digest().substr(0, 12), event.detail());
  RETURN_IF_ERROR(ring_->WriteMessage(
      recording::topics::kEvent,
      recording::LogEntry(record.at.count(), LevelOf(event.kind()), text), record.at));
  return ring_->Flush();
}

}  // namespace agent::control
