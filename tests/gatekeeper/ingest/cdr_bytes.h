#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

// Writes a message as ROS 2 does: little-endian CDR.
class CdrBytes {
 public:
  template <class T>
  CdrBytes& Put(T value) {
    while ((bytes_.size() - 4) % sizeof(T) != 0) bytes_ += '\0';
    char raw[sizeof(T)];
    std::memcpy(raw, &value, sizeof(T));
    bytes_.append(raw, sizeof(T));
    return *this;
  }
  template <class T>
  CdrBytes& All(const std::vector<T>& values) {
    for (const T value : values) Put(value);
    return *this;
  }
  template <class T>
  CdrBytes& Sequence(const std::vector<T>& values) {
    return Put(static_cast<uint32_t>(values.size())).All(values);
  }
  CdrBytes& Text(std::string_view text) {
    Put(static_cast<uint32_t>(text.size() + 1));
    bytes_ += text;
    bytes_ += '\0';
    return *this;
  }
  CdrBytes& Bytes(std::string_view bytes) {
    Put(static_cast<uint32_t>(bytes.size()));
    bytes_ += bytes;
    return *this;
  }
  CdrBytes& Header(int32_t seconds, uint32_t nanoseconds, std::string_view frame = "frame") {
    return Put(seconds).Put(nanoseconds).Text(frame);
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_ = std::string("\0\1\0\0", 4);
};

}  // namespace tests
