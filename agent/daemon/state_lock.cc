#include "agent/daemon/state_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <system_error>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"

namespace agent::daemon {

absl::StatusOr<base::UniqueFd> LockState(const std::string& state_folder) {
  const std::string folder = state_folder + "/agent";
  base::OsFiles files;
  RETURN_IF_ERROR(files.MakeFolders(folder));
  const std::string path = folder + "/lock";
  base::UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const auto reason = [] { return std::generic_category().message(errno); };
  if (!fd.valid()) {
    return absl::PermissionDeniedError(
        absl::StrFormat("open %s: %s; the state folder must be writable", path, reason()));
  }
  if (flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (errno != EWOULDBLOCK)
    return absl::InternalError(absl::StrFormat("flock %s: %s", path, reason()));
  return absl::AlreadyExistsError(absl::StrFormat(
      "another gatekeeper-agent already works in %s; stop it first, or give this one "
      "a --state of its own",
      state_folder));
}

}  // namespace agent::daemon
