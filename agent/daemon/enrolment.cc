#include "agent/daemon/enrolment.h"

#include <poll.h>

#include <chrono>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/daemon/backoff.h"
#include "agent/daemon/channel.h"
#include "agent/trust/certificate.h"
#include "agent/trust/identity.h"
#include "agent/trust/pinned_ca.h"
#include "proto/fleet.grpc.pb.h"
#include "spdlog/spdlog.h"

namespace agent::daemon {
namespace {

namespace v1 = ::gatekeeper::v1;

constexpr std::chrono::seconds kDeadline(10);

absl::StatusOr<v1::EnrolReply> Ask(const EnrolOptions& options, const std::string& ca_pem,
                                   const std::string& csr_pem) {
  const auto channel =
      OpenChannel(options.address, {.key_pem = "", .certificate_pem = "", .ca_pem = ca_pem});
  const auto stub = v1::Enrolment::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  v1::EnrolRequest request;
  request.set_robot(options.robot);
  request.set_token(options.token);
  request.set_csr_pem(csr_pem);
  v1::EnrolReply reply;
  const absl::Status status = FromGrpc(stub->Enrol(&context, request, &reply), options.address);
  if (absl::IsPermissionDenied(status)) {
    return absl::PermissionDeniedError(
        absl::StrFormat("the gatekeeper refused to enrol robot %s: %s. A token works once, for the "
                        "robot it was made "
                        "for, and at most a day; `gatekeeper robot create` makes a new one",
                        options.robot, std::string(status.message())));
  }
  if (!status.ok()) return status;
  return reply;
}

// It must be a certificate for this very robot: another one would make two robots one.
absl::Status CheckName(const std::string& certificate_pem, const std::string& robot) {
  ASSIGN_OR_RETURN(const std::string found, trust::SpiffeId(certificate_pem));
  ASSIGN_OR_RETURN(const std::string wanted, trust::SpiffeUri({trust::Party::kRobot, robot}));
  if (found == wanted) return absl::OkStatus();
  return absl::PermissionDeniedError(
      absl::StrFormat("the certificate is for %s, wanted %s", found, wanted));
}

}  // namespace

absl::Status Enrol(const EnrolOptions& options, CredentialStore& store, const base::Clock& clock) {
  ASSIGN_OR_RETURN(const Address address, ParseAddress(options.address));
  ASSIGN_OR_RETURN(const trust::Digest pin, trust::Digest::Parse(options.ca_sha256));
  ASSIGN_OR_RETURN(const trust::PrivateKey key, store.Key());
  ASSIGN_OR_RETURN(const std::string ca_pem, trust::FetchPinnedCa(address.host, address.port, pin));
  ASSIGN_OR_RETURN(const std::string csr_pem, trust::MakeCsr(key));
  ASSIGN_OR_RETURN(const v1::EnrolReply reply, Ask(options, ca_pem, csr_pem));
  RETURN_IF_ERROR(CheckName(reply.certificate_pem(), options.robot));
  return store.Keep(reply, ca_pem, clock.WallMs());
}

absl::Status EnrolPatiently(const EnrolOptions& options, CredentialStore& store,
                            const base::Clock& clock, int stop_fd) {
  Backoff backoff;
  std::string said;
  while (true) {
    const absl::Status status = Enrol(options, store, clock);
    if (!absl::IsUnavailable(status)) return status;
    const std::string text(status.message());
    if (text != said) spdlog::warn("not enrolled yet, trying on: {}", text);
    said = text;
    pollfd stop{.fd = stop_fd, .events = POLLIN, .revents = 0};
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(backoff.Next());
    if (poll(&stop, 1, static_cast<int>(wait.count())) > 0) {
      return absl::CancelledError("stopped before the robot was enrolled");
    }
  }
}

}  // namespace agent::daemon
