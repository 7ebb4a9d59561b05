#include "gatekeeper/store/blob_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace gatekeeper::store {
namespace {

constexpr char kArriving[] = "arriving-";  // prefix of temporary files in the folder itself

absl::Status FromErrno(const std::string& what, const std::string& path) {
  const int error = errno;
  const std::string text = absl::StrFormat("%s %s: %s", what, path, strerror(error));
  if (error == ENOENT) return absl::NotFoundError(text);
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    return absl::ResourceExhaustedError(text + "; make room on the gatekeeper's disk");
  }
  return absl::UnavailableError(text);
}

absl::Status SyncFolder(const std::string& path) {
  const agent::base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() || fsync(fd.get()) != 0) return FromErrno("sync", path);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> BlobReader::ReadAt(uint64_t offset, size_t most) const {
  if (offset >= size_) return std::string();
  std::string bytes(std::min<uint64_t>(most, size_ - offset), '\0');
  size_t got = 0;
  while (got < bytes.size()) {
    const ssize_t n =
        pread(fd_.get(), bytes.data() + got, bytes.size() - got, static_cast<off_t>(offset + got));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FromErrno("read", "a blob");
    if (n == 0) return absl::DataLossError("a blob became shorter while it was read");
    got += static_cast<size_t>(n);
  }
  return bytes;
}

BlobWriter::BlobWriter(agent::base::UniqueFd fd, std::string temporary, std::string final_path,
                       std::string sha256, uint64_t size)
    : fd_(std::move(fd)),
      temporary_(std::move(temporary)),
      final_path_(std::move(final_path)),
      sha256_(std::move(sha256)),
      size_(size) {}

BlobWriter::~BlobWriter() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

absl::Status BlobWriter::Append(std::string_view bytes) {
  if (bytes.size() > size_ - written_) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "blob %s: more than the %d bytes its manifest gives", sha256_.substr(0, 12), size_));
  }
  hash_.Update(bytes);
  written_ += bytes.size();
  while (!bytes.empty()) {
    const ssize_t n = write(fd_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FromErrno("write", temporary_);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

absl::Status BlobWriter::Commit() {
  const std::string found = hash_.Finish().hex();
  if (written_ != size_ || found != sha256_) {
    return absl::DataLossError(
        absl::StrFormat("blob: %d bytes with SHA-256 %s came, wanted %d bytes with %s", written_,
                        found, size_, sha256_));
  }
  const std::string folder = std::filesystem::path(final_path_).parent_path();
  if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return FromErrno("make", folder);
  if (fsync(fd_.get()) != 0) return FromErrno("sync", temporary_);
  if (rename(temporary_.c_str(), final_path_.c_str()) != 0) return FromErrno("rename", temporary_);
  temporary_.clear();
  RETURN_IF_ERROR(SyncFolder(folder));
  return SyncFolder(std::filesystem::path(folder).parent_path());
}

absl::StatusOr<BlobFolder> BlobFolder::Open(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return absl::UnavailableError(absl::StrFormat("make %s: %s", folder, error.message()));
  }
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    if (!entry.path().filename().string().starts_with(kArriving)) continue;
    std::filesystem::remove(entry.path(), error);
  }
  if (error) {
    return absl::UnavailableError(absl::StrFormat("clear %s: %s", folder, error.message()));
  }
  return BlobFolder(folder);
}

std::string BlobFolder::PathOf(std::string_view sha256) const {
  return absl::StrFormat("%s/%s/%s", folder_, sha256.substr(0, 2), sha256);
}

bool BlobFolder::Has(std::string_view sha256) const {
  return agent::base::Digest::Parse(sha256).ok() && access(PathOf(sha256).c_str(), R_OK) == 0;
}

absl::StatusOr<std::unique_ptr<BlobWriter>> BlobFolder::Write(const std::string& sha256,
                                                              uint64_t size) {
  RETURN_IF_ERROR(agent::base::Digest::Parse(sha256).status());
  std::string temporary =
      absl::StrFormat("%s/%s%s", folder_, kArriving, agent::trust::RandomToken());
  agent::base::UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return FromErrno("make", temporary);
  return std::unique_ptr<BlobWriter>(
      new BlobWriter(std::move(fd), std::move(temporary), PathOf(sha256), sha256, size));
}

absl::StatusOr<std::unique_ptr<BlobReader>> BlobFolder::Read(const std::string& sha256) const {
  RETURN_IF_ERROR(agent::base::Digest::Parse(sha256).status());
  const std::string path = PathOf(sha256);
  agent::base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!fd.valid() || fstat(fd.get(), &status) != 0) {
    if (errno == ENOENT) {
      return absl::NotFoundError(absl::StrFormat("there is no blob %s here", sha256.substr(0, 12)));
    }
    return FromErrno("open", path);
  }
  return std::make_unique<BlobReader>(std::move(fd), static_cast<uint64_t>(status.st_size));
}

}  // namespace gatekeeper::store
