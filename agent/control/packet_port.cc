#include "agent/control/packet_port.h"

#include <sys/socket.h>

#include "agent/base/status_macros.h"

namespace agent::control {

absl::StatusOr<PacketPort> PacketPort::Listen(const std::string& path) {
  ASSIGN_OR_RETURN(base::UniqueFd listener, base::ListenPackets(path));
  return PacketPort(std::move(listener));
}

void PacketPort::Accept() {
  base::UniqueFd peer(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!peer.valid() || peer_.valid()) return;
  // The answers are small, but a peer that reads in bursts shall find them all.
  const int buffer = 2 * static_cast<int>(base::kMaxPacket);
  setsockopt(peer.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
  peer_ = std::move(peer);
}

base::PacketBuffer* PacketPort::Receive() {
  if (!peer_.valid()) return nullptr;
  const base::PacketBuffer::Outcome outcome = packet_.Receive(peer_.get());
  if (outcome == base::PacketBuffer::Outcome::kPacket) return &packet_;
  if (outcome != base::PacketBuffer::Outcome::kNothingYet) Drop();
  return nullptr;
}

bool PacketPort::Send(std::string_view bytes) {
  return peer_.valid() && base::SendPacket(peer_.get(), bytes).ok();
}

}  // namespace agent::control
