#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/status.h"

namespace gatekeeper::server {

// The robot that calls, from its certificate's SPIFFE URI and nothing else. kPermissionDenied: the
// caller is not a robot.
absl::StatusOr<std::string> RobotOf(const grpc::ServerContextBase& context);

// "operator/mara", likewise. kPermissionDenied: the caller is not an operator.
absl::StatusOr<std::string> OperatorOf(const grpc::ServerContextBase& context);

grpc::Status ToGrpc(const absl::Status& status);

}  // namespace gatekeeper::server
