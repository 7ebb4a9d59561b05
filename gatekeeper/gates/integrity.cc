#include "gatekeeper/gates/integrity.h"

#include "absl/strings/str_format.h"
#include "agent/inference/onnx_scan.h"
#include "agent/trust/hash.h"
#include "agent/trust/manifest.h"
#include "agent/trust/unit.h"
#include "gatekeeper/gates/failing_share.h"
#include "gatekeeper/gates/gate.h"

namespace gatekeeper::gates {
namespace {

v1::Finding FileFinding(const std::string& file, const std::string& message) {
  v1::Finding finding;
  finding.set_file(file);
  finding.set_message(message);
  return finding;
}

// The folder may have changed since the unit was opened.
void CheckFiles(const bundle::UngatedUnit& unit, UnitCheck& check) {
  check.digests += static_cast<size_t>(unit.manifest().files_size()) + 1;
  const auto now = agent::trust::VerifyFiles(unit.folder());
  if (!now.ok()) {
    check.broken.push_back(FileFinding(unit.folder(), std::string(now.status().message())));
  } else if (now->digest() != unit.digest()) {
    check.broken.push_back(
        FileFinding(agent::trust::kManifestFile,
                    absl::StrFormat("the manifest changed while it was judged: %s, was %s",
                                    now->digest().hex(), unit.digest().hex())));
  }
}

void CheckModel(const bundle::UngatedUnit& unit, UnitCheck& check) {
  auto bytes = unit.Read(agent::trust::kModelFile);
  if (!bytes.ok()) {
    check.broken.push_back(
        FileFinding(agent::trust::kModelFile, std::string(bytes.status().message())));
    return;
  }
  const absl::Status scan = agent::inference::ScanOnnx(*bytes);
  if (!scan.ok()) {
    check.broken.push_back(FileFinding(agent::trust::kModelFile, std::string(scan.message())));
    return;
  }
  check.model = *std::move(bytes);
}

// In the library's words: where it was looked for may be a folder of this run's own.
std::string WhyUnread(const Scenario& scenario, const absl::Status& status) {
  if (!absl::IsNotFound(status)) return std::string(status.message());
  return absl::StrFormat(
      "%s names the recording %s, sha256 %s, and no such file is there: fetch it, or name the "
      "folder that has it with --recordings",
      scenario.file,
      scenario.document.recording().empty() ? scenario.recording : scenario.document.recording(),
      scenario.document.sha256());
}

bool CheckRecording(const Scenario& scenario, RecordingCheck& check) {
  ++check.digests;
  const auto found = agent::trust::Sha256File(scenario.recording);
  const auto wanted = agent::base::Digest::Parse(scenario.document.sha256());
  if (found.ok() && wanted.ok() && *found == *wanted) return true;
  v1::Finding finding;
  finding.set_scenario(scenario.document.id());
  finding.set_message(found.ok()
                          ? absl::StrFormat("the recording's sha256 is %s, %s names %s",
                                            found->hex(), scenario.file, scenario.document.sha256())
                          : WhyUnread(scenario, found.status()));
  check.broken.push_back(std::move(finding));
  return false;
}

}  // namespace

UnitCheck CheckUnit(const bundle::UngatedUnit& unit) {
  UnitCheck check;
  CheckFiles(unit, check);
  CheckModel(unit, check);
  return check;
}

RecordingCheck CheckRecordings(const std::vector<Scenario>& scenarios) {
  RecordingCheck check;
  for (const Scenario& scenario : scenarios)
    check.intact.push_back(CheckRecording(scenario, check));
  return check;
}

v1::GateResult JudgeIntegrity(const Evidence& evidence) {
  v1::GateResult result;
  for (const v1::Finding& finding : evidence.broken) *result.add_findings() = finding;
  DecideByCount({.n = evidence.digests_checked, .wrong = evidence.broken.size()}, result);
  result.set_outcome(evidence.broken.empty() ? v1::PASS : v1::FAIL);
  result.set_summary(
      evidence.broken.empty()
          ? absl::StrFormat(
                "%d files and recordings match their digests, the model is plain ONNX and fits "
                "its card",
                evidence.digests_checked)
          : absl::StrFormat("not what they should be: %d of the files and recordings",
                            evidence.broken.size()));
  return result;
}

}  // namespace gatekeeper::gates
