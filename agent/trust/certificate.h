#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/trust/hash.h"
#include "agent/trust/identity.h"
#include "agent/trust/keys.h"

namespace agent::trust {

// A PKCS#10 request for `key`, PEM. Names in it would be ignored, so it carries none.
absl::StatusOr<std::string> MakeCsr(const PrivateKey& key);

struct CertificateOrder {
  // PEM. Its self-signature is checked; its names and extensions are ignored.
  std::string csr_pem = {};
  // Robots and operators get clientAuth, the server serverAuth.
  Identity identity;
  std::chrono::hours life{24};
  // DNS names or IP addresses of the server, beside localhost and 127.0.0.1.
  std::vector<std::string> server_names = {};
};

// Signs the X.509 certificates that mTLS runs on. Time is an argument: `wall_ms` since 1970.
class CertificateAuthority {
 public:
  // Self-signed, for `days`.
  static absl::StatusOr<CertificateAuthority> Create(PrivateKey key, const std::string& name,
                                                     int days, int64_t wall_ms);
  // kInvalidArgument when `certificate_pem` is not this key's CA certificate.
  static absl::StatusOr<CertificateAuthority> Load(PrivateKey key,
                                                   std::string_view certificate_pem);

  const std::string& Pem() const { return pem_; }
  // A certificate with one URI name, valid from 5 minutes before `wall_ms` (robot clocks lag) and
  // never longer than this authority's own. kPermissionDenied: the CSR's self-signature does not
  // hold.
  absl::StatusOr<std::string> Issue(const CertificateOrder& order, int64_t wall_ms) const;

 private:
  CertificateAuthority(PrivateKey key, std::string pem);

  PrivateKey key_;
  std::string pem_;
};

// The SPIFFE URI of a certificate. kPermissionDenied unless it carries exactly one URI name, of our
// form.
absl::StatusOr<std::string> SpiffeId(std::string_view certificate_pem);
absl::StatusOr<int64_t> NotBeforeMs(std::string_view certificate_pem);
absl::StatusOr<int64_t> NotAfterMs(std::string_view certificate_pem);
// SHA-256 of the DER bytes, as `openssl x509 -fingerprint -sha256` prints it: pins a CA.
absl::StatusOr<Digest> CertificateDigest(std::string_view certificate_pem);

// Was `certificate_pem` issued by `ca_pem` for this kind of party, and is it valid at `wall_ms`?
// kPermissionDenied with the reason (expired, not yet valid, other authority, wrong use).
absl::Status CheckCertificate(std::string_view certificate_pem, std::string_view ca_pem,
                              int64_t wall_ms);

}  // namespace agent::trust
