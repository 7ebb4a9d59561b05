#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "gatekeeper/cli/session.h"

namespace gatekeeper::cli {

// Streams a sealed unit folder to the server: its papers, then its files. The server keeps nothing
// unless all of it verifies.
absl::StatusOr<v1::PushUnitReply> PushUnit(const std::string& folder, const Session& session);

}  // namespace gatekeeper::cli
