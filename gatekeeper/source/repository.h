#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

struct git_repository;

namespace gatekeeper::source {

// A file as a commit holds it.
struct SourceFile {
  std::string bytes;
  bool from_lfs =
      false;  // `bytes` came from the local LFS store, checked against the pointer's oid
};

// Read access to one git repository (libgit2). One thread at a time.
class Repository {
 public:
  // `path`: the repository or any folder inside its work tree. kNotFound when there is none.
  static absl::StatusOr<Repository> Open(const std::string& path);

  // A bare copy of the repository at `url` in `mirror`, made when it is not there, brought up to
  // date when it lacks `commit`. Asks nobody for a password. kUnavailable when `url` cannot be
  // read.
  static absl::StatusOr<Repository> OpenMirror(const std::string& url, const std::string& mirror,
                                               const std::string& commit);

  // "HEAD", a branch, a tag, a prefix of a commit id -> 40 hex digits. kNotFound, or
  // kInvalidArgument when it names something that is not a commit.
  absl::StatusOr<std::string> ResolveCommit(const std::string& revision) const;

  // kFailedPrecondition naming the first files that differ from HEAD, or that git does not track. A
  // file that LFS has replaced with its own object counts as unchanged. A bare repository is always
  // clean.
  absl::Status RequireClean() const;

  // The regular file `path` at `commit` (40 hex digits). A Git LFS pointer is followed to the local
  // object and checked: kDataLoss when its SHA-256 or size is not the pointer's, kNotFound with the
  // command to fetch it. kInvalidArgument for links and folders, kResourceExhausted above `cap`
  // bytes.
  absl::StatusOr<SourceFile> ReadFile(const std::string& commit, const std::string& path,
                                      size_t cap) const;

  // Paths of all regular files below `folder` (empty: the root) at `commit`, in order. Links and
  // submodules are left out. kNotFound when the commit has no such folder, kResourceExhausted above
  // 20 000 files.
  absl::StatusOr<std::vector<std::string>> ListFiles(const std::string& commit,
                                                     const std::string& folder) const;

  // Every different content that `path` had in `commit` and all commits before it, at most `cap`
  // bytes each. kFailedPrecondition when the history at hand is cut off (a shallow clone).
  absl::StatusOr<std::vector<std::string>> Versions(const std::string& commit,
                                                    const std::string& path, size_t cap) const;

  // kFailedPrecondition when the history at hand is cut off (a shallow clone).
  absl::Status RequireHistory() const;

  // Whether `commit` is the tip of `branch` or lies before it.
  absl::StatusOr<bool> IsWithin(const std::string& commit, const std::string& branch) const;

  // Whether `commit` is `other` or lies before it. kNotFound: either is not here.
  // kFailedPrecondition: what is here is cut off between them.
  absl::StatusOr<bool> LeadsTo(const std::string& commit, const std::string& other) const;

  // The work tree's folder, or the repository's own when it is bare.
  std::string folder() const;

 private:
  struct Closer {
    void operator()(git_repository* repository) const noexcept;
  };
  explicit Repository(git_repository* repository) : repository_(repository) {}
  absl::StatusOr<std::string> FollowLfs(const std::string& pointer, const std::string& path,
                                        size_t cap) const;

  std::unique_ptr<git_repository, Closer> repository_;
};

}  // namespace gatekeeper::source
