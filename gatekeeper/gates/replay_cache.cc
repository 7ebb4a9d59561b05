#include "gatekeeper/gates/replay_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"

namespace gatekeeper::gates {
namespace {

namespace fs = std::filesystem;

constexpr size_t kPrefix = 2;                          // hex digits that name a subfolder
constexpr size_t kNameSize = 62;                       // the other ones name the file
constexpr auto kLongestWrite = std::chrono::hours(1);  // whatever is older, its writer was killed

bool IsHex(const std::string& name, size_t size) {
  return name.size() == size && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

absl::Status CheckOwner(const std::string& folder) {
  struct stat about {};
  if (lstat(folder.c_str(), &about) != 0)
    return absl::ErrnoToStatus(errno, absl::StrFormat("looking at the cache %s", folder));
  if (!S_ISDIR(about.st_mode))
    return absl::InvalidArgumentError(absl::StrFormat("the cache %s is not a folder", folder));
  if (about.st_uid != geteuid() || (about.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return absl::PermissionDeniedError(absl::StrFormat(
        "the cache %s can be written by others, who could put results into it; chown it to "
        "yourself and chmod go-w it, or name another folder",
        folder));
  }
  return absl::OkStatus();
}

struct KeptFile {
  fs::path path;
  fs::file_time_type used;
  uint64_t bytes = 0;
};

std::vector<KeptFile> ListKept(const std::string& folder, std::error_code& error) {
  std::vector<KeptFile> kept;
  for (const auto& part : fs::directory_iterator(folder, error)) {
    std::error_code ignored;  // a file that another run just removed
    if (!IsHex(part.path().filename(), kPrefix)) continue;
    for (const auto& file : fs::directory_iterator(part.path(), ignored)) {
      if (!IsHex(file.path().filename(), kNameSize)) continue;
      const uint64_t bytes = file.file_size(ignored);
      const auto used = file.last_write_time(ignored);
      if (!ignored) kept.push_back({file.path(), used, bytes});
    }
  }
  return kept;
}

// Results that nobody finished writing.
void RemoveUnfinished(const std::string& folder) {
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  for (const auto& part : fs::directory_iterator(folder, error)) {
    std::error_code ignored;  // as above
    if (!IsHex(part.path().filename(), kPrefix)) continue;
    for (const auto& file : fs::directory_iterator(part.path(), ignored)) {
      const std::string name = file.path().filename().string();
      if (name.size() <= kNameSize || !IsHex(name.substr(0, kNameSize), kNameSize)) continue;
      if (file.path().extension() != ".tmp") continue;
      const auto written = file.last_write_time(ignored);
      if (!ignored && now - written > kLongestWrite) fs::remove(file.path(), ignored);
    }
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReplayCache>> ReplayCache::Open(const std::string& folder) {
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return absl::ErrnoToStatus(errno, absl::StrFormat("making the cache %s", folder));
  RETURN_IF_ERROR(CheckOwner(folder));
  return std::unique_ptr<ReplayCache>(new ReplayCache(folder));
}

std::string ReplayCache::PathOf(const ResultKey& key) const {
  const std::string name = agent::trust::Sha256(key.Text()).hex();
  return absl::StrFormat("%s/%s/%s", folder_, name.substr(0, kPrefix), name.substr(kPrefix));
}

std::optional<v1::KeptResult> ReplayCache::Find(const ResultKey& key) {
  const std::string path = PathOf(key);
  // Packed, a result is hardly ever larger than plain.
  const auto bytes = agent::base::OsFiles().Read(path, kMaxResult + kMaxResult / 8);
  if (!bytes.ok()) {
    if (!absl::IsNotFound(bytes.status())) Note(bytes.status());
    return std::nullopt;
  }
  auto result = OpenResult(key, *bytes);
  if (!result.ok()) {
    Note(absl::Status(
        result.status().code(),
        absl::StrFormat("%s: %s; made anew", path, std::string(result.status().message()))));
    return std::nullopt;
  }
  utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // used today; pruning goes by it
  return *std::move(result);
}

void ReplayCache::Keep(const ResultKey& key, const v1::KeptResult& result) {
  const auto bytes = SealResult(key, result);
  if (!bytes.ok()) return Note(bytes.status());
  const std::string path = PathOf(key);
  const std::string part = path.substr(0, path.rfind('/'));
  if (mkdir(part.c_str(), 0700) != 0 && errno != EEXIST)
    return Note(absl::ErrnoToStatus(errno, absl::StrFormat("making %s", part)));
  Note(agent::base::OsFiles().WriteDurably(path, *bytes, 0600));
}

void ReplayCache::Note(const absl::Status& status) {
  const std::lock_guard lock(mutex_);
  if (trouble_.ok()) trouble_ = status;
}

absl::Status ReplayCache::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

absl::StatusOr<CacheSize> PruneCache(const std::string& folder, uint64_t most_bytes) {
  RETURN_IF_ERROR(CheckOwner(folder));
  RemoveUnfinished(folder);
  std::error_code error;
  std::vector<KeptFile> kept = ListKept(folder, error);
  if (error)
    return absl::InternalError(
        absl::StrFormat("reading the cache %s: %s", folder, error.message()));
  std::sort(kept.begin(), kept.end(),
            [](const KeptFile& a, const KeptFile& b) { return a.used < b.used; });
  CacheSize size;
  for (const KeptFile& file : kept) size.bytes += file.bytes;
  size.results = kept.size();
  for (const KeptFile& file : kept) {
    if (size.bytes <= most_bytes) break;
    if (!fs::remove(file.path, error) && error)
      return absl::InternalError(
          absl::StrFormat("removing %s: %s", file.path.string(), error.message()));
    size.bytes -= file.bytes;
    --size.results;
    ++size.removed;
  }
  return size;
}

}  // namespace gatekeeper::gates
