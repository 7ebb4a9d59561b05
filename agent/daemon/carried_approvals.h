#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/files.h"

namespace agent::daemon {

// Re-arming beside a robot, without a network: approvals that people signed elsewhere are handed to
// gatekeeper-control through STATE/control/rearm/. It alone judges them.

// The challenge to sign, as a file's bytes. kFailedPrecondition: none waits, or control is not
// running.
absl::StatusOr<std::string> PresentChallenge(const base::Files& files, const std::string& state);

// Hands the approvals in `paths` to control and waits for what it says. kFailedPrecondition: it
// refused, and why; kDeadlineExceeded: it does not answer.
absl::Status CarryApprovals(base::Files& files, const std::string& state,
                            const std::vector<std::string>& paths);

}  // namespace agent::daemon
