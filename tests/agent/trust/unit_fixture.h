#pragma once

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "agent/base/files.h"
#include "agent/trust/certificate.h"
#include "agent/trust/dsse.h"
#include "agent/trust/manifest.h"
#include "agent/trust/statements.h"
#include "agent/trust/unit.h"

// Small units on disk and the keys that seal them, for tests. Broken set-up aborts.

namespace tests {

template <class T>
T Must(absl::StatusOr<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "test set-up: %s\n", result.status().ToString().c_str());
    std::abort();
  }
  return *std::move(result);
}

inline void WriteFile(const std::string& path, const std::string& bytes) {
  agent::base::OsFiles files;
  const absl::Status made = files.MakeFolders(path.substr(0, path.rfind('/')));
  std::ofstream(path, std::ios::binary) << bytes;
  if (!made.ok()) std::abort();
}

inline std::string ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::map<std::string, std::string> UnitBytes() {
  return {{agent::trust::kModelFile, "not really a model"},
          {agent::trust::kCardFile, "schema: model_card/1\n"},
          {agent::trust::kPolicyFile, "schema: control_policy/1\n"},
          {agent::trust::kFallbackFile, "schema: fallback_rules/1\n"}};
}

inline gatekeeper::v1::Manifest ManifestOf(const std::map<std::string, std::string>& files) {
  gatekeeper::v1::Manifest manifest;
  manifest.set_schema("manifest/1");
  manifest.set_name("nav");
  manifest.set_version("1.4.0");
  manifest.add_hardware("amr-v2");
  manifest.set_commit("0123456789abcdef0123456789abcdef01234567");
  manifest.set_spec_path("nav/release.yaml");
  for (const auto& [path, bytes] : files) {
    gatekeeper::v1::UnitFile& file = *manifest.add_files();
    file.set_path(path);
    file.set_size(bytes.size());
    file.set_sha256(agent::trust::Sha256(bytes).hex());
  }
  return manifest;
}

struct Signers {
  agent::trust::PrivateKey build = Must(agent::trust::PrivateKey::Generate());
  agent::trust::PrivateKey gate = Must(agent::trust::PrivateKey::Generate());
  agent::trust::PrivateKey ada = Must(agent::trust::PrivateKey::Generate());  // local_operator
  agent::trust::PrivateKey bo = Must(agent::trust::PrivateKey::Generate());   // safety_officer
  agent::trust::TrustPolicy trust = Must(agent::trust::TrustPolicy::Make(
      {{agent::trust::KeyClass::kBuild, "build", build.public_key()},
       {agent::trust::KeyClass::kGate, "gate", gate.public_key()},
       {agent::trust::KeyClass::kApprover, "ada", ada.public_key(), "local_operator"},
       {agent::trust::KeyClass::kApprover, "bo", bo.public_key(), "safety_officer"}},
      "https://gatekeeper.test", "ROBOT_GATES_L1"));

  agent::trust::GateVerdict Passed() const {
    return {.result = agent::trust::Verdict::kPassed,
            .verifier_id = trust.verifier_id(),
            .level = trust.level(),
            .suite_id = "nav",
            .suite = agent::trust::Sha256("suite"),
            .inputs = {{"aisle", agent::trust::Sha256("aisle")}},
            .wall_ms = 1'767'225'600'000};
  }
};

// A certificate of robot `name`, by an authority made for it.
inline std::string RobotCertificate(const std::string& name) {
  constexpr int64_t kWallMs = 1'767'225'600'000;
  const auto authority = Must(agent::trust::CertificateAuthority::Create(
      Must(agent::trust::PrivateKey::Generate()), "test CA", 30, kWallMs));
  const auto key = Must(agent::trust::PrivateKey::Generate());
  return Must(authority.Issue({.csr_pem = Must(agent::trust::MakeCsr(key)),
                               .identity = {agent::trust::Party::kRobot, name}},
                              kWallMs));
}

// File name under seal/ -> bundle.
using Seal = std::map<std::string, std::string>;

inline Seal SealOf(const gatekeeper::v1::Manifest& manifest, const Signers& signers,
                   const agent::trust::GateVerdict& verdict) {
  const agent::trust::Digest digest =
      agent::trust::Sha256(agent::trust::CanonicalManifest(manifest));
  return {{agent::trust::kUnitBundle,
           Must(agent::trust::SignStatement(agent::trust::UnitStatement(manifest, digest),
                                            signers.build))},
          {agent::trust::kVerdictBundle,
           Must(agent::trust::SignStatement(
               agent::trust::VerdictStatement(manifest, digest, verdict), signers.gate))}};
}

inline void WriteUnit(const std::string& folder, const std::map<std::string, std::string>& files,
                      const gatekeeper::v1::Manifest& manifest) {
  for (const auto& [path, bytes] : files) WriteFile(folder + "/" + path, bytes);
  WriteFile(folder + "/manifest.json", agent::trust::CanonicalManifest(manifest));
}

inline void WriteSeal(const std::string& folder, const Seal& seal) {
  for (const auto& [name, bytes] : seal) WriteFile(folder + "/seal/" + name, bytes);
}

// A sealed unit of four small files; gives back its manifest.
inline gatekeeper::v1::Manifest WriteSealedUnit(const std::string& folder, const Signers& signers) {
  const gatekeeper::v1::Manifest manifest = ManifestOf(UnitBytes());
  WriteUnit(folder, UnitBytes(), manifest);
  WriteSeal(folder, SealOf(manifest, signers, signers.Passed()));
  return manifest;
}

}  // namespace tests
