#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <string>

#include "agent/base/unique_fd.h"

namespace tests {

// The side of sd_notify(3) that systemd has: a datagram socket that processes tell how they are.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path) : path_(path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof(address.sun_path)) std::abort();
    std::memcpy(address.sun_path, path.data(), path.size());
    if (path[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
    if (bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) std::abort();
  }
  const std::string& path() const { return path_; }

  // The next word; empty when none comes within `wait_ms`.
  std::string Next(int wait_ms) {
    pollfd readable{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (poll(&readable, 1, wait_ms) != 1) return "";
    char bytes[64];
    const ssize_t size = recv(fd_.get(), bytes, sizeof(bytes), 0);
    return size > 0 ? std::string(bytes, static_cast<size_t>(size)) : "";
  }
  void Forget() {
    while (!Next(0).empty()) {
    }
  }

 private:
  std::string path_;
  agent::base::UniqueFd fd_{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
};

}  // namespace tests
