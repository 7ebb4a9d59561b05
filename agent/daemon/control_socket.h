#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/unique_fd.h"
#include "agent/lifecycle/links.h"

namespace agent::daemon {

// STATE/control/agent.sock, where gatekeeper-control listens. Never blocks; one thread.
class ControlSocket final : public lifecycle::ControlLink {
 public:
  explicit ControlSocket(std::string path) : path_(std::move(path)) {}

  // kUnavailable: control is not there (yet).
  absl::Status Connect();
  // Poll it for reading; -1 while there is no connection.
  int fd() const { return fd_.get(); }
  // kUnavailable: not connected, or control does not take orders just now.
  absl::Status Send(const gatekeeper::v1::ControlOrder& order) override;
  // Everything that came. kAborted: control closed; the connection is gone then.
  absl::StatusOr<std::vector<gatekeeper::v1::ControlReport>> Receive();

 private:
  const std::string path_;
  base::UniqueFd fd_;
};

}  // namespace agent::daemon
