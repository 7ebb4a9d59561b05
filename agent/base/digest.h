#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace agent::base {

// A SHA-256 value. Computed in agent/trust; here only carried, compared and written as 64 hex
// digits.
struct Digest {
  std::array<uint8_t, 32> bytes{};

  std::string hex() const;
  std::string short_hex() const { return hex().substr(0, 12); }  // for people
  static absl::StatusOr<Digest> Parse(std::string_view hex);
  auto operator<=>(const Digest&) const = default;
};

std::string ToHex(std::string_view bytes);

}  // namespace agent::base
