#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "agent/recording/compression.h"
#include "agent/recording/mcap_records.h"

namespace agent::recording {

inline constexpr uint64_t kChunkFieldRoom = 64
                                            << 10;  // for a chunk's own fields beside its records

struct RecordCaps {
  uint64_t record_bytes = 0;  // of any record except a chunk
  uint64_t chunk_bytes = 0;
};

// Walks the top-level records of an open file through a window that is as large as the largest
// record seen.
class RecordWalk {
 public:
  RecordWalk(int fd, uint64_t from, uint64_t to, RecordCaps caps)
      : fd_(fd), at_(from), end_(to), caps_(caps) {}

  // The next record, valid until the next call; nothing at the end. kOutOfRange: the record reaches
  // beyond the end. kResourceExhausted: larger than its cap. kDataLoss: opcode 0.
  absl::StatusOr<std::optional<Record>> Next();
  // `size` bytes as they stand at the walk's place, which moves behind them; fewer left is
  // kOutOfRange.
  absl::StatusOr<std::string_view> Take(uint64_t size);
  uint64_t offset() const { return at_; }

 private:
  absl::StatusOr<std::string_view> View(uint64_t size);
  absl::Status Fill(uint64_t size);

  int fd_;
  uint64_t at_;
  uint64_t end_;
  RecordCaps caps_;
  // Bytes [window_at_, window_at_ + window_.size) of the file; room_ of them fit.
  Buffer window_;
  uint64_t room_ = 0;
  uint64_t window_at_ = 0;
};

// Exactly the bytes [offset, offset + size) of the file.
absl::Status ReadAt(int fd, uint64_t offset, uint64_t size, char* out);

}  // namespace agent::recording
