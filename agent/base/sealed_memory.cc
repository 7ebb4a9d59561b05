#include "agent/base/sealed_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_format.h"

namespace agent::base {

namespace {

constexpr int kSeals = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK;

absl::Status Failed(const char* what) {
  return absl::InternalError(absl::StrFormat("cannot %s: %s", what, std::strerror(errno)));
}

absl::Status WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return Failed("fill a memfd");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> SealBytes(const std::string& name, std::string_view bytes) {
  UniqueFd fd(memfd_create(name.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return Failed("create a memfd");
  if (const absl::Status written = WriteAll(fd.get(), bytes); !written.ok()) return written;
  if (fcntl(fd.get(), F_ADD_SEALS, kSeals | F_SEAL_SEAL) != 0) return Failed("seal a memfd");
  return fd;
}

absl::StatusOr<SealedView> SealedView::Map(int fd, size_t cap) {
  const int seals = fcntl(fd, F_GET_SEALS);
  if (seals < 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("descriptor %d is not sealed memory: %s", fd, std::strerror(errno)));
  }
  if ((seals & kSeals) != kSeals) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "descriptor %d can still be changed (seals %#x, wanted write, grow and shrink)", fd,
        seals));
  }
  struct stat status {};
  if (fstat(fd, &status) != 0) return Failed("stat sealed memory");
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0 || size > cap) {
    return absl::InvalidArgumentError(
        absl::StrFormat("sealed memory holds %d bytes, wanted 1 to %d", size, cap));
  }
  void* memory = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (memory == MAP_FAILED) return Failed("map sealed memory");
  return SealedView(std::string_view(static_cast<const char*>(memory), size));
}

SealedView::SealedView(SealedView&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

SealedView::~SealedView() {
  if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace agent::base
