#include "agent/trust/dsse.h"
#include "agent/trust/manifest.h"
#include "agent/trust/statements.h"
#include "tests/fuzz/target.h"

// An even first byte: a whole bundle. An odd one: a statement, which is then signed, because a
// reader behind a signature must bear its own key's owner too.

const fuzz::Allowance fuzz::kAllowance{.base_bytes = 32'768, .per_input_byte = 64};

namespace {

namespace trust = agent::trust;

const trust::PrivateKey& Key() {
  static const trust::PrivateKey key = *trust::PrivateKey::Generate();
  return key;
}

gatekeeper::v1::Manifest SmallManifest() {
  gatekeeper::v1::Manifest manifest;
  manifest.set_name("nav");
  manifest.set_version("1.0.0");
  gatekeeper::v1::UnitFile& file = *manifest.add_files();
  file.set_path(trust::kModelFile);
  file.set_sha256(std::string(64, '0'));
  return manifest;
}

const trust::TrustPolicy& Trust() {
  static const trust::TrustPolicy policy = *trust::TrustPolicy::Make(
      {{trust::KeyClass::kBuild, "build", trust::PrivateKey::Generate()->public_key()},
       {trust::KeyClass::kGate, "gate", Key().public_key()}},
      "https://gatekeeper.example/hall", "ROBOT_GATES_L1");
  return policy;
}

const agent::base::Digest kDigest = *agent::base::Digest::Parse(std::string(64, 'd'));

}  // namespace

std::vector<std::string> fuzz::Seeds() {
  const std::string unit = trust::UnitStatement(SmallManifest(), kDigest);
  trust::GateVerdict verdict;
  verdict.result = trust::Verdict::kPassed;
  verdict.verifier_id = "https://gatekeeper.example/hall";
  verdict.level = "ROBOT_GATES_L1";
  verdict.suite_id = "nav-release";
  verdict.inputs = {{"clip", kDigest}};
  const std::string judged = trust::VerdictStatement(SmallManifest(), kDigest, verdict);
  return {"0" + *trust::SignStatement(unit, Key()), "0" + *trust::SignStatement(judged, Key()),
          "1" + unit, "1" + judged};
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text = fuzz::Text(data + 1, size - 1);
  std::string bundle(text);
  if (data[0] % 2 == 1) {
    const auto made = trust::SignStatement(text, Key());
    if (!made.ok()) return 0;
    bundle = *made;
  }
  const std::vector<trust::PublicKey> keys = {Key().public_key()};
  const auto statement = trust::OpenStatement(bundle, keys, "bundle");
  if (!statement.ok()) return 0;
  trust::CheckUnitStatement(*statement, SmallManifest(), kDigest).IgnoreError();
  trust::CheckVerdictSubject(*statement, kDigest).IgnoreError();
  trust::CheckVerdictStatement(*statement, SmallManifest(), Trust()).IgnoreError();
  return 0;
}
