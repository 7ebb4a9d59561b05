#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace agent::base {

// "1 clip", "0 clips", "7 clips": for nouns that take an s.
inline std::string Counted(uint64_t n, std::string_view noun) {
  return std::to_string(n) + " " + std::string(noun) + (n == 1 ? "" : "s");
}

}  // namespace agent::base
