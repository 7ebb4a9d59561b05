#include "agent/control/record_queue.h"

#include <cstring>
#include <utility>

namespace agent::control {
namespace {

constexpr size_t kAlignment = 16;

constexpr size_t Aligned(size_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

}  // namespace

// Stands before each record's bytes; a record never runs over the end of the memory.
struct RecordQueue::Head {
  static constexpr uint32_t kSkip = UINT32_MAX;  // in `size`: go on at the start of the memory

  uint32_t size = 0;
  RecordKind kind{};
  int64_t at_ns = 0;
  int32_t attached = -1;
};

// Zeroed, so that every page is there before the first tick.
RecordQueue::RecordQueue(size_t capacity)
    : capacity_(Aligned(capacity)), memory_(std::make_unique<char[]>(capacity_)) {}

RecordQueue::~RecordQueue() {
  for (QueuedRecord record; Pop(record);) record.attached.reset();
}

bool RecordQueue::Push(RecordKind kind, base::Nanos now, std::string_view bytes,
                       base::UniqueFd attached) {
  constexpr size_t kHead = Aligned(sizeof(Head));
  const size_t needed = kHead + Aligned(bytes.size());
  uint64_t position = pushed_.load(std::memory_order_relaxed);
  const size_t to_end = capacity_ - position % capacity_;
  const size_t skipped = needed > to_end ? to_end : 0;
  const size_t waiting = position - popped_.load(std::memory_order_acquire);
  if (needed > capacity_ || waiting + skipped + needed > capacity_) return false;
  if (skipped > 0) {
    // There is always room for the mark: positions are multiples of the alignment.
    const uint32_t skip = Head::kSkip;
    std::memcpy(at(position), &skip, sizeof(skip));
    position += skipped;
  }
  const Head head{.size = static_cast<uint32_t>(bytes.size()),
                  .kind = kind,
                  .at_ns = now.count(),
                  .attached = attached.release()};
  std::memcpy(at(position), &head, sizeof(head));
  std::memcpy(at(position) + kHead, bytes.data(), bytes.size());
  pushed_.store(position + needed, std::memory_order_release);
  return true;
}

bool RecordQueue::Pop(QueuedRecord& record) {
  constexpr size_t kHead = Aligned(sizeof(Head));
  uint64_t position = popped_.load(std::memory_order_relaxed);
  if (position == pushed_.load(std::memory_order_acquire)) return false;
  uint32_t size = 0;
  std::memcpy(&size, at(position), sizeof(size));
  if (size == Head::kSkip) position += capacity_ - position % capacity_;
  Head head;
  std::memcpy(&head, at(position), sizeof(head));
  record.kind = head.kind;
  record.at = base::Nanos{head.at_ns};
  record.bytes.assign(at(position) + kHead, head.size);
  record.attached.reset(head.attached);
  popped_.store(position + kHead + Aligned(head.size), std::memory_order_release);
  return true;
}

}  // namespace agent::control
