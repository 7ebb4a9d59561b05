#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace gatekeeper::sim {

// Builds one protobuf message field by field; a finished message is a field's bytes in the next.
class WireWriter {
 public:
  WireWriter& Number(uint32_t field, uint64_t value) {
    Varint(uint64_t{field} << 3);
    Varint(value);
    return *this;
  }
  WireWriter& Bytes(uint32_t field, std::string_view value) {
    Varint(uint64_t{field} << 3 | 2);
    Varint(value.size());
    bytes_.append(value);
    return *this;
  }
  WireWriter& Message(uint32_t field, const WireWriter& message) {
    return Bytes(field, message.bytes_);
  }
  WireWriter& Float(uint32_t field, float value) {
    Varint(uint64_t{field} << 3 | 5);
    AppendFloat(bytes_, value);
    return *this;
  }

  const std::string& bytes() const { return bytes_; }

  // Four bytes, little-endian.
  static void AppendFloat(std::string& bytes, float value) {
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof(bits));
    for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<char>(bits >> shift));
  }

 private:
  void Varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_.push_back(static_cast<char>(value | 0x80));
    bytes_.push_back(static_cast<char>(value));
  }

  std::string bytes_;
};

}  // namespace gatekeeper::sim
