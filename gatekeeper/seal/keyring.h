#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/trust/keys.h"
#include "agent/trust/rearm_approval.h"
#include "agent/trust/trust_policy.h"

namespace gatekeeper::seal {

// A gatekeeper's own key material, one folder of mode 0700:
//   ca.key ca.pem          the authority that robots, operators and the server are certified by
//   server.key server.pem  TLS of `gatekeeper serve`
//   build.key build.pub    signs units      gate.key gate.pub    signs gate verdicts
//   trust.json             what robots get at enrolment
//   approver-<name>.key approver-<name>.pub   made for a person who brought no key of their own
//   operator-<name>.key operator-<name>.pem
// Keys have mode 0600.

// Makes the folder, whole or not at all. `server_names`: DNS names and IP addresses that robots
// will call the server by, beside localhost. kAlreadyExists when the folder holds anything: nothing
// is overwritten.
absl::Status InitKeyring(const std::string& folder, const std::vector<std::string>& server_names,
                         int64_t wall_ms);

// Paths of a key pair for mTLS.
struct ClientFiles {
  std::string key_path;
  std::string certificate_path;
};

// A new key and certificate spiffe://gatekeeper/operator/<name>. kAlreadyExists while the one there
// is still valid; an expired pair is replaced. The certificate is written last and marks the pair
// complete.
absl::StatusOr<ClientFiles> IssueOperator(const std::string& folder, const std::string& name,
                                          std::chrono::hours life, int64_t wall_ms);

// Lists a person in trust.json who may approve re-arms in `role`: by the public key in
// `public_key_path`, or, when that is empty, by a key pair made here, to be handed to that person;
// its private half's path is returned. kAlreadyExists: that pair is there; kInvalidArgument: the
// key, name or role, also a key that is listed already.
absl::StatusOr<std::string> AddApprover(const std::string& folder,
                                        const agent::trust::Approver& approver,
                                        const std::string& public_key_path);

// What Seal signs with.
struct SealKeys {
  agent::trust::PrivateKey build;
  agent::trust::PrivateKey gate;
  agent::trust::TrustPolicy trust;
};
// kFailedPrecondition when build.key or gate.key is not the key that trust.json lists.
absl::StatusOr<SealKeys> LoadSealKeys(const std::string& folder);

}  // namespace gatekeeper::seal
