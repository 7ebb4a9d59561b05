#include "agent/base/digest.h"

#include "absl/strings/str_format.h"

namespace agent::base {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

}  // namespace

std::string ToHex(std::string_view bytes) {
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    hex.push_back(kHexDigits[byte >> 4]);
    hex.push_back(kHexDigits[byte & 15]);
  }
  return hex;
}

std::string Digest::hex() const {
  return ToHex({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

absl::StatusOr<Digest> Digest::Parse(std::string_view hex) {
  Digest digest;
  bool ok = hex.size() == 2 * digest.bytes.size();
  for (size_t i = 0; ok && i < hex.size(); ++i) {
    const size_t value = kHexDigits.find(hex[i]);
    ok = value != std::string_view::npos;
    if (ok) digest.bytes[i / 2] = static_cast<uint8_t>(digest.bytes[i / 2] << 4 | value);
  }
  if (!ok) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "'%s' is not a SHA-256 digest: wanted 64 lower-case hex digits", std::string(hex)));
  }
  return digest;
}

}  // namespace agent::base
