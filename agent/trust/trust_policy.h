#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/trust/keys.h"

namespace agent::trust {

inline constexpr size_t kMaxTrustBytes = size_t{64} << 10;  // of a trust.json

// A build key says who made a unit, a gate key says that the gates held. Neither suffices alone. An
// approver key is one person in one role, and speaks only when a robot shall be re-armed.
enum class KeyClass { kBuild, kGate, kApprover };

struct TrustedKey {
  KeyClass key_class;
  std::string name;  // for people: "build", "gate-2"; of an approver: the person
  PublicKey key;
  std::string role = {};  // of an approver: "local_operator"; else empty
};

// trust.json: which keys may say what, and the verdict a robot wants to see before it runs a unit.
//   {"keys":[{"class":"build"|"gate","name":...,"pem":...},
//            {"class":"approver","name":...,"pem":...,"role":...}],"level":"ROBOT_GATES_L1",
//    "schema":"trust/1","verifier_id":"..."}
// Without approvers nobody can re-arm; a build and a gate key must be there.
class TrustPolicy {
 public:
  // Strict: unknown, missing or repeated fields, more than 64 KiB, no key of class build or gate,
  // and a key listed twice (under whatever class, name or role) are kInvalidArgument.
  static absl::StatusOr<TrustPolicy> Parse(std::string_view bytes);
  static absl::StatusOr<TrustPolicy> Make(std::vector<TrustedKey> keys, std::string verifier_id,
                                          std::string level);

  std::string ToJson() const;  // canonical
  const std::vector<TrustedKey>& keys() const { return keys_; }
  std::vector<PublicKey> Keys(KeyClass key_class) const;
  const std::string& verifier_id() const {
    return verifier_id_;
  }                                                    // URI of the gatekeeper that judges
  const std::string& level() const { return level_; }  // e.g. ROBOT_GATES_L1

 private:
  TrustPolicy() = default;

  std::vector<TrustedKey> keys_;
  std::string verifier_id_;
  std::string level_;
};

}  // namespace agent::trust
