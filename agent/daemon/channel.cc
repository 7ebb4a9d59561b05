#include "agent/daemon/channel.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace agent::daemon {
namespace {

// The stream's own heartbeats show life each second; pings only find connections that carry
// nothing.
constexpr int kPingEveryMs = 30'000;
constexpr int kPingTimeoutMs = 10'000;

// gRPC says what OpenSSL said; people need to hear what it means.
std::string Meaning(const std::string& message) {
  const std::string lower = absl::AsciiStrToLower(message);
  if (absl::StrContains(lower, "certificate verify failed") ||
      absl::StrContains(lower, "certificate_verify_failed")) {
    return "its certificate is not one of the authority in agent/ca.pem, or is for another "
           "address: "
           "wrong server, or the gatekeeper has a new authority and this robot must enrol again";
  }
  if (absl::StrContains(lower, "handshake failed")) {
    return "no TLS handshake: is this the agents' port of a gatekeeper?";
  }
  if (absl::StrContains(lower, "connection refused")) {
    return "nobody listens there: is the gatekeeper running?";
  }
  return "";
}

absl::StatusCode CodeOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::DATA_LOSS:
      return static_cast<absl::StatusCode>(code);
    default:
      return absl::StatusCode::kUnavailable;
  }
}

}  // namespace

absl::StatusOr<Address> ParseAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  int port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 1 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrFormat("'%s' is not an address: wanted host:port", text));
  }
  std::string host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return Address{std::move(host), static_cast<uint16_t>(port)};
}

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address,
                                           const Credentials& credentials) {
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = credentials.ca_pem;
  tls.pem_private_key = credentials.key_pem;
  tls.pem_cert_chain = credentials.certificate_pem;
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kPingEveryMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY,
                   0);  // a robot talks to its gatekeeper and nobody else
  return grpc::CreateCustomChannel(address, grpc::SslCredentials(tls), arguments);
}

absl::Status FromGrpc(const grpc::Status& status, const std::string& address) {
  if (status.ok()) return absl::OkStatus();
  const std::string meaning = Meaning(status.error_message());
  const std::string text =
      meaning.empty()
          ? absl::StrFormat("gatekeeper %s: %s", address, status.error_message())
          : absl::StrFormat("gatekeeper %s: %s (%s)", address, meaning, status.error_message());
  return absl::Status(CodeOf(status.error_code()), text);
}

}  // namespace agent::daemon
