#include "agent/control/two_slot_file.h"

#include <zlib.h>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace agent::control {
namespace {

constexpr std::string_view kMagic = "GKS1";
constexpr size_t kGenerationAt = 4;
constexpr size_t kLengthAt = 12;
constexpr size_t kPayloadAt = 14;
constexpr size_t kReadCap = 64 * 1024;  // a file of another size is damaged, not unreadable
constexpr size_t kCrcAt = kSlotBytes - 4;

void PutNumber(std::string& bytes, size_t at, uint64_t value, size_t width) {
  for (size_t i = 0; i < width; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i) & 0xff);
}

uint64_t GetNumber(std::string_view bytes, size_t at, size_t width) {
  uint64_t value = 0;
  for (size_t i = 0; i < width; ++i) {
    value |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[at + i])) << (8 * i);
  }
  return value;
}

uint64_t CrcOf(std::string_view bytes) {
  return crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size()));
}

}  // namespace

std::string EncodeSlot(const SlotRecord& record) {
  std::string slot(kSlotBytes, '\0');
  slot.replace(0, kMagic.size(), kMagic);
  PutNumber(slot, kGenerationAt, record.generation, 8);
  PutNumber(slot, kLengthAt, record.payload.size(), 2);
  slot.replace(kPayloadAt, record.payload.size(), record.payload);
  PutNumber(slot, kCrcAt, CrcOf(std::string_view(slot).substr(0, kCrcAt)), 4);
  return slot;
}

std::optional<SlotRecord> DecodeSlot(std::string_view slot) {
  if (slot.size() != kSlotBytes || slot.substr(0, kMagic.size()) != kMagic) return std::nullopt;
  if (CrcOf(slot.substr(0, kCrcAt)) != GetNumber(slot, kCrcAt, 4)) return std::nullopt;
  const size_t length = GetNumber(slot, kLengthAt, 2);
  if (length > kMaxSlotPayload) return std::nullopt;
  return SlotRecord{GetNumber(slot, kGenerationAt, 8),
                    std::string(slot.substr(kPayloadAt, length))};
}

absl::StatusOr<std::optional<SlotRecord>> TwoSlotFile::Load() {
  const absl::StatusOr<std::string> read = files_.Read(path_, kReadCap);
  loaded_ = read.ok() || absl::IsNotFound(read.status());
  if (absl::IsNotFound(read.status())) return std::optional<SlotRecord>();
  RETURN_IF_ERROR(read.status());
  const std::string& bytes = *read;
  exists_ = bytes.size() == 2 * kSlotBytes;
  std::optional<SlotRecord> newest;
  for (size_t i = 0; exists_ && i < 2; ++i) {
    std::optional<SlotRecord> slot =
        DecodeSlot(std::string_view(bytes).substr(i * kSlotBytes, kSlotBytes));
    // A record in the wrong slot was not written by us.
    if (!slot || slot->generation % 2 != i) continue;
    if (!newest || slot->generation > newest->generation) newest = std::move(slot);
  }
  if (!newest) {
    return absl::DataLossError(
        absl::StrFormat("%s (%d bytes) holds no intact record", path_, bytes.size()));
  }
  generation_ = newest->generation;
  return newest;
}

absl::Status TwoSlotFile::Store(std::string_view payload) {
  if (payload.size() > kMaxSlotPayload) {
    return absl::InvalidArgumentError(absl::StrFormat("record of %d bytes for %s: at most %d fit",
                                                      payload.size(), path_, kMaxSlotPayload));
  }
  if (!loaded_) {
    const absl::StatusOr<std::optional<SlotRecord>> standing = Load();
    if (!loaded_) return standing.status();
  }
  const uint64_t next = generation_ + 1;
  const std::string slot = EncodeSlot({next, std::string(payload)});
  if (exists_) {
    RETURN_IF_ERROR(files_.Overwrite(path_, next % 2 * kSlotBytes, slot));
  } else {
    std::string both(2 * kSlotBytes, '\0');
    both.replace(next % 2 * kSlotBytes, kSlotBytes, slot);
    RETURN_IF_ERROR(files_.WriteDurably(path_, both, 0600));
    exists_ = true;
  }
  generation_ = next;
  return absl::OkStatus();
}

}  // namespace agent::control
