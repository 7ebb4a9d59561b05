#include "agent/trust/trust_policy.h"
#include "tests/fuzz/target.h"

// trust.json

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 16'384, .per_input_byte = 64};

std::vector<std::string> fuzz::Seeds() {
  using agent::trust::KeyClass;
  using agent::trust::PrivateKey;
  const auto trust = agent::trust::TrustPolicy::Make(
      {{KeyClass::kBuild, "build", PrivateKey::Generate()->public_key()},
       {KeyClass::kGate, "gate", PrivateKey::Generate()->public_key()},
       {KeyClass::kApprover, "ana", PrivateKey::Generate()->public_key(), "local_operator"},
       {KeyClass::kApprover, "ben", PrivateKey::Generate()->public_key(), "safety_officer"}},
      "https://gatekeeper.example/hall", "ROBOT_GATES_L1");
  Check(trust.ok(), "the seed is refused");
  return {trust->ToJson()};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto trust = agent::trust::TrustPolicy::Parse(fuzz::Text(data, size));
  if (!trust.ok()) return 0;
  fuzz::Check(agent::trust::TrustPolicy::Parse(trust->ToJson()).ok(), "its own text is refused");
  fuzz::Check(!trust->Keys(agent::trust::KeyClass::kBuild).empty(), "trusts no build key");
  fuzz::Check(!trust->Keys(agent::trust::KeyClass::kGate).empty(), "trusts no gate key");
  return 0;
}
