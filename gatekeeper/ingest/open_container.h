#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/container.h"

namespace gatekeeper::ingest {

// One file, by its first bytes: MCAP, SQLite, ULog, or one of these inside a zstd of the whole
// file, which is unpacked to a temporary file (TMPDIR) that is gone when the result is. It may take
// half of what is free there.
absl::StatusOr<std::unique_ptr<Container>> OpenContainer(const std::string& path);

}  // namespace gatekeeper::ingest
