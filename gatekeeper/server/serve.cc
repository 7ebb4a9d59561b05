#include "gatekeeper/server/serve.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <memory>
#include <mutex>

#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "agent/base/clock.h"
#include "agent/base/handle.h"
#include "agent/base/status_macros.h"
#include "agent/base/unique_fd.h"
#include "gatekeeper/server/agent_link.h"
#include "gatekeeper/server/home.h"
#include "gatekeeper/server/hub.h"
#include "gatekeeper/server/operator_service.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "spdlog/spdlog.h"

namespace gatekeeper::server {
namespace {

// Short beside the demo's shortest stretch (2 s), long beside one look at a fleet (about 1 ms for a
// thousand robots).
constexpr std::chrono::milliseconds kPollEvery(50);
constexpr int kPingEveryMs = 30'000;  // heartbeats show life; pings find half-open connections
constexpr int kPingTimeoutMs = 10'000;
constexpr std::chrono::milliseconds kShutdownGrace(200);

// gRPC says only that it could not listen; the socket says why.
absl::Status WhyNotListening(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0) {
    return absl::InvalidArgumentError(
        absl::StrFormat("\"%s\" is no address to listen on: wanted HOST:PORT", address));
  }
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), address.c_str() + colon + 1, &hints, &found)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("cannot listen on %s: %s", address, gai_strerror(error)));
  }
  const agent::base::Handle<addrinfo, freeaddrinfo> list(found);
  const agent::base::UniqueFd fd(socket(list->ai_family, list->ai_socktype, list->ai_protocol));
  const bool bound = fd.valid() && bind(fd.get(), list->ai_addr, list->ai_addrlen) == 0;
  const int error = bound ? 0 : errno;
  if (error == EADDRINUSE) {
    return absl::AlreadyExistsError(absl::StrFormat(
        "cannot listen on %s: the port is in use; stop what listens there or choose another",
        address));
  }
  return absl::UnavailableError(absl::StrFormat("cannot listen on %s: %s", address,
                                                bound ? "gRPC refused" : strerror(error)));
}

absl::StatusOr<std::unique_ptr<grpc::Server>> Listen(const std::string& address,
                                                     const grpc::SslServerCredentialsOptions& tls,
                                                     const std::vector<grpc::Service*>& services,
                                                     int& port) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::SslServerCredentials(tls), &port);
  // Off, or a second gatekeeper would quietly share the port and half of the robots.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kPingEveryMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kPingTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingEveryMs / 3);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) return WhyNotListening(address);
  return server;
}

grpc::SslServerCredentialsOptions MutualTls(const Home& home) {
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_root_certs = home.ca_pem;
  tls.pem_key_cert_pairs.push_back({home.server_key_pem, home.server_chain_pem});
  return tls;
}

grpc::SslServerCredentialsOptions ServerTls(const Home& home) {
  grpc::SslServerCredentialsOptions tls(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  tls.pem_key_cert_pairs.push_back({home.server_key_pem, home.server_chain_pem});
  return tls;
}

// Until `stop`. Trouble with the store is said once, and again when it has changed.
void PollUntil(Hub& hub, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any woken;
  std::unique_lock lock(mutex);
  std::string said;
  while (!woken.wait_for(lock, stop, kPollEvery, [&] { return stop.stop_requested(); })) {
    const absl::Status polled = hub.Poll();
    const std::string text(polled.message());
    if (!polled.ok() && text != said) spdlog::error("{}", text);
    said = text;
  }
}

}  // namespace

absl::Status RunServer(const ServeOptions& options,
                       const std::function<void(const BoundPorts&)>& ready, std::stop_token stop) {
  // Debian builds Abseil with a lock graph in every mutex; gRPC's cost up to a third more with it.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  const agent::base::SystemClock clock;
  ASSIGN_OR_RETURN(const Home home, OpenHome(options.home, clock.WallMs()));
  ASSIGN_OR_RETURN(const auto store, store::Store::Open(options.home + "/gatekeeper.db"));
  if (const absl::Status trail = store->VerifyAudit(); !trail.ok()) {
    // Robots must be served all the same; `gatekeeper audit` shows it to people.
    spdlog::error("{}", std::string(trail.message()));
  }
  ASSIGN_OR_RETURN(store::BlobFolder blobs, store::BlobFolder::Open(options.home + "/blobs"));
  const Moment now{std::chrono::duration_cast<std::chrono::milliseconds>(clock.Now()).count(),
                   clock.WallMs()};
  ASSIGN_OR_RETURN(const auto core, FleetCore::Open(*store, blobs, now));
  Enroller enroller(*store, home.authority, home.trust_json);
  Hub hub(*core, enroller, *store, blobs, home.trust, clock);
  AgentLinkService agent_link(hub);
  OperatorService operators(hub);
  EnrolmentService enrolment(hub);
  BoundPorts ports;
  ASSIGN_OR_RETURN(const auto server,
                   Listen(options.listen, MutualTls(home), {&agent_link, &operators}, ports.port));
  ASSIGN_OR_RETURN(const auto enrol_server,
                   Listen(options.enrol_listen, ServerTls(home), {&enrolment}, ports.enrol_port));
  ready(ports);
  PollUntil(hub, std::move(stop));
  const auto deadline = std::chrono::system_clock::now() + kShutdownGrace;
  server->Shutdown(deadline);
  enrol_server->Shutdown(deadline);
  server->Wait();
  enrol_server->Wait();
  return absl::OkStatus();
}

}  // namespace gatekeeper::server
