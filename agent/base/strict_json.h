#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace agent::base {

// JSON from outside: refuses repeated keys, nesting deeper than 32, invalid UTF-8 and trailing
// bytes. Errors name `what` ("manifest.json") and the byte offset.
absl::StatusOr<nlohmann::json> ParseStrictJson(std::string_view text, std::string_view what);

// Keys sorted, no spaces. For documents that are hashed or signed; they hold integers, never
// floats.
std::string CanonicalJson(const nlohmann::json& value);

}  // namespace agent::base
