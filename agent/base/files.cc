#include "agent/base/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/unique_fd.h"

namespace agent::base {
namespace {

namespace fs = std::filesystem;

absl::Status Errno(const char* doing, const std::string& path, int error) {
  const std::string text =
      absl::StrFormat("%s %s: %s", doing, path, std::generic_category().message(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(text);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:  // of a limit set for the process (LimitFSIZE=)
      return absl::ResourceExhaustedError(text + "; free some space and try again");
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(text);
    default:
      return absl::InternalError(text);
  }
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Errno("write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return absl::OkStatus();
}

std::string FolderOf(const std::string& path) {
  const std::string folder = fs::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

absl::StatusOr<std::string> OsFiles::Read(const std::string& path, size_t cap) const {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return Errno("open", path, errno);
  std::string bytes;
  char buffer[1 << 16];
  while (true) {
    const ssize_t n = read(fd.get(), buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Errno("read", path, errno);
    if (n == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(n));
    if (bytes.size() > cap) {
      return absl::ResourceExhaustedError(
          absl::StrFormat("%s is larger than the %d bytes allowed here", path, cap));
    }
  }
}

absl::Status OsFiles::WriteDurably(const std::string& path, std::string_view bytes, int mode) {
  // The thread's id keeps two threads or processes from writing the same temporary file.
  const std::string temporary = absl::StrFormat("%s.%d.tmp", path, gettid());
  UniqueFd fd(
      open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, static_cast<mode_t>(mode)));
  if (!fd.valid()) return Errno("create", temporary, errno);
  absl::Status status = WriteAll(fd.get(), bytes, temporary);
  if (status.ok() && fsync(fd.get()) != 0) status = Errno("fsync", temporary, errno);
  fd.reset();
  if (!status.ok()) {
    unlink(temporary.c_str());
    return status;
  }
  return Rename(temporary, path);
}

absl::Status OsFiles::Overwrite(const std::string& path, size_t offset, std::string_view bytes) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return Errno("open", path, errno);
  struct stat about {};
  if (fstat(fd.get(), &about) != 0) return Errno("stat", path, errno);
  if (static_cast<size_t>(about.st_size) < offset + bytes.size()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s has %d bytes: too short to overwrite %d at %d", path, about.st_size,
                        bytes.size(), offset));
  }
  while (!bytes.empty()) {
    const ssize_t n = pwrite(fd.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Errno("write", path, errno);
    bytes.remove_prefix(static_cast<size_t>(n));
    offset += static_cast<size_t>(n);
  }
  if (fdatasync(fd.get()) != 0) return Errno("fdatasync", path, errno);
  return absl::OkStatus();
}

absl::Status OsFiles::Append(const std::string& path, std::string_view bytes) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!fd.valid()) return Errno("open", path, errno);
  return WriteAll(fd.get(), bytes, path);
}

absl::Status OsFiles::Sync(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return Errno("open", path, errno);
  if (fsync(fd.get()) != 0) return Errno("fsync", path, errno);
  return absl::OkStatus();
}

absl::Status OsFiles::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return Errno("rename to", to, errno);
  return Sync(FolderOf(to));
}

absl::Status OsFiles::MakeFolders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return Errno("create folder", path, error.value());
  return absl::OkStatus();
}

absl::Status OsFiles::RemoveAll(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) return Errno("remove", path, error.value());
  return absl::OkStatus();
}

bool OsFiles::Exists(const std::string& path) const {
  std::error_code error;
  return fs::exists(path, error);
}

absl::StatusOr<size_t> OsFiles::Size(const std::string& path) const {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error) return Errno("stat", path, error.value());
  return static_cast<size_t>(size);
}

absl::StatusOr<std::vector<std::string>> OsFiles::List(const std::string& folder) const {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) return Errno("list", folder, error.value());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace agent::base
