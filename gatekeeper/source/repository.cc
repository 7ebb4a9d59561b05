#include "gatekeeper/source/repository.h"

#include <git2.h>

#include <algorithm>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/files.h"
#include "agent/base/handle.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "gatekeeper/source/git_object.h"
#include "gatekeeper/source/lfs_pointer.h"

namespace gatekeeper::source {
namespace {

using agent::base::Handle;
using StatusList = Handle<git_status_list, git_status_list_free>;

constexpr size_t kNamedFiles = 5;  // of a dirty tree: enough to know what it is about

absl::StatusOr<Object> Parse(git_repository* repository, const std::string& spec) {
  git_object* raw = nullptr;
  const int code = git_revparse_single(&raw, repository, spec.c_str());
  if (code == GIT_ENOTFOUND) {
    return absl::NotFoundError(absl::StrFormat("%s has no '%s': fetch it, if it is new",
                                               git_repository_path(repository), spec));
  }
  if (code != 0) return absl::NotFoundError(absl::StrFormat("'%s': %s", spec, LastError()));
  return Object(raw);
}

absl::StatusOr<std::string> BlobBytes(git_repository* repository, const git_oid* id, size_t cap,
                                      const std::string& what) {
  git_object* raw = nullptr;
  if (git_object_lookup(&raw, repository, id, GIT_OBJECT_BLOB) != 0) {
    return absl::DataLossError(absl::StrFormat("%s: %s", what, LastError()));
  }
  const Object owner(raw);
  const auto* blob = reinterpret_cast<const git_blob*>(raw);
  const auto size = static_cast<size_t>(git_blob_rawsize(blob));
  if (size > cap) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("%s has %d bytes; at most %d are allowed here", what, size, cap));
  }
  return std::string(static_cast<const char*>(git_blob_rawcontent(blob)), size);
}

// A work-tree file that LFS checked out in place of its pointer is what the commit means.
bool IsCheckedOutLfsObject(git_repository* repository, const git_diff_delta& delta) {
  const auto pointer_bytes = BlobBytes(repository, &delta.old_file.id, 1024, delta.old_file.path);
  if (!pointer_bytes.ok()) return false;
  const auto pointer = ParseLfsPointer(*pointer_bytes);
  if (!pointer) return false;
  const std::string path = std::string(git_repository_workdir(repository)) + delta.old_file.path;
  const auto digest = agent::trust::Sha256File(path);
  return digest.ok() && digest->hex() == pointer->oid;
}

}  // namespace

void Repository::Closer::operator()(git_repository* repository) const noexcept {
  git_repository_free(repository);
  git_libgit2_shutdown();
}

absl::StatusOr<Repository> Repository::Open(const std::string& path) {
  git_libgit2_init();
  git_repository* raw = nullptr;
  if (git_repository_open_ext(&raw, path.c_str(), 0, nullptr) != 0) {
    const std::string why = LastError();
    git_libgit2_shutdown();
    return absl::NotFoundError(absl::StrFormat("no git repository at %s: %s", path, why));
  }
  return Repository(raw);
}

std::string Repository::folder() const {
  const char* work = git_repository_workdir(repository_.get());
  return work != nullptr ? work : git_repository_path(repository_.get());
}

absl::StatusOr<std::string> Repository::ResolveCommit(const std::string& revision) const {
  ASSIGN_OR_RETURN(const Object object, Parse(repository_.get(), revision));
  git_object* peeled = nullptr;
  if (git_object_peel(&peeled, object.get(), GIT_OBJECT_COMMIT) != 0) {
    return absl::InvalidArgumentError(absl::StrFormat("'%s' does not name a commit", revision));
  }
  const Object commit(peeled);
  char hex[GIT_OID_HEXSZ + 1];
  return std::string(git_oid_tostr(hex, sizeof(hex), git_object_id(commit.get())));
}

absl::Status Repository::RequireClean() const {
  if (git_repository_is_bare(repository_.get()) != 0) return absl::OkStatus();
  git_status_options options = GIT_STATUS_OPTIONS_INIT;
  options.show = GIT_STATUS_SHOW_INDEX_AND_WORKDIR;
  options.flags = GIT_STATUS_OPT_INCLUDE_UNTRACKED | GIT_STATUS_OPT_EXCLUDE_SUBMODULES;
  git_status_list* raw = nullptr;
  if (git_status_list_new(&raw, repository_.get(), &options) != 0) {
    return absl::InternalError("git status: " + LastError());
  }
  const StatusList list(raw);
  std::vector<std::string> dirty;
  for (size_t i = 0; i < git_status_list_entrycount(raw); ++i) {
    const git_status_entry* entry = git_status_byindex(raw, i);
    if (entry->status == GIT_STATUS_WT_MODIFIED &&
        IsCheckedOutLfsObject(repository_.get(), *entry->index_to_workdir)) {
      continue;
    }
    const git_diff_delta* delta =
        entry->index_to_workdir != nullptr ? entry->index_to_workdir : entry->head_to_index;
    dirty.emplace_back(delta->new_file.path);
  }
  if (dirty.empty()) return absl::OkStatus();
  const size_t named = std::min(dirty.size(), kNamedFiles);
  return absl::FailedPreconditionError(absl::StrFormat(
      "%s differs from its commit in %d file%s: %s%s. A unit is built from a commit only: commit, "
      "ignore or stash them, then build again",
      folder(), dirty.size(), dirty.size() == 1 ? "" : "s",
      absl::StrJoin(dirty.begin(), dirty.begin() + static_cast<std::ptrdiff_t>(named), ", "),
      named < dirty.size() ? ", ..." : ""));
}

absl::StatusOr<SourceFile> Repository::ReadFile(const std::string& commit, const std::string& path,
                                                size_t cap) const {
  ASSIGN_OR_RETURN(const Object tree, Parse(repository_.get(), commit + "^{tree}"));
  git_tree_entry* raw = nullptr;
  if (git_tree_entry_bypath(&raw, reinterpret_cast<git_tree*>(tree.get()), path.c_str()) != 0) {
    return absl::NotFoundError(
        absl::StrFormat("commit %s holds no file %s", commit.substr(0, 12), path));
  }
  const Entry entry(raw);
  const git_filemode_t mode = git_tree_entry_filemode(raw);
  if (mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s at commit %s is a link, folder or submodule; a unit takes regular files only", path,
        commit.substr(0, 12)));
  }
  SourceFile file;
  ASSIGN_OR_RETURN(file.bytes, BlobBytes(repository_.get(), git_tree_entry_id(raw), cap, path));
  if (ParseLfsPointer(file.bytes)) {
    ASSIGN_OR_RETURN(file.bytes, FollowLfs(file.bytes, path, cap));
    file.from_lfs = true;
  }
  return file;
}

absl::StatusOr<std::string> Repository::FollowLfs(const std::string& bytes, const std::string& path,
                                                  size_t cap) const {
  const LfsPointer pointer = *ParseLfsPointer(bytes);
  const std::string object =
      absl::StrFormat("%slfs/objects/%s/%s/%s", git_repository_commondir(repository_.get()),
                      pointer.oid.substr(0, 2), pointer.oid.substr(2, 2), pointer.oid);
  if (pointer.size > cap) {
    return absl::ResourceExhaustedError(
        absl::StrFormat("%s has %d bytes; at most %d are allowed here", path, pointer.size, cap));
  }
  auto content = agent::base::OsFiles().Read(object, cap);
  if (absl::IsNotFound(content.status())) {
    return absl::NotFoundError(
        absl::StrFormat("%s is a Git LFS pointer whose object is not here; fetch it with: git lfs "
                        "fetch --include=%s",
                        path, path));
  }
  RETURN_IF_ERROR(content.status());
  const std::string found = agent::trust::Sha256(*content).hex();
  if (found != pointer.oid || content->size() != pointer.size) {
    return absl::DataLossError(absl::StrFormat(
        "the Git LFS object of %s is damaged: found %d bytes with SHA-256 %s, its pointer says %d "
        "bytes with %s; delete %s and fetch it again",
        path, content->size(), found, pointer.size, pointer.oid, object));
  }
  return content;
}

}  // namespace gatekeeper::source
