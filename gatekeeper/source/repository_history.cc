#include <git2.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/handle.h"
#include "agent/base/status_macros.h"
#include "gatekeeper/source/git_object.h"
#include "gatekeeper/source/repository.h"

namespace gatekeeper::source {
namespace {

using agent::base::Handle;
using Blob = Handle<git_blob, git_blob_free>;
using Commit = Handle<git_commit, git_commit_free>;
using Remote = Handle<git_remote, git_remote_free>;
using Tree = Handle<git_tree, git_tree_free>;
using Walk = Handle<git_revwalk, git_revwalk_free>;

constexpr size_t kMaxFiles = 20'000;
constexpr size_t kMaxCommits = 1'000'000;

absl::StatusOr<git_oid> CommitId(git_repository* repository, const std::string& revision) {
  git_object* raw = nullptr;
  if (git_revparse_single(&raw, repository, (revision + "^{commit}").c_str()) != 0) {
    return absl::NotFoundError(absl::StrFormat("commit '%s': %s", revision, LastError()));
  }
  const Object object(raw);
  return *git_object_id(raw);
}

absl::StatusOr<Tree> TreeOf(git_repository* repository, const git_oid& commit) {
  git_commit* raw = nullptr;
  if (git_commit_lookup(&raw, repository, &commit) != 0) return absl::DataLossError(LastError());
  const Commit owner(raw);
  git_tree* tree = nullptr;
  if (git_commit_tree(&tree, raw) != 0) return absl::DataLossError(LastError());
  return Tree(tree);
}

struct Listing {
  std::string folder;  // with a trailing '/', or empty
  std::vector<std::string> files;
};

int Note(const char* root, const git_tree_entry* entry, void* payload) {
  auto& listing = *static_cast<Listing*>(payload);
  const git_filemode_t mode = git_tree_entry_filemode(entry);
  if (mode != GIT_FILEMODE_BLOB && mode != GIT_FILEMODE_BLOB_EXECUTABLE) return 0;
  listing.files.push_back(listing.folder + root + git_tree_entry_name(entry));
  return listing.files.size() > kMaxFiles ? -1 : 0;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> Repository::ListFiles(const std::string& commit,
                                                               const std::string& folder) const {
  const std::string spec = commit + (folder.empty() ? "^{tree}" : ":" + folder);
  git_object* raw = nullptr;
  if (git_revparse_single(&raw, repository_.get(), spec.c_str()) != 0 ||
      git_object_type(raw) != GIT_OBJECT_TREE) {
    git_object_free(raw);
    return absl::NotFoundError(
        absl::StrFormat("commit %s holds no folder %s", commit.substr(0, 12), folder));
  }
  const Object owner(raw);
  Listing listing;
  if (!folder.empty()) listing.folder = folder + "/";
  if (git_tree_walk(reinterpret_cast<git_tree*>(raw), GIT_TREEWALK_PRE, Note, &listing) != 0) {
    if (listing.files.size() > kMaxFiles) {
      return absl::ResourceExhaustedError(absl::StrFormat(
          "%s at commit %s holds more than %d files", folder, commit.substr(0, 12), kMaxFiles));
    }
    return absl::DataLossError(absl::StrFormat("%s: %s", spec, LastError()));
  }
  std::sort(listing.files.begin(), listing.files.end());
  return std::move(listing.files);
}

absl::StatusOr<std::vector<std::string>> Repository::Versions(const std::string& commit,
                                                              const std::string& path,
                                                              size_t cap) const {
  RETURN_IF_ERROR(RequireHistory());
  ASSIGN_OR_RETURN(const git_oid from, CommitId(repository_.get(), commit));
  git_revwalk* raw = nullptr;
  if (git_revwalk_new(&raw, repository_.get()) != 0) return absl::InternalError(LastError());
  const Walk walk(raw);
  if (git_revwalk_push(raw, &from) != 0) return absl::DataLossError(LastError());
  std::set<std::string> seen;
  std::vector<std::string> versions;
  git_oid at;
  size_t commits = 0;
  while (git_revwalk_next(&at, raw) == 0) {
    if (++commits > kMaxCommits) {
      return absl::ResourceExhaustedError(absl::StrFormat("more than %d commits", kMaxCommits));
    }
    ASSIGN_OR_RETURN(const Tree tree, TreeOf(repository_.get(), at));
    git_tree_entry* found = nullptr;
    if (git_tree_entry_bypath(&found, tree.get(), path.c_str()) != 0) continue;
    const Entry entry(found);
    char hex[GIT_OID_HEXSZ + 1];
    if (!seen.insert(git_oid_tostr(hex, sizeof(hex), git_tree_entry_id(found))).second) continue;
    git_oid_tostr(hex, sizeof(hex), &at);
    ASSIGN_OR_RETURN(SourceFile file, ReadFile(hex, path, cap));
    versions.push_back(std::move(file.bytes));
  }
  return versions;
}

absl::Status Repository::RequireHistory() const {
  if (git_repository_is_shallow(repository_.get()) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrFormat("the history of %s is cut off (a shallow clone): fetch all of it, e.g. git "
                      "fetch --unshallow",
                      folder()));
}

absl::StatusOr<bool> Repository::LeadsTo(const std::string& commit,
                                         const std::string& other) const {
  ASSIGN_OR_RETURN(const git_oid earlier, CommitId(repository_.get(), commit));
  ASSIGN_OR_RETURN(const git_oid later, CommitId(repository_.get(), other));
  if (git_oid_equal(&earlier, &later) != 0) return true;
  const int answer = git_graph_descendant_of(repository_.get(), &later, &earlier);
  if (answer >= 0) return answer == 1;
  const std::string why = LastError();
  RETURN_IF_ERROR(RequireHistory());
  return absl::DataLossError(why);
}

absl::StatusOr<bool> Repository::IsWithin(const std::string& commit,
                                          const std::string& branch) const {
  // A tag of the branch's name is nobody's approval.
  return LeadsTo(commit, "refs/heads/" + branch);
}

absl::StatusOr<Repository> Repository::OpenMirror(const std::string& url, const std::string& mirror,
                                                  const std::string& commit) {
  git_libgit2_init();
  git_repository* raw = nullptr;
  if (git_repository_open_bare(&raw, mirror.c_str()) != 0 &&
      git_repository_init(&raw, mirror.c_str(), 1) != 0) {
    const std::string why = LastError();
    git_libgit2_shutdown();
    return absl::UnavailableError(absl::StrFormat("%s: %s", mirror, why));
  }
  Repository repository(raw);
  // Branches of the mirror follow those at the url, backwards too: what a commit holds never
  // changes, and whoever pins one is not moved by a branch.
  git_remote* remote = nullptr;
  if (git_remote_create_anonymous(&remote, raw, url.c_str()) != 0) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: %s", url, LastError()));
  }
  const Remote owner(remote);
  char refspec[] = "+refs/*:refs/*";
  char* refspecs[] = {refspec};
  const git_strarray all = {refspecs, 1};
  git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
  options.prune = GIT_FETCH_PRUNE;
  options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
  if (git_remote_fetch(remote, &all, &options, nullptr) == 0) return repository;
  const std::string why = LastError();
  if (!commit.empty() && CommitId(raw, commit).ok()) return repository;  // it is here already
  return absl::UnavailableError(absl::StrFormat(
      "%s cannot be read: %s. Where it asks for credentials, clone it yourself and give the folder",
      url, why));
}

}  // namespace gatekeeper::source
