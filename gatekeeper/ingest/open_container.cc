#include "gatekeeper/ingest/open_container.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/unique_fd.h"
#include "agent/recording/mcap_records.h"
#include "agent/recording/zstd_file.h"
#include "gatekeeper/ingest/mcap_file.h"
#include "gatekeeper/ingest/rosbag_db3.h"
#include "gatekeeper/ingest/ulog_file.h"
#include "gatekeeper/ingest/ulog_walk.h"

namespace gatekeeper::ingest {
namespace {

namespace fs = std::filesystem;
using agent::base::UniqueFd;

constexpr std::string_view kSqliteMagic("SQLite format 3\0", 16);
constexpr size_t kMagicBytes = 16;  // the longest of all

absl::StatusOr<UniqueFd> OpenFile(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0)
    return absl::ErrnoToStatus(errno, "cannot open the recording " + path);
  if (!S_ISREG(info.st_mode))
    return absl::InvalidArgumentError(path + " is neither a file nor a folder of a recording");
  return fd;
}

absl::StatusOr<std::string> FirstBytes(int fd, const std::string& path) {
  std::string bytes(kMagicBytes, '\0');
  const ssize_t read = pread(fd, bytes.data(), bytes.size(), 0);
  if (read < 0) return absl::ErrnoToStatus(errno, "cannot read the recording " + path);
  bytes.resize(static_cast<size_t>(read));
  return bytes;
}

// A file that has lost its name when its maker is gone.
class TemporaryFile {
 public:
  static absl::StatusOr<TemporaryFile> Create() {
    std::error_code failed;
    std::string path = (fs::temp_directory_path(failed) / "recording-XXXXXX").string();
    if (failed) return absl::FailedPreconditionError("there is no folder for temporary files");
    TemporaryFile file;
    file.fd_ = UniqueFd(mkostemp(path.data(), O_CLOEXEC));
    if (!file.fd_.valid()) return absl::ErrnoToStatus(errno, "cannot make " + path);
    file.path_ = path;
    return file;
  }
  TemporaryFile(TemporaryFile&& other) noexcept
      : fd_(std::move(other.fd_)), path_(std::exchange(other.path_, "")) {}
  ~TemporaryFile() {
    if (!path_.empty()) unlink(path_.c_str());
  }

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  uint64_t MostBytes() const {
    std::error_code unknown;
    const fs::space_info space = fs::space(path_, unknown);
    return unknown ? 0 : space.available / 2;
  }

 private:
  TemporaryFile() = default;
  UniqueFd fd_;
  std::string path_;
};

absl::StatusOr<std::unique_ptr<Container>> OpenPlain(std::string_view first, const Source& source) {
  if (first.starts_with(agent::recording::kMcapMagic)) return McapFile::Open(source);
  if (first.starts_with(kSqliteMagic)) return RosbagDb3::Open(source);
  if (first.starts_with(kUlogMagic)) return UlogFile::Open(source);
  return absl::InvalidArgumentError(absl::StrFormat(
      "%s is no recording that is known here: MCAP, rosbag2 (.db3, or a folder with its "
      "metadata.yaml), ULog, or one of these packed with zstd",
      source.name));
}

absl::StatusOr<std::unique_ptr<Container>> OpenPacked(int fd, const std::string& name) {
  ASSIGN_OR_RETURN(const TemporaryFile file, TemporaryFile::Create());
  const absl::StatusOr<uint64_t> size =
      agent::recording::UnpackZstdFile(fd, file.fd(), file.MostBytes());
  if (!size.ok())
    return absl::Status(size.status().code(),
                        absl::StrFormat("%s: %s", name, std::string(size.status().message())));
  ASSIGN_OR_RETURN(const std::string first, FirstBytes(file.fd(), name));
  ASSIGN_OR_RETURN(std::unique_ptr<Container> container, OpenPlain(first, {file.path(), name}));
  container->AddOuterCompression("zstd of the whole file");
  return container;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Container>> OpenContainer(const std::string& path) {
  ASSIGN_OR_RETURN(const UniqueFd fd, OpenFile(path));
  ASSIGN_OR_RETURN(const std::string first, FirstBytes(fd.get(), path));
  if (first.starts_with(agent::recording::kZstdMagic)) return OpenPacked(fd.get(), path);
  return OpenPlain(first, {path, path});
}

}  // namespace gatekeeper::ingest
