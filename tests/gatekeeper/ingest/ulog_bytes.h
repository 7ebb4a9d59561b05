#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tests {

// Writes ULog bytes (docs.px4.io, ULog file format), message by message.
class UlogBytes {
 public:
  explicit UlogBytes(uint64_t start_us = 1000, uint8_t version = 1) {
    bytes_ = std::string("ULog\x01\x12\x35", 7);
    bytes_ += Number(version);
    bytes_ += Number(start_us);
  }
  template <class T>
  static std::string Number(T value) {
    std::string out;
    for (size_t i = 0; i < sizeof(T); ++i)
      out.push_back(static_cast<char>(static_cast<uint64_t>(value) >> (8 * i) & 0xff));
    return out;
  }

  UlogBytes& Add(char type, std::string_view body) {
    bytes_ += Number(static_cast<uint16_t>(body.size()));
    bytes_ += type;
    bytes_ += body;
    return *this;
  }
  UlogBytes& Format(std::string_view text) { return Add('F', text); }
  UlogBytes& Subscribe(uint16_t id, std::string_view type, uint8_t instance = 0) {
    return Add('A', Number(instance) + Number(id) + std::string(type));
  }
  UlogBytes& Data(uint16_t id, uint64_t time_us, std::string_view rest) {
    return Add('D', Number(id) + Number(time_us) + std::string(rest));
  }
  UlogBytes& Flags(uint8_t incompatible, uint64_t appended) {
    return Add('B', std::string(8, '\0') + Number(incompatible) + std::string(7, '\0') +
                        Number(appended) + std::string(16, '\0'));
  }
  UlogBytes& Parameter(std::string_view key, uint32_t bits) {
    return Add('P', Number(static_cast<uint8_t>(key.size())) + std::string(key) + Number(bits));
  }

  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace tests
