#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/trust/certificate.h"
#include "gatekeeper/server/fleet_core.h"
#include "gatekeeper/store/store.h"
#include "proto/fleet.pb.h"

namespace gatekeeper::server {

// Gives robots their certificates: seven days, the name from the token or from the certificate they
// hold, never from the request to sign. Hold the core's lock around every call.
class Enroller {
 public:
  Enroller(store::Store& store, agent::trust::CertificateAuthority authority,
           std::string trust_json)
      : store_(store), authority_(std::move(authority)), trust_json_(std::move(trust_json)) {}

  // kPermissionDenied: the token is not good for this robot (which of unknown, used, expired,
  // another robot's is not told). A request that cannot be signed leaves the token unused.
  absl::StatusOr<v1::EnrolReply> Enrol(const v1::EnrolRequest& request, Moment now);
  absl::StatusOr<v1::EnrolReply> Renew(const std::string& robot, const std::string& csr_pem,
                                       Moment now);
  // What the robot's side pins, hex SHA-256 of the authority's certificate.
  absl::StatusOr<std::string> AuthoritySha256() const;

 private:
  absl::StatusOr<v1::EnrolReply> Sign(const std::string& robot, const std::string& csr_pem,
                                      Moment now) const;

  store::Store& store_;
  agent::trust::CertificateAuthority authority_;
  std::string trust_json_;
};

}  // namespace gatekeeper::server
