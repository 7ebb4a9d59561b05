#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace agent::base {

// The file system as durable state sees it: one of the four seams that tests replace, so that a
// crash test can forget every write that was not synced. Errors name the path and errno's text; a
// full disk is kResourceExhausted, an absent file kNotFound.
class Files {
 public:
  virtual ~Files() = default;
  // kResourceExhausted when the file is larger than `cap` bytes.
  virtual absl::StatusOr<std::string> Read(const std::string& path, size_t cap) const = 0;
  // Old content or new content, never a mixture: temporary file, fsync, rename, fsync of the
  // folder.
  virtual absl::Status WriteDurably(const std::string& path, std::string_view bytes, int mode) = 0;
  // In place, synced, no new disk space: the file must be there and reach beyond the written part.
  // A crash may leave any mixture of old and new bytes in that part.
  virtual absl::Status Overwrite(const std::string& path, size_t offset,
                                 std::string_view bytes) = 0;
  virtual absl::Status Append(const std::string& path, std::string_view bytes) = 0;  // not synced
  virtual absl::Status Sync(const std::string& path) = 0;  // file or folder
  virtual absl::Status Rename(const std::string& from,
                              const std::string& to) = 0;  // + folder fsync
  virtual absl::Status MakeFolders(const std::string& path) = 0;
  virtual absl::Status RemoveAll(const std::string& path) = 0;
  virtual bool Exists(const std::string& path) const = 0;
  virtual absl::StatusOr<size_t> Size(const std::string& path) const = 0;
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& folder) const = 0;
};

class OsFiles final : public Files {
 public:
  absl::StatusOr<std::string> Read(const std::string& path, size_t cap) const override;
  absl::Status WriteDurably(const std::string& path, std::string_view bytes, int mode) override;
  absl::Status Overwrite(const std::string& path, size_t offset, std::string_view bytes) override;
  absl::Status Append(const std::string& path, std::string_view bytes) override;
  absl::Status Sync(const std::string& path) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status MakeFolders(const std::string& path) override;
  absl::Status RemoveAll(const std::string& path) override;
  bool Exists(const std::string& path) const override;
  absl::StatusOr<size_t> Size(const std::string& path) const override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) const override;
};

}  // namespace agent::base
