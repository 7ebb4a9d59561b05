#include "agent/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_format.h"

namespace agent::base {

absl::StatusOr<UniqueFd> WaitForLock(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd.valid()) return absl::UnavailableError(absl::StrFormat("%s: %s", path, strerror(errno)));
  while (flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR)
      return absl::UnavailableError(absl::StrFormat("lock %s: %s", path, strerror(errno)));
  }
  return fd;
}

}  // namespace agent::base
