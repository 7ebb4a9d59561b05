#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace agent::recording {

// Little-endian fields of MCAP bodies. A taker that runs out of bytes yields zeros and stays not
// ok.
class WireTaker {
 public:
  explicit WireTaker(std::string_view bytes) : bytes_(bytes) {}

  template <class T>
  T Number() {
    static_assert(std::endian::native == std::endian::little);  // as MCAP
    const std::string_view raw = Bytes(sizeof(T));
    T value = 0;
    if (raw.size() == sizeof(T)) std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }
  std::string_view Bytes(uint64_t size) {
    if (size > bytes_.size()) {
      ok_ = false;
      bytes_ = {};
      return {};
    }
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return taken;
  }
  std::string_view Text() { return Bytes(Number<uint32_t>()); }
  std::string_view Rest() { return Bytes(bytes_.size()); }

  bool ok() const { return ok_; }
  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
  bool ok_ = true;
};

template <class T>
void PutNumber(T value, std::string& out) {
  for (size_t i = 0; i < sizeof(T); ++i)
    out.push_back(static_cast<char>(static_cast<uint8_t>(static_cast<uint64_t>(value) >> (8 * i))));
}

inline void PutText(std::string_view text, std::string& out) {
  PutNumber(static_cast<uint32_t>(text.size()), out);
  out.append(text);
}

// Appends a record: its length is filled in when the scope ends.
class RecordScope {
 public:
  RecordScope(uint8_t opcode, std::string& out) : out_(out) {
    out_.push_back(static_cast<char>(opcode));
    body_ = out_.size() + sizeof(uint64_t);
    PutNumber<uint64_t>(0, out_);
  }
  ~RecordScope() {
    std::string length;
    PutNumber<uint64_t>(out_.size() - body_, length);
    out_.replace(body_ - length.size(), length.size(), length);
  }
  RecordScope(const RecordScope&) = delete;
  RecordScope& operator=(const RecordScope&) = delete;
  size_t body() const { return body_; }  // offset of the body in `out`

 private:
  std::string& out_;
  size_t body_ = 0;
};

}  // namespace agent::recording
