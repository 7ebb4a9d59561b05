#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace gatekeeper::ingest {

// transforms[0].child_frame_id: names with at most one index each.
struct PathPart {
  std::string name;
  std::optional<uint32_t> index;
};

absl::StatusOr<std::vector<PathPart>> ParsePath(std::string_view path);

// What a path needs that the type has not, with the nearest name or the names there are.
absl::Status NoSuchField(std::string_view path, std::string_view name, std::string_view type,
                         const std::vector<std::string>& known);

}  // namespace gatekeeper::ingest
