#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gatekeeper::source {

// What stands in git in place of a large file (Git LFS specification v1).
struct LfsPointer {
  std::string oid;    // SHA-256, 64 hex digits
  uint64_t size = 0;  // bytes
};

// Nothing when the bytes are not a pointer but a file of their own.
std::optional<LfsPointer> ParseLfsPointer(std::string_view bytes);

}  // namespace gatekeeper::source
