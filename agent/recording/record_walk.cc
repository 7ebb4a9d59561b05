#include "agent/recording/record_walk.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/recording/mcap_codec.h"
#include "agent/recording/mcap_wire.h"

namespace agent::recording {
namespace {
constexpr uint64_t kWindow = 256ull << 10;  // a few hundred small records a read
}

absl::Status ReadAt(int fd, uint64_t offset, uint64_t size, char* out) {
  while (size > 0) {
    const ssize_t n = pread(fd, out, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, absl::StrFormat("reading at byte %d", offset));
    if (n == 0) return absl::OutOfRangeError("the file became shorter while it was read");
    out += n;
    offset += static_cast<uint64_t>(n);
    size -= static_cast<uint64_t>(n);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> RecordWalk::View(uint64_t size) {
  if (size > end_ - at_)
    return absl::OutOfRangeError(
        absl::StrFormat("%d bytes are wanted and %d are left", size, end_ - at_));
  if (at_ < window_at_ || at_ + size > window_at_ + window_.size) RETURN_IF_ERROR(Fill(size));
  return window_.view().substr(at_ - window_at_, size);
}

// Moves the window to the walk's place; what it holds of that already is not read again.
absl::Status RecordWalk::Fill(uint64_t size) {
  const uint64_t wanted = std::min(end_ - at_, std::max(size, kWindow));
  const bool inside = at_ >= window_at_ && at_ < window_at_ + window_.size;
  const std::string_view kept = inside ? window_.view().substr(at_ - window_at_) : "";
  if (wanted > room_) {
    std::unique_ptr<char[]> larger(new char[wanted]);
    kept.copy(larger.get(), kept.size());
    window_.bytes = std::move(larger);
    room_ = wanted;
  } else if (!kept.empty()) {
    std::memmove(window_.bytes.get(), kept.data(), kept.size());
  }
  window_.size = 0;  // should the reading fail
  RETURN_IF_ERROR(
      ReadAt(fd_, at_ + kept.size(), wanted - kept.size(), window_.bytes.get() + kept.size()));
  window_.size = wanted;
  window_at_ = at_;
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> RecordWalk::Take(uint64_t size) {
  ASSIGN_OR_RETURN(const std::string_view bytes, View(size));
  at_ += size;
  return bytes;
}

absl::StatusOr<std::optional<Record>> RecordWalk::Next() {
  if (at_ == end_) return std::nullopt;
  ASSIGN_OR_RETURN(const std::string_view prefix, View(kRecordPrefix));
  WireTaker in(prefix);
  Record record;
  record.opcode = in.Number<uint8_t>();
  record.offset = at_;
  if (record.opcode == 0) return absl::DataLossError("a record has opcode 0, which does not exist");
  const uint64_t size = in.Number<uint64_t>();
  if (size > end_ - at_ - kRecordPrefix)
    return absl::OutOfRangeError(
        absl::StrFormat("a record (opcode %d) claims %d bytes and %d are left", record.opcode, size,
                        end_ - at_ - kRecordPrefix));
  const bool chunk = record.opcode == static_cast<uint8_t>(Opcode::kChunk);
  const uint64_t cap = chunk ? caps_.chunk_bytes : caps_.record_bytes;
  if (size > cap)
    return absl::ResourceExhaustedError(
        absl::StrFormat("a record (opcode %d) of %d bytes is larger than the %d allowed",
                        record.opcode, size, cap));
  ASSIGN_OR_RETURN(const std::string_view whole, Take(kRecordPrefix + size));
  record.body = whole.substr(kRecordPrefix);
  return record;
}

}  // namespace agent::recording
