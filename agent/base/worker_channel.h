#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/clock.h"
#include "agent/base/model.h"
#include "agent/base/unique_fd.h"

namespace agent::base {

enum class WorkerState : uint32_t {
  kLoading,
  kReady,   // warm, sandboxed and proven; text() begins with the numerics key
  kFailed,  // text() says why; the process is about to exit
};

// The shared memory between gatekeeper-control (Create) and one gatekeeper-worker (Attach): a memfd
// of fixed size with one input and one output buffer per tensor and two futex words. A request and
// its answer carry the same sequence number, so an answer that comes too late answers nothing.
//
// Control trusts nothing in it: the signature and every offset it uses are its own copies, an
// output is read only after WaitAnswer said kDone and must be copied once before it is judged (the
// worker is able to write at any time). One thread on each side; Abandon alone may be called from
// anywhere.
class WorkerChannel {
 public:
  static constexpr size_t kMaxTensors = 16;  // inputs, and outputs
  static constexpr size_t kMaxName = 63;     // bytes
  static constexpr size_t kMaxRank = 8;
  static constexpr size_t kMaxElements = 1 << 24;  // of all tensors: 64 MiB

  // Control's side. kInvalidArgument when the signature exceeds a cap or has a dimension below 1.
  static absl::StatusOr<WorkerChannel> Create(const ModelSignature& wanted);
  // The worker's side. Checks magic, version, seals, size and signature before it uses any of them.
  static absl::StatusOr<WorkerChannel> Attach(UniqueFd fd);
  WorkerChannel(WorkerChannel&& other) noexcept;
  WorkerChannel& operator=(WorkerChannel&&) = delete;
  ~WorkerChannel();

  int fd() const {
    return fd_.get();
  }  // close-on-exec: clear that in the child that becomes the worker
  const ModelSignature& signature() const { return signature_; }
  std::span<float> input(size_t index) { return inputs_[index]; }
  std::span<float> output(size_t index) { return outputs_[index]; }

  // --- control ---
  WorkerState state() const;
  std::string text() const;  // at most 511 bytes, control characters replaced
  // Waits until the state is no longer kLoading; false when `deadline` (CLOCK_MONOTONIC) came
  // first.
  bool WaitLoaded(Nanos deadline) const;
  // Asks for a run on what stands in the inputs; a request still in work is superseded.
  uint32_t Post();
  // kDone: the outputs are the answer to request `sequence`. kDeadlineMissed: none there when
  // `deadline` (CLOCK_MONOTONIC, as SystemClock) had passed. kFailed: the run failed, or the
  // channel was abandoned.
  RunOutcome WaitAnswer(uint32_t sequence, Nanos deadline) const;
  // Whether the newest request is not answered yet, by the worker's own word. Never waits.
  bool Working() const;
  // The worker is gone: ends every present and future wait at once. Async-signal-safe, any thread.
  void Abandon();
  bool abandoned() const { return abandoned_; }

  // --- worker ---
  // Blocks until a request newer than `last` (0 at first) stands; returns its sequence number.
  uint32_t WaitRequest(uint32_t last) const;
  void Answer(uint32_t sequence, RunOutcome outcome);
  void SetState(WorkerState state, std::string_view text);

 private:
  struct Header;

  // `memory` is the whole mapped segment, of the size that `signature` needs.
  WorkerChannel(UniqueFd fd, void* memory, ModelSignature signature);
  Header& header() const;

  UniqueFd fd_;
  void* memory_;
  size_t size_;
  ModelSignature signature_;
  std::vector<std::span<float>> inputs_;
  std::vector<std::span<float>> outputs_;
  uint32_t posted_ = 0;
  std::atomic<bool> abandoned_ = false;
};

}  // namespace agent::base
