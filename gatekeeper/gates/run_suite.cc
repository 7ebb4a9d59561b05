#include "gatekeeper/gates/run_suite.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/inference/onnx_runtime.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/bundle/static_checks.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/counterexample.h"
#include "gatekeeper/gates/crew.h"
#include "gatekeeper/gates/evidence_maker.h"
#include "gatekeeper/gates/integrity.h"
#include "gatekeeper/gates/suite.h"

namespace gatekeeper::gates {
namespace {

using agent::inference::OnnxRuntime;

// Side by side at least two, even on one core: "same verdicts with N threads" wants N above 1.
constexpr unsigned kLeastThreads = 2;
constexpr unsigned kMostThreads = 64;

// A suite without a tolerance for what this robot is commanded by could not judge it.
absl::Status CheckTolerances(const v1::ControlPolicy& policy, const v1::GateSuite& suite,
                             const std::string& file) {
  for (const std::string& field : policy.command().fields()) {
    if (ToleranceOf(field, suite.agreement()) > 0) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: agreement has no tolerance above 0 for %s, which the unit's policy commands", file,
        field));
  }
  return absl::OkStatus();
}

// What is the unit's own fault becomes a finding; anything else stays an error.
absl::Status Blame(const absl::Status& status, const char* file, Evidence& evidence) {
  if (status.code() != absl::StatusCode::kInvalidArgument &&
      status.code() != absl::StatusCode::kDataLoss) {
    return status;
  }
  evidence.not_replayed = std::string(status.message());
  v1::Finding finding;
  finding.set_file(file);
  finding.set_message(evidence.not_replayed);
  evidence.broken.push_back(std::move(finding));
  return absl::OkStatus();
}

// Everything the gates look at. Documents or a model that cannot be used leave the replays empty.
absl::StatusOr<Evidence> Gather(const bundle::UngatedUnit& unit, const Suite& suite,
                                const std::vector<Scenario>& scenarios, const OnnxRuntime& runtime,
                                const SuiteInput& input) {
  Evidence evidence;
  evidence.suite = suite.document;
  IntegrityCheck integrity = CheckIntegrity(unit, scenarios);
  evidence.broken = std::move(integrity.broken);
  evidence.digests_checked = integrity.digests;
  auto documents = ReadDocuments(unit);
  if (!documents.ok()) {
    RETURN_IF_ERROR(Blame(documents.status(), agent::trust::kPolicyFile, evidence));
    auto diagnostics = bundle::CheckRules(unit);
    if (diagnostics.ok()) evidence.diagnostics = *std::move(diagnostics);
    if (evidence.diagnostics.empty()) {
      evidence.diagnostics.push_back(
          {.rule = "S1", .file = agent::trust::kPolicyFile, .message = evidence.not_replayed});
    }
    return evidence;
  }
  ASSIGN_OR_RETURN(evidence.diagnostics, bundle::CheckRules(unit));
  evidence.policy = documents->policy;
  evidence.fallback = documents->fallback;
  RETURN_IF_ERROR(CheckTolerances(evidence.policy, suite.document, input.suite_file));
  if (!integrity.model.has_value()) {
    evidence.not_replayed = "the model may not be given to a runtime";
    return evidence;
  }
  const unsigned threads = std::clamp(input.threads, kLeastThreads, kMostThreads);
  auto crew = MakeCrew(unit, *documents, *integrity.model, runtime, threads);
  if (!crew.ok()) {
    RETURN_IF_ERROR(Blame(crew.status(), agent::trust::kModelFile, evidence));
    return evidence;
  }
  evidence.engine = crew->engine;
  if (scenarios.empty()) {
    evidence.not_replayed =
        absl::StrFormat("there is no scenario below %s", input.scenarios_folder);
    return evidence;
  }
  ReplayFarm farm(*std::move(crew), Crew(), scenarios, integrity.intact, threads);
  GatherReplays(farm, evidence);
  return evidence;
}

v1::GateReport MakeReport(const bundle::UngatedUnit& unit, const Suite& suite,
                          const std::vector<Scenario>& scenarios, const Evidence& evidence) {
  v1::GateReport report;
  report.set_api_version("gatekeeper/v1");
  report.set_unit_name(unit.manifest().name());
  report.set_unit_version(unit.manifest().version());
  report.set_unit_digest(unit.digest().hex());
  report.set_suite_id(suite.document.id());
  report.set_suite_sha256(suite.sha256.hex());
  const std::vector<v1::GateResult> results = JudgeAll(evidence);
  report.set_outcome(Worst(results));
  for (const v1::GateResult& result : results) *report.add_gates() = result;
  for (const std::string& id : NotPlanned(suite.document)) report.add_not_planned(id);
  report.set_scenarios(static_cast<uint32_t>(scenarios.size()));
  uint64_t ticks = 0;
  for (const Replay& replay : evidence.replays) ticks += replay.ticks.size();
  report.set_ticks(ticks);
  report.set_mean_score(MeanScore(evidence.replays, evidence.policy, evidence.suite.agreement()));
  for (const Scenario& scenario : scenarios) {
    v1::InputRef& ref = *report.add_inputs();
    ref.set_id(scenario.document.id());
    ref.set_sha256(scenario.sha256.hex());
  }
  return report;
}

}  // namespace

absl::StatusOr<GateRun> RunSuite(const bundle::UngatedUnit& unit, const SuiteInput& input) {
  ASSIGN_OR_RETURN(const Suite suite, ParseSuite(input.suite_yaml, input.suite_file));
  ASSIGN_OR_RETURN(const std::vector<Scenario> scenarios, LoadScenarios(input.scenarios_folder));
  const std::string library =
      input.library_path.empty() ? agent::inference::DefaultLibraryPath() : input.library_path;
  ASSIGN_OR_RETURN(const std::shared_ptr<OnnxRuntime> runtime, OnnxRuntime::Open(library));
  ASSIGN_OR_RETURN(const Evidence evidence, Gather(unit, suite, scenarios, *runtime, input));

  GateRun run;
  run.report = MakeReport(unit, suite, scenarios, evidence);
  // Without a model that could be loaded: what would have run it.
  run.report.set_engine(evidence.engine.empty() ? runtime->numerics_key().Text() : evidence.engine);
  if (!input.clips_folder.empty()) WriteClips(evidence, input.clips_folder, run.report);
  if (run.report.outcome() == v1::PASS)
    run.pass = GatePass(run.report, unit.folder(), unit.digest());
  return run;
}

}  // namespace gatekeeper::gates
