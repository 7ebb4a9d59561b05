#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/message_type.h"

namespace gatekeeper::ingest {

// A place in one message's bytes. No call reads beyond the end: what is not there is `false`, and
// the place stays where the reading broke off.
class WireCursor {
 public:
  // Past the header, where the wire has one. kDataLoss: none; kUnimplemented names the encodings of
  // CDR that are not read.
  static absl::StatusOr<WireCursor> Open(Wire wire, std::string_view message);

  size_t at() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }
  bool swapped() const { return swapped_; }

  // `size` bytes that begin at a multiple of `align` (of the bytes behind the header).
  bool Take(size_t align, uint64_t size, const char*& from) {
    const size_t begin = AlignedTo(align);
    if (begin > bytes_.size() || size > bytes_.size() - begin) return false;
    from = bytes_.data() + begin;
    at_ = begin + static_cast<size_t>(size);
    return true;
  }
  // The length of a sequence, each of whose places takes `least` bytes: never more than there are.
  bool TakeCount(uint32_t bound, uint64_t least, uint32_t& count) {
    const char* from = nullptr;
    if (!Take(Alignment(4), 4, from)) return false;
    count = Load<uint32_t>(from);
    return (bound == 0 || count <= bound) && uint64_t{count} * least <= left();
  }
  bool TakeText(uint32_t bound, std::string_view& text);

  size_t Alignment(size_t size) const { return wire_ == Wire::kCdr ? size : 1; }

  template <class T>
  T Load(const char* from) const {
    T value;
    if (!swapped_) {
      std::memcpy(&value, from, sizeof(T));
      return value;
    }
    char turned[sizeof(T)];
    for (size_t i = 0; i < sizeof(T); ++i) turned[i] = from[sizeof(T) - 1 - i];
    std::memcpy(&value, turned, sizeof(T));
    return value;
  }

 private:
  WireCursor(Wire wire, std::string_view bytes, bool swapped)
      : wire_(wire), bytes_(bytes), swapped_(swapped) {}
  size_t AlignedTo(size_t align) const { return (at_ + align - 1) & ~(align - 1); }

  Wire wire_;
  std::string_view bytes_;  // behind the header
  size_t at_ = 0;
  bool swapped_ = false;  // big-endian
};

// Calls `use` with the C++ type of a number's kind.
template <class Use>
decltype(auto) WithNumber(Kind kind, Use&& use) {
  switch (kind) {
    case Kind::kInt8:
      return use(int8_t{});
    case Kind::kInt16:
      return use(int16_t{});
    case Kind::kUint16:
      return use(uint16_t{});
    case Kind::kInt32:
      return use(int32_t{});
    case Kind::kUint32:
      return use(uint32_t{});
    case Kind::kInt64:
      return use(int64_t{});
    case Kind::kUint64:
      return use(uint64_t{});
    case Kind::kFloat32:
      return use(float{});
    case Kind::kFloat64:
      return use(double{});
    case Kind::kBool:
    case Kind::kUint8:
    case Kind::kCharacter:
    case Kind::kString:
    case Kind::kWstring:
    case Kind::kMessage:
      break;
  }
  return use(uint8_t{});
}

}  // namespace gatekeeper::ingest
