#pragma once

#include <cstddef>
#include <string_view>

#include "agent/base/digest.h"

namespace gatekeeper::gates {

// A SHA-256 as files hold it: its bytes, or hex digits.
inline constexpr size_t kDigestSize = 32;
inline constexpr size_t kHex = 2 * kDigestSize;

inline std::string_view View(const agent::base::Digest& digest) {
  return {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()};
}

}  // namespace gatekeeper::gates
