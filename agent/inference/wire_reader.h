#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace agent::inference {

// One field of a protobuf message: `number` holds a varint's or fixed field's value, `bytes` the
// content of a length-delimited one.
struct WireField {
  enum class Type { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };
  uint32_t id = 0;
  Type type = Type::kVarint;
  uint64_t number = 0;
  std::string_view bytes;
};

// Walks the fields of one protobuf message without copying. Stricter than the parsers behind it:
// groups, field number 0, over-long tags and lengths beyond the end all stop it.
class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}

  // False at the end and at a fault; failed() tells which.
  bool Next(WireField& field) {
    if (rest_.empty()) return false;
    failed_ = !Read(field);
    return !failed_;
  }
  bool failed() const { return failed_; }

  // Takes one varint off the front; false when there is none, whole and of at most 10 bytes.
  static bool TakeVarint(std::string_view& from, uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64 && !from.empty(); shift += 7) {
      const auto byte = static_cast<uint8_t>(from.front());
      from.remove_prefix(1);
      value |= uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

 private:
  bool Read(WireField& field) {
    field = {};
    uint64_t tag = 0;
    if (!Varint(tag) || tag > UINT32_MAX || tag >> 3 == 0) return false;
    field.id = static_cast<uint32_t>(tag >> 3);
    field.type = static_cast<WireField::Type>(tag & 7);
    switch (field.type) {
      case WireField::Type::kVarint:
        return Varint(field.number);
      case WireField::Type::kFixed64:
        return Fixed(8, field.number);
      case WireField::Type::kFixed32:
        return Fixed(4, field.number);
      case WireField::Type::kBytes:
        return Bytes(field.bytes);
    }
    return false;
  }

  bool Varint(uint64_t& value) { return TakeVarint(rest_, value); }

  bool Fixed(size_t size, uint64_t& value) {
    if (rest_.size() < size) return false;
    value = 0;
    for (size_t i = 0; i < size; ++i) {
      value |= uint64_t{static_cast<uint8_t>(rest_[i])} << (8 * i);
    }
    rest_.remove_prefix(size);
    return true;
  }

  bool Bytes(std::string_view& bytes) {
    uint64_t size = 0;
    if (!Varint(size) || size > rest_.size()) return false;
    bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace agent::inference
