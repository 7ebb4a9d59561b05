#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace gatekeeper::ingest {

// The little-endian numbers of ULog. Reading beyond the end gives 0 and ok() == false from then on.
class UlogTaker {
 public:
  explicit UlogTaker(std::string_view bytes) : bytes_(bytes) {}
  template <class T>
  T Number() {
    const std::string_view raw = Bytes(sizeof(T));
    uint64_t value = 0;
    for (size_t i = 0; i < raw.size(); ++i)
      value |= uint64_t{static_cast<uint8_t>(raw[i])} << (8 * i);
    return static_cast<T>(value);
  }
  std::string_view Bytes(size_t size) {
    ok_ = ok_ && size <= bytes_.size();
    if (!ok_) return {};
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  std::string_view Rest() { return Bytes(bytes_.size()); }
  bool ok() const { return ok_; }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

inline constexpr std::string_view kUlogMagic("ULog\x01\x12\x35", 7);
inline constexpr uint64_t kUlogFileHeader = 16;    // magic, version, start in microseconds
inline constexpr uint64_t kUlogMessageHeader = 3;  // size of the body, type

struct UlogMessage {
  char type = 0;
  uint64_t offset = 0;  // of its header in the file
  std::string_view body = {};
};

// Walks the messages in [from, to) of an open file through a window of 256 KiB.
class UlogWalk {
 public:
  UlogWalk(int fd, uint64_t from, uint64_t to) : fd_(fd), at_(from), end_(to) {}
  // The next message, valid until the next call; nothing at the end. kOutOfRange: it reaches beyond
  // the end. kDataLoss: type 0, as in pages that never reached the disk.
  absl::StatusOr<std::optional<UlogMessage>> Next();
  uint64_t offset() const { return at_; }
  void EndAt(uint64_t offset) { end_ = offset; }

 private:
  absl::StatusOr<std::string_view> View(uint64_t size);

  int fd_;
  uint64_t at_;
  uint64_t end_;
  std::string window_;
  uint64_t window_at_ = 0;
};

}  // namespace gatekeeper::ingest
