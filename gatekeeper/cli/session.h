#pragma once

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"
#include "grpcpp/grpcpp.h"
#include "proto/fleet.grpc.pb.h"

namespace gatekeeper::cli {

// What every verb of one call shares: where the server is, who calls, how to print.
struct Session {
  std::string server = "127.0.0.1:7443";
  std::string home = "gatekeeper-home";
  std::string operator_name;  // empty: the only operator whose key is in the home
  std::string output = "table";
  std::string version;  // of this program, as `gatekeeper --version` tells it
  int exit_code = 0;

  bool json() const { return output == "json"; }
};

// A stub over mutual TLS with the operator's key of the home. kNotFound or kPermissionDenied say
// what to do when there is no key, or its certificate has run out.
absl::StatusOr<std::unique_ptr<v1::Operator::Stub>> Connect(const Session& session);

// A gRPC failure in our words: unreachable, not allowed, or what the server said.
absl::Status FromRemote(const grpc::Status& status, const Session& session);

// protobuf's JSON with the field names of the .proto files.
void PrintJson(const google::protobuf::Message& message);

}  // namespace gatekeeper::cli
