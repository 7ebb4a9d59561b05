#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/control.pb.h"
#include "proto/fleet.pb.h"

namespace agent::lifecycle {

// Takes the next piece of a blob; an error ends the transfer and is handed back.
using Sink = std::function<absl::Status(std::string_view bytes)>;

// The gatekeeper as a robot sees it: one of the four seams that tests replace. kUnavailable, and
// only that, means "try again later".
class GatekeeperLink {
 public:
  virtual ~GatekeeperLink() = default;
  // Orders channel. Never blocks: queues, keeping only the newest ObservedState that waits.
  virtual absl::Status Send(const gatekeeper::v1::AgentMessage& message) = 0;
  // Bulk channel, a connection of its own; these two block and are called from the Porter's thread.
  virtual absl::StatusOr<gatekeeper::v1::UnitPapers> GetUnit(const std::string& digest) = 0;
  virtual absl::Status FetchBlob(const std::string& sha256, uint64_t offset, const Sink& sink) = 0;
};

// gatekeeper-control behind its socket.
class ControlLink {
 public:
  virtual ~ControlLink() = default;
  // Never blocks. kUnavailable: control is not there.
  virtual absl::Status Send(const gatekeeper::v1::ControlOrder& order) = 0;
};

}  // namespace agent::lifecycle
