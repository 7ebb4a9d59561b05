#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/unique_fd.h"

namespace agent::base {

// SOCK_SEQPACKET unix sockets: one send is one receive, so a packet needs no framing.
inline constexpr size_t kMaxPacket = 192 * 1024;

// Replaces a stale socket file. Mode 0600. kAlreadyExists when a live process still listens there.
absl::StatusOr<UniqueFd> ListenPackets(const std::string& path);
absl::StatusOr<UniqueFd> ConnectPackets(const std::string& path);
// Non-blocking. kUnavailable: nobody there or its queue is full.
absl::Status SendPacket(int fd, std::string_view bytes, int attached_fd = -1);

struct Packet {
  std::string bytes;
  UniqueFd attached;  // a memfd sent beside the packet
};
// Non-blocking. kUnavailable: nothing there yet. kAborted: the peer closed. Truncation is
// kInvalidArgument.
absl::StatusOr<Packet> ReceivePacket(int fd);

}  // namespace agent::base
