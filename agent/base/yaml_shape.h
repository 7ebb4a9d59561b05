#pragma once

#include <string>

#include "absl/status/status.h"

namespace agent::base {

inline constexpr int kMaxYamlDepth = 16;

// Reads the events of a YAML text without building it, and refuses what would let a small file grow
// or hide where a value comes from: anchors, aliases, nesting deeper than 16, a second document.
absl::Status CheckYamlShape(const std::string& text, const std::string& file);

}  // namespace agent::base
