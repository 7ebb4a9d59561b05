#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/base/unique_fd.h"

namespace agent::base {

// Makes the file where there is none (0600) and waits until nobody else holds its lock. Held as
// long as the descriptor lives; it goes with the process. kUnavailable: the file and why.
absl::StatusOr<UniqueFd> WaitForLock(const std::string& path);

}  // namespace agent::base
