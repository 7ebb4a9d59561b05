#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "agent/base/unique_fd.h"
#include "tests/fuzz/target.h"

namespace fuzz {

// A file that stands nowhere, of these bytes, which may be sealed.
inline agent::base::UniqueFd MemoryFile(const uint8_t* data, size_t size) {
  agent::base::UniqueFd fd(memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  Check(fd.valid(), "no memory file can be made");
  for (size_t at = 0; at < size;) {
    const ssize_t written = write(fd.get(), data + at, size - at);
    Check(written > 0, "a memory file cannot be written");
    at += static_cast<size_t>(written);
  }
  return fd;
}

inline std::string PathOf(const agent::base::UniqueFd& fd) {
  return "/proc/self/fd/" + std::to_string(fd.get());
}

}  // namespace fuzz
