#include "agent/base/worker_channel.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <new>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace agent::base {

namespace {

constexpr uint32_t kMagic = 0x4b57'4b47;  // "GKWK"
constexpr uint32_t kVersion = 1;
constexpr size_t kAlignment = 64;  // a cache line, and what ONNX Runtime's kernels like best
constexpr size_t kTextBytes = 512;
constexpr uint32_t kNoSequence = 0;
constexpr uint32_t kGoneSequence = UINT32_MAX;  // stands in `answered` after Abandon
// Neither side may make the other fault by cutting the segment short.
constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW;

struct TensorRecord {
  char name[WorkerChannel::kMaxName + 1];
  int64_t shape[WorkerChannel::kMaxRank];
  uint32_t rank;
  uint32_t reserved;
};

constexpr size_t Aligned(size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// Shared between processes, hence without FUTEX_PRIVATE_FLAG.
void Wake(std::atomic<uint32_t>& word) {
  syscall(SYS_futex, &word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void WaitWhile(const std::atomic<uint32_t>& word, uint32_t value, const timespec* deadline) {
  syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, value, deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
}

timespec ToTimespec(Nanos time) {
  const auto count = std::max<int64_t>(time.count(), 0);
  return {.tv_sec = count / 1'000'000'000, .tv_nsec = count % 1'000'000'000};
}

absl::Status CheckTensor(const TensorSpec& tensor) {
  const auto refuse = [&tensor](const std::string& what) {
    return absl::InvalidArgumentError(absl::StrFormat("tensor '%s' %s", tensor.name, what));
  };
  if (tensor.name.empty() || tensor.name.size() > WorkerChannel::kMaxName) {
    return refuse(absl::StrFormat("has a name of %d bytes, wanted 1 to %d", tensor.name.size(),
                                  WorkerChannel::kMaxName));
  }
  if (tensor.shape.size() > WorkerChannel::kMaxRank) {
    return refuse(absl::StrFormat("has %d dimensions, at most %d", tensor.shape.size(),
                                  WorkerChannel::kMaxRank));
  }
  size_t elements = 1;
  for (const int64_t dimension : tensor.shape) {
    if (dimension < 1) return refuse(absl::StrFormat("has a dimension of %d", dimension));
    if (static_cast<uint64_t>(dimension) > WorkerChannel::kMaxElements / elements) {
      return refuse(absl::StrFormat("has more than %d elements", WorkerChannel::kMaxElements));
    }
    elements *= static_cast<size_t>(dimension);
  }
  return absl::OkStatus();
}

absl::Status CheckSignature(const ModelSignature& signature) {
  size_t elements = 0;
  for (const auto* tensors : {&signature.inputs, &signature.outputs}) {
    if (tensors->empty() || tensors->size() > WorkerChannel::kMaxTensors) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "a model has 1 to %d inputs and outputs, found %d inputs and %d outputs",
          WorkerChannel::kMaxTensors, signature.inputs.size(), signature.outputs.size()));
    }
    for (const TensorSpec& tensor : *tensors) {
      RETURN_IF_ERROR(CheckTensor(tensor));
      elements += tensor.elements();
    }
  }
  if (elements > WorkerChannel::kMaxElements) {
    return absl::InvalidArgumentError(absl::StrFormat("the tensors have %d elements, at most %d",
                                                      elements, WorkerChannel::kMaxElements));
  }
  return absl::OkStatus();
}

void WriteRecord(const TensorSpec& tensor, TensorRecord& record) {
  tensor.name.copy(record.name, WorkerChannel::kMaxName);
  std::copy(tensor.shape.begin(), tensor.shape.end(), record.shape);
  record.rank = static_cast<uint32_t>(tensor.shape.size());
}

TensorSpec ReadRecord(const TensorRecord& record) {
  const size_t rank = std::min<size_t>(record.rank, WorkerChannel::kMaxRank);
  return {.name = std::string(record.name, strnlen(record.name, WorkerChannel::kMaxName)),
          .shape = std::vector<int64_t>(record.shape, record.shape + rank)};
}

}  // namespace

struct WorkerChannel::Header {
  uint32_t magic = kMagic;
  uint32_t version = kVersion;
  uint32_t input_count = 0;
  uint32_t output_count = 0;
  std::array<TensorRecord, 2 * kMaxTensors> tensors{};  // inputs, then outputs
  // Words that different sides write stand on lines of their own.
  alignas(kAlignment) std::atomic<uint32_t> state{static_cast<uint32_t>(WorkerState::kLoading)};
  char text[kTextBytes]{};
  alignas(kAlignment) std::atomic<uint32_t> requested{kNoSequence};
  alignas(kAlignment) std::atomic<uint32_t> answered{kNoSequence};
  std::atomic<uint32_t> outcome{static_cast<uint32_t>(RunOutcome::kFailed)};

  static size_t SegmentBytes(const ModelSignature& signature) {
    size_t bytes = Aligned(sizeof(Header));
    for (const auto* tensors : {&signature.inputs, &signature.outputs}) {
      for (const TensorSpec& tensor : *tensors) bytes += Aligned(tensor.elements() * sizeof(float));
    }
    return bytes;
  }
};
static_assert(std::atomic<uint32_t>::is_always_lock_free && sizeof(std::atomic<uint32_t>) == 4);

absl::StatusOr<WorkerChannel> WorkerChannel::Create(const ModelSignature& wanted) {
  RETURN_IF_ERROR(CheckSignature(wanted));
  const size_t size = Header::SegmentBytes(wanted);
  UniqueFd fd(memfd_create("gatekeeper-channel", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid() || ftruncate(fd.get(), static_cast<off_t>(size)) != 0 ||
      fcntl(fd.get(), F_ADD_SEALS, kSizeSeals | F_SEAL_SEAL) != 0) {
    return absl::ResourceExhaustedError(absl::StrFormat(
        "cannot make %d bytes of shared memory for a worker: %s", size, std::strerror(errno)));
  }
  // Populated now, so that no page fault falls into a control tick.
  void* memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd.get(), 0);
  if (memory == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("cannot map a worker's shared memory: %s", std::strerror(errno)));
  }
  auto* header = new (memory) Header;
  header->input_count = static_cast<uint32_t>(wanted.inputs.size());
  header->output_count = static_cast<uint32_t>(wanted.outputs.size());
  for (size_t i = 0; i < wanted.inputs.size(); ++i) {
    WriteRecord(wanted.inputs[i], header->tensors[i]);
  }
  for (size_t i = 0; i < wanted.outputs.size(); ++i) {
    WriteRecord(wanted.outputs[i], header->tensors[wanted.inputs.size() + i]);
  }
  return WorkerChannel(std::move(fd), memory, wanted);
}

namespace {

// The signature a segment carries, or what is wrong with the segment.
template <class Header>
absl::StatusOr<ModelSignature> ReadSignature(const Header& header) {
  if (header.magic != kMagic || header.version != kVersion) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the worker channel has magic %08x version %d, wanted %08x version %d: "
                        "control and worker are "
                        "of different releases",
                        header.magic, header.version, kMagic, kVersion));
  }
  ModelSignature signature;
  if (header.input_count > WorkerChannel::kMaxTensors ||
      header.output_count > WorkerChannel::kMaxTensors) {
    return absl::InvalidArgumentError("the worker channel counts too many tensors");
  }
  for (size_t i = 0; i < header.input_count; ++i) {
    signature.inputs.push_back(ReadRecord(header.tensors[i]));
  }
  for (size_t i = 0; i < header.output_count; ++i) {
    signature.outputs.push_back(ReadRecord(header.tensors[header.input_count + i]));
  }
  RETURN_IF_ERROR(CheckSignature(signature));
  return signature;
}

}  // namespace

absl::StatusOr<WorkerChannel> WorkerChannel::Attach(UniqueFd fd) {
  struct stat status {};
  const int seals = fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSizeSeals) != kSizeSeals || fstat(fd.get(), &status) != 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("descriptor %d is not a worker channel", fd.get()));
  }
  const auto size = static_cast<size_t>(status.st_size);
  if (size < sizeof(Header)) {
    return absl::InvalidArgumentError(absl::StrFormat("a worker channel of %d bytes", size));
  }
  void* memory =
      mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd.get(), 0);
  if (memory == MAP_FAILED) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("cannot map the worker channel: %s", std::strerror(errno)));
  }
  absl::StatusOr<ModelSignature> signature = ReadSignature(*static_cast<Header*>(memory));
  if (signature.ok() && Header::SegmentBytes(*signature) != size) {
    signature = absl::InvalidArgumentError(
        absl::StrFormat("the worker channel has %d bytes, its tensors need %d", size,
                        Header::SegmentBytes(*signature)));
  }
  if (!signature.ok()) {
    munmap(memory, size);
    return signature.status();
  }
  return WorkerChannel(std::move(fd), memory, *std::move(signature));
}

WorkerChannel::WorkerChannel(UniqueFd fd, void* memory, ModelSignature signature)
    : fd_(std::move(fd)),
      memory_(memory),
      size_(Header::SegmentBytes(signature)),
      signature_(std::move(signature)) {
  char* at = static_cast<char*>(memory_) + Aligned(sizeof(Header));
  const auto take = [&at](const TensorSpec& tensor) {
    const std::span<float> floats(reinterpret_cast<float*>(at), tensor.elements());
    at += Aligned(floats.size_bytes());
    return floats;
  };
  for (const TensorSpec& tensor : signature_.inputs) inputs_.push_back(take(tensor));
  for (const TensorSpec& tensor : signature_.outputs) outputs_.push_back(take(tensor));
}

WorkerChannel::WorkerChannel(WorkerChannel&& other) noexcept
    : fd_(std::move(other.fd_)),
      memory_(std::exchange(other.memory_, nullptr)),
      size_(other.size_),
      signature_(std::move(other.signature_)),
      inputs_(std::move(other.inputs_)),
      outputs_(std::move(other.outputs_)),
      posted_(other.posted_),
      abandoned_(other.abandoned_.load()) {}

WorkerChannel::~WorkerChannel() {
  if (memory_ != nullptr) munmap(memory_, size_);
}

WorkerChannel::Header& WorkerChannel::header() const { return *static_cast<Header*>(memory_); }

WorkerState WorkerChannel::state() const {
  switch (header().state.load(std::memory_order_acquire)) {
    case static_cast<uint32_t>(WorkerState::kLoading):
      return WorkerState::kLoading;
    case static_cast<uint32_t>(WorkerState::kReady):
      return WorkerState::kReady;
    default:
      return WorkerState::kFailed;  // whatever else a worker writes there
  }
}

std::string WorkerChannel::text() const {
  std::string text(header().text, strnlen(header().text, kTextBytes - 1));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = '?';
  }
  if (text.empty() && abandoned()) return "the worker is gone";
  return text;
}

bool WorkerChannel::WaitLoaded(Nanos deadline) const {
  const timespec until = ToTimespec(deadline);
  constexpr auto kLoading = static_cast<uint32_t>(WorkerState::kLoading);
  while (header().state.load(std::memory_order_acquire) == kLoading) {
    if (SystemClock().Now() >= deadline) return false;
    WaitWhile(header().state, kLoading, &until);
  }
  return true;
}

uint32_t WorkerChannel::Post() {
  if (++posted_ == kGoneSequence) posted_ = kNoSequence + 1;
  header().requested.store(posted_, std::memory_order_release);
  Wake(header().requested);
  return posted_;
}

RunOutcome WorkerChannel::WaitAnswer(uint32_t sequence, Nanos deadline) const {
  const timespec until = ToTimespec(deadline);
  while (true) {
    // The word first: Abandon sets the flag before it changes the word, so either is seen.
    const uint32_t answered = header().answered.load();
    if (abandoned_) return RunOutcome::kFailed;
    if (answered == sequence) {
      const uint32_t outcome = header().outcome.load(std::memory_order_relaxed);
      return outcome == static_cast<uint32_t>(RunOutcome::kDone) ? RunOutcome::kDone
                                                                 : RunOutcome::kFailed;
    }
    if (SystemClock().Now() >= deadline) return RunOutcome::kDeadlineMissed;
    WaitWhile(header().answered, answered, &until);
  }
}

bool WorkerChannel::Working() const {
  return !abandoned_ && header().answered.load(std::memory_order_acquire) != posted_;
}

void WorkerChannel::Abandon() {
  abandoned_ = true;
  auto loading = static_cast<uint32_t>(WorkerState::kLoading);
  header().state.compare_exchange_strong(loading, static_cast<uint32_t>(WorkerState::kFailed));
  header().answered.store(kGoneSequence);
  Wake(header().state);
  Wake(header().answered);
}

uint32_t WorkerChannel::WaitRequest(uint32_t last) const {
  while (true) {
    const uint32_t requested = header().requested.load(std::memory_order_acquire);
    if (requested != last) return requested;
    WaitWhile(header().requested, last, nullptr);
  }
}

void WorkerChannel::Answer(uint32_t sequence, RunOutcome outcome) {
  header().outcome.store(static_cast<uint32_t>(outcome), std::memory_order_relaxed);
  header().answered.store(sequence, std::memory_order_release);
  Wake(header().answered);
}

void WorkerChannel::SetState(WorkerState state, std::string_view text) {
  std::memset(header().text, 0, kTextBytes);
  text.copy(header().text, kTextBytes - 1);
  header().state.store(static_cast<uint32_t>(state), std::memory_order_release);
  Wake(header().state);
}

}  // namespace agent::base
