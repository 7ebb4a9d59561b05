#include "gatekeeper/seal/seal.h"

#include <filesystem>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/trust/dsse.h"
#include "agent/trust/hash.h"
#include "agent/trust/statements.h"

namespace gatekeeper::seal {
namespace {

namespace trust = ::agent::trust;

// What the gates found, in the words of a verification summary.
absl::StatusOr<trust::GateVerdict> VerdictOf(const v1::GateReport& report,
                                             const trust::TrustPolicy& policy, int64_t wall_ms) {
  trust::GateVerdict verdict;
  verdict.result = trust::Verdict::kPassed;
  verdict.verifier_id = policy.verifier_id();
  verdict.level = policy.level();
  verdict.suite_id = report.suite_id();
  verdict.wall_ms = wall_ms;
  ASSIGN_OR_RETURN(verdict.suite, trust::Digest::Parse(report.suite_sha256()));
  for (const v1::InputRef& input : report.inputs()) {
    ASSIGN_OR_RETURN(verdict.inputs[input.id()], trust::Digest::Parse(input.sha256()));
  }
  const v1::GatePlan& plan = report.plan();
  if (!plan.policy_commit().empty()) {
    verdict.suite_uri = absl::StrFormat("git+%s@%s#%s", plan.policy_repository(),
                                        plan.policy_commit(), plan.suite_path());
  }
  ASSIGN_OR_RETURN(verdict.others[absl::StrFormat("plan/attempt-%d-failed-%d", plan.attempt(),
                                                  plan.attempts_failed())],
                   trust::Digest::Parse(plan.sha256()));
  if (!report.deployed_digest().empty()) {
    ASSIGN_OR_RETURN(verdict.others[trust::kComparedWith],
                     trust::Digest::Parse(report.deployed_digest()));
  }
  for (const v1::Waiver& waiver : report.waivers()) {
    verdict.others[trust::WaiverName(waiver.gate(), waiver.expires(),
                                     waiver.requested_by() + "+" + waiver.approved_by())] =
        trust::Sha256(waiver.SerializeAsString());
  }
  return verdict;
}

// Both files appear at once: they are written into a folder beside UNIT/seal, which then takes its
// place. A crash in between leaves no seal, which every reader refuses, never half of one.
absl::Status WriteSeal(const std::string& unit_folder,
                       const std::map<std::string, std::string>& bundles) {
  agent::base::OsFiles files;
  const std::string seal = unit_folder + "/" + trust::kSealFolder;
  // Beside the unit, not in it: a file left there by a crash would make the unit look tampered
  // with.
  const std::string fresh =
      std::filesystem::absolute(unit_folder + "/").parent_path().string() + ".seal.tmp";
  RETURN_IF_ERROR(files.RemoveAll(fresh));
  RETURN_IF_ERROR(files.MakeFolders(fresh));
  for (const auto& [name, bytes] : bundles) {
    const std::string path = absl::StrFormat("%s/%s", fresh, name);
    absl::Status written = files.WriteDurably(path, bytes, 0644);
    if (!written.ok()) {
      files.RemoveAll(fresh).IgnoreError();  // the reason it failed is the one to report
      return written;
    }
  }
  RETURN_IF_ERROR(files.RemoveAll(seal));
  return files.Rename(fresh, seal);
}

}  // namespace

absl::StatusOr<trust::VerifiedUnit> Seal(const gates::GatePass& pass, const SealKeys& keys,
                                         int64_t wall_ms) {
  ASSIGN_OR_RETURN(const trust::IntactUnit unit, trust::VerifyFiles(pass.unit_folder()));
  if (unit.digest() != pass.digest()) {
    return absl::DataLossError(
        absl::StrFormat("%s holds unit %s now, but %s passed the gates; run the gates again",
                        pass.unit_folder(), unit.digest().hex(), pass.digest().hex()));
  }
  ASSIGN_OR_RETURN(const trust::GateVerdict verdict, VerdictOf(pass.report(), keys.trust, wall_ms));
  ASSIGN_OR_RETURN(
      const std::string signature,
      trust::SignStatement(trust::UnitStatement(unit.manifest(), unit.digest()), keys.build));
  ASSIGN_OR_RETURN(
      const std::string summary,
      trust::SignStatement(trust::VerdictStatement(unit.manifest(), unit.digest(), verdict),
                           keys.gate));
  const std::map<std::string, std::string> bundles = {{trust::kUnitBundle, signature},
                                                      {trust::kVerdictBundle, summary}};
  RETURN_IF_ERROR(
      trust::VerifyPapers(unit.manifest_bytes(), bundles, unit.digest(), keys.trust).status());
  RETURN_IF_ERROR(WriteSeal(pass.unit_folder(), bundles));
  return trust::VerifyUnit(pass.unit_folder(), keys.trust);
}

}  // namespace gatekeeper::seal
