#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace gatekeeper::defects {

// Writes a file of a twin, and its folders. Not synced: a twin is thrown away, and syncing hundreds
// of them would take longer than judging them.
absl::Status WriteTwinFile(const std::string& path, std::string_view bytes);

}  // namespace gatekeeper::defects
