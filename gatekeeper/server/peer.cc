#include "gatekeeper/server/peer.h"

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/trust/identity.h"
#include "grpc/grpc_security_constants.h"
#include "grpcpp/security/auth_context.h"

namespace gatekeeper::server {
namespace {

using agent::trust::Identity;
using agent::trust::Party;

// gRPC gives the property only when the verified certificate has exactly one SPIFFE URI.
absl::StatusOr<Identity> PeerOf(const grpc::ServerContextBase& context) {
  const auto authentication = context.auth_context();
  if (authentication == nullptr || !authentication->IsPeerAuthenticated()) {
    return absl::PermissionDeniedError("the caller showed no certificate of this gatekeeper");
  }
  const auto uris = authentication->FindPropertyValues(GRPC_PEER_SPIFFE_ID_PROPERTY_NAME);
  if (uris.size() != 1) {
    return absl::PermissionDeniedError("the caller's certificate does not name one party");
  }
  return agent::trust::ParseSpiffe(std::string_view(uris[0].data(), uris[0].size()));
}

const char* Word(Party party) {
  switch (party) {
    case Party::kRobot:
      return "a robot's";
    case Party::kOperator:
      return "an operator's";
    default:
      return "the server's";
  }
}

absl::StatusOr<std::string> NameOf(const grpc::ServerContextBase& context, Party wanted) {
  ASSIGN_OR_RETURN(const Identity peer, PeerOf(context));
  if (peer.party == wanted) return peer.name;
  return absl::PermissionDeniedError(absl::StrFormat(
      "this call is for %s certificate, the caller showed %s", Word(wanted), Word(peer.party)));
}

}  // namespace

absl::StatusOr<std::string> RobotOf(const grpc::ServerContextBase& context) {
  return NameOf(context, Party::kRobot);
}

absl::StatusOr<std::string> OperatorOf(const grpc::ServerContextBase& context) {
  ASSIGN_OR_RETURN(const std::string name, NameOf(context, Party::kOperator));
  return "operator/" + name;
}

grpc::Status ToGrpc(const absl::Status& status) {
  // Both number their codes alike.
  return {static_cast<grpc::StatusCode>(status.raw_code()), std::string(status.message())};
}

}  // namespace gatekeeper::server
