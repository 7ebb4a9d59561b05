#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/unique_fd.h"
#include "agent/trust/hash.h"

namespace gatekeeper::store {

// One blob being read. Any thread may read it; the file may be replaced or removed meanwhile.
class BlobReader {
 public:
  BlobReader(agent::base::UniqueFd fd, uint64_t size) : fd_(std::move(fd)), size_(size) {}

  uint64_t size() const { return size_; }
  // At most `most` bytes from `offset`; empty at the end.
  absl::StatusOr<std::string> ReadAt(uint64_t offset, size_t most) const;

 private:
  agent::base::UniqueFd fd_;
  uint64_t size_;
};

// One blob arriving. Nothing is visible in the folder before Commit; dropping it leaves nothing.
class BlobWriter {
 public:
  ~BlobWriter();
  BlobWriter(const BlobWriter&) = delete;
  BlobWriter& operator=(const BlobWriter&) = delete;

  // kInvalidArgument as soon as more than the announced size has come.
  absl::Status Append(std::string_view bytes);
  // kDataLoss unless exactly `size` bytes with the announced SHA-256 came. Synced when it returns.
  absl::Status Commit();

 private:
  friend class BlobFolder;
  BlobWriter(agent::base::UniqueFd fd, std::string temporary, std::string final_path,
             std::string sha256, uint64_t size);

  agent::base::UniqueFd fd_;
  std::string temporary_;
  std::string final_path_;
  std::string sha256_;
  uint64_t size_;
  uint64_t written_ = 0;
  agent::trust::Sha256Stream hash_;
};

// Files of units by the SHA-256 of their bytes: FOLDER/ab/abcd... . A blob that exists is whole.
class BlobFolder {
 public:
  // Makes the folder and removes what an interrupted upload left behind.
  static absl::StatusOr<BlobFolder> Open(const std::string& folder);

  bool Has(std::string_view sha256) const;
  absl::StatusOr<std::unique_ptr<BlobWriter>> Write(const std::string& sha256, uint64_t size);
  absl::StatusOr<std::unique_ptr<BlobReader>> Read(const std::string& sha256) const;

 private:
  explicit BlobFolder(std::string folder) : folder_(std::move(folder)) {}
  std::string PathOf(std::string_view sha256) const;

  std::string folder_;
};

}  // namespace gatekeeper::store
