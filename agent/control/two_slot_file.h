#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/files.h"

namespace agent::control {

// A small record that survives a power cut at any instruction. Two slots of one disk sector each
// are written in turn, so the newest intact record is never the one being written.
//
// Slot, 512 bytes, little-endian: "GKS1", u64 generation, u16 payload length, payload, zeros,
// u32 CRC-32 (IEEE) over the 508 bytes before it. Generation n stands in slot n % 2.
inline constexpr size_t kSlotBytes = 512;
inline constexpr size_t kMaxSlotPayload = kSlotBytes - 4 - 8 - 2 - 4;

struct SlotRecord {
  uint64_t generation = 0;
  std::string payload;
};

// `payload` must not exceed kMaxSlotPayload.
std::string EncodeSlot(const SlotRecord& record);
// Nothing when any bit is not as it was written.
std::optional<SlotRecord> DecodeSlot(std::string_view slot);

class TwoSlotFile {
 public:
  // `files` must outlive this.
  TwoSlotFile(base::Files& files, std::string path) : files_(files), path_(std::move(path)) {}

  // The newest intact record, nothing if there is no file. kDataLoss: neither slot is intact.
  absl::StatusOr<std::optional<SlotRecord>> Load();
  // Makes `payload` the newest record, after reading what stands if that was not done yet: a file
  // that cannot be read is not written over. On an error the record before it still stands, here
  // and on disk. Takes no new disk space once the file exists.
  absl::Status Store(std::string_view payload);

  uint64_t generation() const { return generation_; }  // of the record that stands; 0: none

 private:
  base::Files& files_;
  std::string path_;
  uint64_t generation_ = 0;
  bool loaded_ = false;
  bool exists_ = false;
};

}  // namespace agent::control
