#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "agent/base/unique_fd.h"
#include "agent/trust/certificate.h"
#include "agent/trust/trust_policy.h"

namespace gatekeeper::server {

// The gatekeeper's folder while one process serves it.
struct Home {
  agent::base::UniqueFd lock;  // held by this process; let go when it ends, however it ends
  agent::trust::CertificateAuthority authority;
  agent::trust::TrustPolicy trust;
  std::string trust_json;
  std::string server_key_pem;
  std::string
      server_chain_pem;  // the server's certificate and its authority's: robots pin the latter
  std::string ca_pem;
};

// kAlreadyExists: another gatekeeper serves this home. kNotFound: a key file is missing.
// kPermissionDenied: a key is readable by others, or server.pem is no longer valid.
absl::StatusOr<Home> OpenHome(const std::string& folder, int64_t wall_ms);

}  // namespace gatekeeper::server
