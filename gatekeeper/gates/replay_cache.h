#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "gatekeeper/gates/kept_result.h"

namespace gatekeeper::gates {

// A folder of results that later runs take over: DIR/ab/cdef...: one file a result, named by the
// SHA-256 of its key. What is damaged, belongs to another key or does not parse counts as absent
// and is written anew. Any number of processes may share a folder: files appear whole or not at
// all, and equal keys have equal results.
//
// A digest proves that bytes are whole, not who wrote them. Whoever can write here decides what a
// gate sees; so a folder that others may write to is refused, and one that travels (a CI cache)
// should not feed a run that signs.
class ReplayCache final : public KeptResults {
 public:
  // Makes the folder (0700). kPermissionDenied: it belongs to another user, or group or others may
  // write to it.
  static absl::StatusOr<std::unique_ptr<ReplayCache>> Open(const std::string& folder);

  std::optional<v1::KeptResult> Find(const ResultKey& key) override;
  void Keep(const ResultKey& key, const v1::KeptResult& result) override;

  // The first result that could not be written, or that was there and could not be believed; a run
  // goes on without. For a warning.
  absl::Status trouble() const;

 private:
  explicit ReplayCache(std::string folder) : folder_(std::move(folder)) {}
  std::string PathOf(const ResultKey& key) const;
  void Note(const absl::Status& status);

  std::string folder_;
  mutable std::mutex mutex_;
  absl::Status trouble_;
};

// What a cache holds, and what was taken away: the results that were longest not used, until at
// most `most_bytes` are left. What a killed run had begun to write goes too, an hour later. Files
// that are not a cache's are left alone.
struct CacheSize {
  uint64_t results = 0;
  uint64_t bytes = 0;
  uint64_t removed = 0;
};
absl::StatusOr<CacheSize> PruneCache(const std::string& folder, uint64_t most_bytes);

}  // namespace gatekeeper::gates
