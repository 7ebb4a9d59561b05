#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/base/digest.h"
#include "gatekeeper/ingest/channel_import.h"
#include "proto/gates.pb.h"

namespace gatekeeper::cli {

// Where a scenario comes from: file and digest of the recording at `path`, and what was wrong with
// it, each of those notes begun with gates::kDamage. A folder's digest is that of the lines that
// `sha256sum` prints for its files in order of their names, so that `sha256sum * | sha256sum` tells
// it too. Map and program are the caller's.
absl::StatusOr<v1::Origin> OriginOf(const std::string& path, const ingest::RecordingFile& file);

// The scenario/1 document of a recording of ours beside it, named as it is: one segment from its
// first to its last message, for `scenario label` to divide.
std::string ImportedScenario(const std::string& recording, const agent::base::Digest& sha256,
                             const ingest::Imported& imported, const std::vector<std::string>& tags,
                             const v1::Origin& origin);

// From the recording's first message to the millisecond behind its last, as segments end.
double LengthOf(const ingest::Imported& imported);

}  // namespace gatekeeper::cli
