#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/base/unique_fd.h"

namespace agent::daemon {

// One agent a state folder: holds STATE/agent/lock until the descriptor is closed, or the process
// ends in whatever way. Makes the folder. kAlreadyExists: another agent has it.
absl::StatusOr<base::UniqueFd> LockState(const std::string& state_folder);

}  // namespace agent::daemon
