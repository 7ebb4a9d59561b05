#include "gatekeeper/ingest/container.h"

#include "absl/strings/str_replace.h"

namespace gatekeeper::ingest {

absl::Status Named(const Source& source, const absl::Status& status) {
  if (status.ok() || source.path == source.name) return status;
  return absl::Status(status.code(), absl::StrReplaceAll(std::string(status.message()),
                                                         {{source.path, source.name}}));
}

}  // namespace gatekeeper::ingest
