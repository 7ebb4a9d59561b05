#include "tests/support/sealed_unit.h"

#include "agent/trust/rearm_approval.h"
#include "tests/agent/trust/unit_fixture.h"
#include "tests/support/small_robot.h"

namespace tests {
namespace {

namespace trust = agent::trust;

const Signers& Keys() {
  static const Signers signers;
  return signers;
}

const Signers& Stranger() {
  static const Signers signers;
  return signers;
}

Seal SealFor(const gatekeeper::v1::Manifest& manifest, const UnitRecipe& recipe) {
  trust::GateVerdict verdict = Keys().Passed();
  verdict.others = recipe.evidence;
  switch (recipe.sealing) {
    case Sealing::kNone:
      return {};
    case Sealing::kFailedVerdict:
      verdict.result = trust::Verdict::kFailed;
      break;
    case Sealing::kStrangersKey: {
      Seal seal = SealOf(manifest, Keys(), verdict);
      seal[trust::kUnitBundle] = SealOf(manifest, Stranger(), verdict).at(trust::kUnitBundle);
      return seal;
    }
    case Sealing::kSound:
      break;
  }
  return SealOf(manifest, Keys(), verdict);
}

}  // namespace

SealedUnit MakeUnit(const UnitRecipe& recipe) {
  SealedUnit unit;
  const SmallRobot robot = SmallRobotWith(recipe.edits);
  unit.files = {{trust::kModelFile, recipe.model},
                {trust::kCardFile, robot.card},
                {trust::kPolicyFile, robot.policy + recipe.policy_end},
                {trust::kFallbackFile, robot.fallback}};
  if (!recipe.golden.empty()) unit.files[trust::kGoldenFile] = recipe.golden;
  unit.manifest = ManifestOf(unit.files);
  unit.manifest.set_name(recipe.name);
  unit.manifest.set_version(recipe.version);
  unit.manifest.clear_hardware();
  for (const std::string& hardware : recipe.hardware) unit.manifest.add_hardware(hardware);
  const std::string bytes = trust::CanonicalManifest(unit.manifest);
  unit.digest = trust::Sha256(bytes).hex();
  unit.papers.set_manifest(bytes);
  for (const auto& [name, bundle] : SealFor(unit.manifest, recipe)) {
    (*unit.papers.mutable_seal())[name] = bundle;
  }
  return unit;
}

const trust::TrustPolicy& TestTrust() { return Keys().trust; }

std::string TestApproval(const gatekeeper::v1::RearmChallenge& challenge, const std::string& name) {
  const bool ada = name == "ada";
  return Must(trust::SignRearmApproval(challenge, {ada ? "local_operator" : "safety_officer", name},
                                       ada ? Keys().ada : Keys().bo));
}

std::map<std::string, std::string> TestKeyNames() {
  return {{Keys().build.public_key().key_id(), "(build key)"},
          {Keys().gate.public_key().key_id(), "(gate key)"},
          {Stranger().build.public_key().key_id(), "(a stranger's key)"}};
}

}  // namespace tests
