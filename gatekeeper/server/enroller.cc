#include "gatekeeper/server/enroller.h"

#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "agent/trust/identity.h"
#include "gatekeeper/server/audit_entry.h"

namespace gatekeeper::server {
namespace {

// Robots renew at two thirds of it; a robot that stays away longer is enrolled anew by a person.
constexpr std::chrono::hours kCertificateLife(7 * 24);
constexpr size_t kMostCsrBytes = 16 * 1024;

}  // namespace

absl::StatusOr<v1::EnrolReply> Enroller::Sign(const std::string& robot, const std::string& csr_pem,
                                              Moment now) const {
  if (csr_pem.empty() || csr_pem.size() > kMostCsrBytes) {
    return absl::InvalidArgumentError("the request to sign is empty or larger than 16 KiB");
  }
  v1::EnrolReply reply;
  ASSIGN_OR_RETURN(*reply.mutable_certificate_pem(),
                   authority_.Issue({.csr_pem = csr_pem,
                                     .identity = {agent::trust::Party::kRobot, robot},
                                     .life = kCertificateLife},
                                    now.wall_ms));
  reply.set_ca_pem(authority_.Pem());
  reply.set_trust_json(trust_json_);
  return reply;
}

absl::StatusOr<v1::EnrolReply> Enroller::Enrol(const v1::EnrolRequest& request, Moment now) {
  ASSIGN_OR_RETURN(const v1::EnrolReply reply, Sign(request.robot(), request.csr_pem(), now));
  // Signed first, shown only once the token is used up for good.
  RETURN_IF_ERROR(store_.Atomically([&]() -> absl::Status {
    RETURN_IF_ERROR(
        store_.UseToken(agent::trust::Sha256(request.token()).hex(), request.robot(), now.wall_ms));
    return store_.Audit(
        AuditEntryOf("robot/" + request.robot(), "robot.enrol", request.robot(), "", now));
  }));
  return reply;
}

absl::StatusOr<v1::EnrolReply> Enroller::Renew(const std::string& robot, const std::string& csr_pem,
                                               Moment now) {
  RETURN_IF_ERROR(store_.FindRobot(robot).status());
  ASSIGN_OR_RETURN(const v1::EnrolReply reply, Sign(robot, csr_pem, now));
  RETURN_IF_ERROR(store_.Audit(AuditEntryOf("robot/" + robot, "robot.renew", robot, "", now)));
  return reply;
}

absl::StatusOr<std::string> Enroller::AuthoritySha256() const {
  ASSIGN_OR_RETURN(const agent::trust::Digest digest,
                   agent::trust::CertificateDigest(authority_.Pem()));
  return digest.hex();
}

}  // namespace gatekeeper::server
