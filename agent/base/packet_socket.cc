#include "agent/base/packet_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"

namespace agent::base {
namespace {

std::string ErrnoText(int error) { return std::generic_category().message(error); }

absl::StatusOr<sockaddr_un> AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("socket path %s has %d bytes; the kernel takes at most %d: use a shorter "
                        "state folder",
                        path, path.size(), sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

absl::StatusOr<UniqueFd> NewSocket() {
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return absl::InternalError("socket: " + ErrnoText(errno));
  const int buffer = 2 * static_cast<int>(kMaxPacket);
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
  return fd;
}

}  // namespace

absl::StatusOr<UniqueFd> ListenPackets(const std::string& path) {
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  if (ConnectPackets(path).ok()) {
    return absl::AlreadyExistsError("another process already serves " + path);
  }
  ASSIGN_OR_RETURN(UniqueFd fd, NewSocket());
  unlink(path.c_str());
  const mode_t before = umask(0177);
  const int bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = errno;
  umask(before);
  if (bound != 0) return absl::InternalError("bind " + path + ": " + ErrnoText(error));
  if (listen(fd.get(), 8) != 0) {
    return absl::InternalError("listen " + path + ": " + ErrnoText(errno));
  }
  return fd;
}

absl::StatusOr<UniqueFd> ConnectPackets(const std::string& path) {
  ASSIGN_OR_RETURN(const sockaddr_un address, AddressOf(path));
  ASSIGN_OR_RETURN(UniqueFd fd, NewSocket());
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return absl::UnavailableError("connect " + path + ": " + ErrnoText(errno));
  }
  return fd;
}

absl::Status SendPacket(int fd, std::string_view bytes, int attached_fd) {
  if (bytes.size() > kMaxPacket) {
    return absl::InvalidArgumentError(
        absl::StrFormat("packet of %d bytes; at most %d are allowed", bytes.size(), kMaxPacket));
  }
  iovec part{const_cast<char*>(bytes.data()), bytes.size()};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  if (attached_fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof(control);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &attached_fd, sizeof(int));
  }
  if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    return absl::UnavailableError("send: " + ErrnoText(errno));
  }
  return absl::OkStatus();
}

PacketBuffer::Outcome PacketBuffer::Receive(int fd) {
  size_ = 0;
  attached_.reset();
  iovec part{memory_.data(), memory_.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  const ssize_t n = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0) {
    const bool empty = errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    return empty ? Outcome::kNothingYet : Outcome::kFailed;
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
      int attached = -1;
      std::memcpy(&attached, CMSG_DATA(header), sizeof(int));
      attached_.reset(attached);
    }
  }
  if (n == 0) return Outcome::kClosed;
  if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) return Outcome::kTooLarge;
  size_ = static_cast<size_t>(n);
  return Outcome::kPacket;
}

absl::StatusOr<Packet> ReceivePacket(int fd) {
  PacketBuffer buffer;
  switch (buffer.Receive(fd)) {
    case PacketBuffer::Outcome::kPacket:
      break;
    case PacketBuffer::Outcome::kNothingYet:
      return absl::UnavailableError("receive: " + ErrnoText(errno));
    case PacketBuffer::Outcome::kClosed:
      return absl::AbortedError("the peer closed the socket");
    case PacketBuffer::Outcome::kFailed:
      return absl::AbortedError("receive: " + ErrnoText(errno));
    case PacketBuffer::Outcome::kTooLarge:
      return absl::InvalidArgumentError(
          absl::StrFormat("packet larger than %d bytes was cut off", kMaxPacket));
  }
  return Packet{.bytes = std::string(buffer.bytes()), .attached = std::move(buffer.attached())};
}

}  // namespace agent::base
