#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/trust/keys.h"

namespace agent::trust {

// A build key says who made a unit, a gate key says that the gates held. Neither suffices alone.
enum class KeyClass { kBuild, kGate };

struct TrustedKey {
  KeyClass key_class;
  std::string name;  // for people: "build", "gate-2"
  PublicKey key;
};

// trust.json: which keys may say what, and the verdict a robot wants to see before it runs a unit.
//   {"keys":[{"class":"build"|"gate","name":...,"pem":...}],"level":"ROBOT_GATES_L1",
//    "schema":"trust/1","verifier_id":"..."}
class TrustPolicy {
 public:
  // Strict: unknown, missing or repeated fields, more than 64 KiB, a class without a key, and a key
  // listed twice (under whatever class) are kInvalidArgument.
  static absl::StatusOr<TrustPolicy> Parse(std::string_view bytes);
  static absl::StatusOr<TrustPolicy> Make(std::vector<TrustedKey> keys, std::string verifier_id,
                                          std::string level);

  std::string ToJson() const;  // canonical
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
