#include "agent/trust/dsse.h"
#include "agent/trust/rearm_approval.h"
#include "tests/fuzz/target.h"

// The first byte: a challenge, an approval, or a statement that is then signed by an approver.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 49'152, .per_input_byte = 64};

namespace {

namespace trust = agent::trust;

const trust::PrivateKey& Key() {
  static const trust::PrivateKey key = *trust::PrivateKey::Generate();
  return key;
}

const trust::TrustPolicy& Trust() {
  static const trust::TrustPolicy policy = *trust::TrustPolicy::Make(
      {{trust::KeyClass::kBuild, "build", trust::PrivateKey::Generate()->public_key()},
       {trust::KeyClass::kGate, "gate", trust::PrivateKey::Generate()->public_key()},
       {trust::KeyClass::kApprover, "ana", Key().public_key(), "local_operator"}},
      "https://gatekeeper.example/hall", "ROBOT_GATES_L1");
  return policy;
}

gatekeeper::v1::RearmChallenge Challenge() {
  gatekeeper::v1::RearmChallenge challenge;
  challenge.set_robot("rover-1");
  challenge.set_incident(std::string(32, '1'));
  challenge.set_unit(std::string(64, 'd'));
  challenge.set_nonce(std::string(32, 'e'));
  challenge.set_ttl_ms(600'000);
  challenge.add_roles("local_operator");
  challenge.add_roles("safety_officer");
  return challenge;
}

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  const auto approval = trust::SignRearmApproval(Challenge(), {"local_operator", "ana"}, Key());
  Check(approval.ok(), "the seed is refused");
  const std::vector<trust::PublicKey> keys = {Key().public_key()};
  return {"0" + trust::ChallengeJson(Challenge()), "1" + *approval,
          "2" + trust::OpenStatement(*approval, keys, "seed")->dump()};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text = fuzz::Text(data + 1, size - 1);
  if (data[0] % 3 == 0) {
    const auto challenge = trust::ParseChallenge(text);
    fuzz::Check(!challenge.ok() || trust::ChallengeJson(*challenge) == text,
                "two texts of one challenge");
    return 0;
  }
  std::string approval(text);
  if (data[0] % 3 == 2) {
    const auto made = trust::SignStatement(text, Key());
    if (!made.ok()) return 0;
    approval = *made;
  }
  const auto approver = trust::OpenRearmApproval(Challenge(), approval, Trust());
  fuzz::Check(!approver.ok() || approver->name == "ana", "somebody else approved");
  const std::vector<std::string> twice = {approval, approval};
  fuzz::Check(!trust::VerifyRearm(Challenge(), twice, Trust()).ok(), "one person is two");
  return 0;
}
