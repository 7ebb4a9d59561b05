#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace agent::base {

// YAML that other programs wrote and that no schema of ours describes: mappings and lists as they
// stand, every scalar as its text, null where nothing stands. For people's documents there is
// ReadYaml. kInvalidArgument names file, line and column; anchors, repeated keys and nesting deeper
// than 16 are refused, more than 16 MiB is kResourceExhausted.
absl::StatusOr<nlohmann::json> ReadForeignYaml(std::string_view text, const std::string& file);

}  // namespace agent::base
