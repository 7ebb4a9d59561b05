#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "agent/base/packet_socket.h"
#include "agent/base/unique_fd.h"

namespace agent::control {

// A listening socket with room for one peer at a time. A second one is turned away for as long as
// the first is connected.
class PacketPort {
 public:
  static absl::StatusOr<PacketPort> Listen(const std::string& path);

  bool connected() const { return peer_.valid(); }
  int listener_fd() const { return listener_.get(); }
  int peer_fd() const { return peer_.get(); }  // -1: nobody

  void Accept();
  // The next packet, until the next call; null: nothing more for now, or nobody (any more).
  base::PacketBuffer* Receive();
  // Best effort: a peer that does not read misses packets, it never holds up the sender.
  bool Send(std::string_view bytes);
  void Drop() { peer_.reset(); }

 private:
  explicit PacketPort(base::UniqueFd listener) : listener_(std::move(listener)) {}
  base::UniqueFd listener_;
  base::UniqueFd peer_;
  base::PacketBuffer packet_;
};

}  // namespace agent::control
