#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/daemon/credentials.h"
#include "grpcpp/channel.h"
#include "grpcpp/support/status.h"

namespace agent::daemon {

struct Address {
  std::string host;
  uint16_t port = 0;
};
// "host:port" or "[::1]:port". kInvalidArgument otherwise.
absl::StatusOr<Address> ParseAddress(const std::string& text);

// A connection of its own to host:port: no two channels share one, so that an order never waits
// behind a download. With empty key and certificate only the server is verified.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address,
                                           const Credentials& credentials);

// kUnavailable for all that may be different next time (transport, overload, time out); otherwise
// the gatekeeper's own answer. The text says what it most likely means.
absl::Status FromGrpc(const grpc::Status& status, const std::string& address);

}  // namespace agent::daemon
