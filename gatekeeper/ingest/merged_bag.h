#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gatekeeper/ingest/container.h"

namespace gatekeeper::ingest {

// A private copy of an SQLite bag whose writer was killed, with what its -wal or -journal file
// still held merged as SQLite itself would have done at the next start. The copy stands in a
// folder of its own below TMPDIR and is gone with this.
class MergedBag {
 public:
  // Nothing where no such file stands beside the bag, or none with content. kResourceExhausted:
  // the copy would take more than half of what is free.
  static absl::StatusOr<std::unique_ptr<MergedBag>> Of(const Source& source);
  ~MergedBag();
  MergedBag(const MergedBag&) = delete;
  MergedBag& operator=(const MergedBag&) = delete;

  const std::string& path() const { return path_; }
  const std::string& note() const { return note_; }

 private:
  MergedBag() = default;
  absl::Status Copy(const Source& source);
  absl::Status Merge(const std::string& name);

  std::string folder_;
  std::string path_;
  std::string note_;
};

}  // namespace gatekeeper::ingest
