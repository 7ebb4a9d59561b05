#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/base/files.h"
#include "agent/trust/keys.h"
#include "proto/fleet.pb.h"

namespace agent::daemon {

// Who this robot is to its gatekeeper, in PEM: STATE/agent/{key,cert,ca}.pem, mode 0600. The key is
// made here and never leaves. cert.pem is written last: where it stands, the robot is enrolled.
struct Credentials {
  std::string key_pem;
  std::string certificate_pem;
  std::string ca_pem;
};

class CredentialStore {
 public:
  CredentialStore(base::Files& files, std::string state_folder);

  bool IsEnrolled() const { return files_.Exists(folder_ + "/cert.pem"); }
  // kNotFound: not enrolled. kPermissionDenied: the certificate does not hold at `wall_ms`, and
  // what to do about it.
  absl::StatusOr<Credentials> Load(int64_t wall_ms) const;
  // When the certificate has lived two thirds of its life, wall time.
  absl::StatusOr<int64_t> RenewAtMs() const;

  // The robot's key; made when there is none yet.
  absl::StatusOr<trust::PrivateKey> Key();
  // Keeps what an enrolment or a renewal brought, after checking that it fits: certificate for this
  // authority (`ca_pem`), valid now; a trust policy that parses.
  absl::Status Keep(const gatekeeper::v1::EnrolReply& reply, const std::string& ca_pem,
                    int64_t wall_ms);
  absl::StatusOr<std::string> CaPem() const;

 private:
  base::Files& files_;
  std::string state_;
  std::string folder_;
};

}  // namespace agent::daemon
