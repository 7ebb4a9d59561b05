#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/unique_fd.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/kept_result.h"
#include "gatekeeper/gates/part.h"
#include "proto/evidence.pb.h"

namespace gatekeeper::gates {

// Writes a shard file: every result that was made or taken over, one after the other, then the
// index and the SHA-256 of all. Nothing stands under `path` before Finish.
class ShardWriter final : public KeptResults {
 public:
  // `cache`: asked first, and given what is made; may be null.
  static absl::StatusOr<std::unique_ptr<ShardWriter>> Create(const std::string& path,
                                                             KeptResults* cache);
  ~ShardWriter() override;

  std::optional<v1::KeptResult> Find(const ResultKey& key) override;
  void Keep(const ResultKey& key, const v1::KeptResult& result) override;

  // `index` without its entries.
  absl::Status Finish(v1::ShardIndex index);

 private:
  ShardWriter(std::string path, std::string part, agent::base::UniqueFd fd, KeptResults* cache);
  void Add(const ResultKey& key, const v1::KeptResult& result);
  absl::Status Write(std::string_view bytes);

  std::string path_;
  std::string part_;  // the file until it is whole
  agent::base::UniqueFd fd_;
  KeptResults* cache_;
  std::mutex mutex_;
  agent::trust::Sha256Stream digest_;
  uint64_t size_ = 0;
  absl::Status status_;  // the first write that failed
  v1::ShardIndex index_;
};

// A whole shard file. kDataLoss: cut off, changed, or something else.
class ShardFile {
 public:
  static absl::StatusOr<ShardFile> Open(const std::string& path);
  const std::string& path() const { return path_; }
  const v1::ShardIndex& index() const { return index_; }
  absl::StatusOr<std::string> Read(const v1::ShardEntry& entry) const;

 private:
  std::string path_;
  agent::base::UniqueFd fd_;
  v1::ShardIndex index_;
};

// All shards of one run, as the merge takes results from them.
class ShardSet final : public KeptResults {
 public:
  // Refuses what does not belong together, and says which file and why: kDataLoss a damaged file,
  // kInvalidArgument a number that is there twice or missing, another unit, plan, engine or
  // gatekeeper than the first file's, scenarios that are in none or in two.
  static absl::StatusOr<std::unique_ptr<ShardSet>> Open(const std::vector<std::string>& paths);

  // What all shards have in common.
  const v1::ShardIndex& common() const { return files_.front().index(); }
  // In order of number.
  const std::vector<ShardFile>& files() const { return files_; }

  std::optional<v1::KeptResult> Find(const ResultKey& key) override;
  void Keep(const ResultKey&, const v1::KeptResult&) override {}  // a merge makes no results

 private:
  struct Place {
    size_t file = 0;
    const v1::ShardEntry* entry = nullptr;
  };
  std::vector<ShardFile> files_;
  std::map<std::string, Place> places_;  // by the key's SHA-256
};

}  // namespace gatekeeper::gates
