#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace gatekeeper::gates {

inline constexpr uint32_t kMostParts = 10'000;

// One computer's part of a run: every `count`-th recording, from the `number`-th on, with all
// of its clips.
struct Part {
  uint32_t number = 1;  // from 1
  uint32_t count = 1;

  bool Has(size_t recording) const { return recording % count == number - 1; }
  // "2/8". kInvalidArgument unless 1 <= number <= count <= kMostParts.
  static absl::StatusOr<Part> Parse(const std::string& text);
};

}  // namespace gatekeeper::gates
