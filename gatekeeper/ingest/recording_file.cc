#include "gatekeeper/ingest/recording_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/unique_fd.h"
#include "agent/recording/mcap_records.h"
#include "gatekeeper/ingest/container.h"
#include "gatekeeper/ingest/mcap_file.h"

namespace gatekeeper::ingest {
namespace {

constexpr size_t kMagicBytes = 16;  // the longest of those below

absl::StatusOr<std::string> FirstBytes(const std::string& path) {
  const agent::base::UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!fd.valid() || fstat(fd.get(), &info) != 0)
    return absl::ErrnoToStatus(errno, "cannot open the recording " + path);
  if (!S_ISREG(info.st_mode))
    return absl::InvalidArgumentError(path + " is neither a file nor a folder of a recording");
  std::string bytes(kMagicBytes, '\0');
  const ssize_t read = pread(fd.get(), bytes.data(), bytes.size(), 0);
  if (read < 0) return absl::ErrnoToStatus(errno, "cannot read the recording " + path);
  bytes.resize(static_cast<size_t>(read));
  return bytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RecordingFile>> OpenRecording(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string first, FirstBytes(path));
  if (first.starts_with(agent::recording::kMcapMagic)) return McapFile::Open({path, path});
  return absl::InvalidArgumentError(path + " is no recording that is known here: MCAP");
}

}  // namespace gatekeeper::ingest
