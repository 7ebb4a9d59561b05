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
// The same into memory that is kept, for those who may not allocate. What a caller does about each
// outcome, ReceivePacket's status says in words.
class PacketBuffer {
 public:
  PacketBuffer() : memory_(kMaxPacket) {}
  enum class Outcome { kPacket, kNothingYet, kClosed, kFailed, kTooLarge };
  Outcome Receive(int fd);

  // Of the last Receive that gave kPacket.
  std::string_view bytes() const { return {memory_.data(), size_}; }
  UniqueFd& attached() { return attached_; }

 private:
  std::vector<char> memory_;
  size_t size_ = 0;
  UniqueFd attached_;
};

// Non-blocking. kUnavailable: nothing there yet. kAborted: the peer closed. Truncation is
// kInvalidArgument.
absl::StatusOr<Packet> ReceivePacket(int fd);

}  // namespace agent::base
