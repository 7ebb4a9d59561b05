#include "gatekeeper/gates/run_suite.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/inference/numerics_key.h"
#include "agent/inference/onnx_runtime.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/bundle/static_checks.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/corpus.h"
#include "gatekeeper/gates/counterexample.h"
#include "gatekeeper/gates/crew.h"
#include "gatekeeper/gates/evidence_maker.h"
#include "gatekeeper/gates/figures.h"
#include "gatekeeper/gates/integrity.h"
#include "gatekeeper/gates/leakage.h"
#include "gatekeeper/gates/plan.h"
#include "gatekeeper/gates/suite.h"
#include "gatekeeper/gates/waiver.h"

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

// All that stands before anything runs.
struct Prepared {
  Suite suite;
  std::vector<Scenario> scenarios;
  std::vector<Waiver> waivers;
  v1::GatePlan plan;
  std::optional<Attempt> attempt;  // nothing when nobody counts
};

// A caller who reads a suite must read what it names too.
absl::Status CheckNamed(const Suite& suite, const SuiteInput& input) {
  const std::pair<const char*, bool> unread[] = {
      {"site", !suite.document.site().empty() && !input.policy.site},
      {"leakage.training_digests", suite.document.has_leakage() && !input.policy.training},
      {"regression.corpus", suite.document.has_regression() && !input.policy.corpus}};
  for (const auto& [what, missing] : unread) {
    if (!missing) continue;
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: %s names a file that was not read", input.suite_file, what));
  }
  return absl::OkStatus();
}

absl::StatusOr<Prepared> Prepare(const bundle::UngatedUnit& unit, const OnnxRuntime& runtime,
                                 const SuiteInput& input) {
  Prepared prepared;
  ASSIGN_OR_RETURN(prepared.suite, ParseSuite(input.suite_yaml, input.suite_file));
  RETURN_IF_ERROR(CheckNamed(prepared.suite, input));
  if (!input.against.empty() && !prepared.suite.document.has_non_inferiority()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s has no section non_inferiority, so nothing would be compared with %s",
                        input.suite_file, input.against));
  }
  ASSIGN_OR_RETURN(prepared.waivers, ParseWaivers(input.policy.waivers));
  ASSIGN_OR_RETURN(prepared.scenarios,
                   LoadScenarios(input.scenarios_folder, input.recordings_folder));
  prepared.plan = MakePlan({.suite = prepared.suite,
                            .suite_file = input.suite_file,
                            .policy = input.policy,
                            .scenarios = prepared.scenarios,
                            .host_class = agent::inference::InstructionSet(),
                            .engine = runtime.numerics_key().Text()});
  if (input.attempts == nullptr) return prepared;
  ASSIGN_OR_RETURN(prepared.attempt,
                   input.attempts->Begin(unit.label(), prepared.suite.document.id(),
                                         prepared.plan.sha256(), input.wall_ms));
  prepared.plan.set_attempt(prepared.attempt->number);
  prepared.plan.set_attempts_failed(prepared.attempt->failed_before);
  return prepared;
}

// What needs no replay of the library: the training list and the corpus's files.
absl::StatusOr<std::shared_ptr<CorpusCheck>> GatherPolicy(const Prepared& prepared,
                                                          const std::vector<bool>& intact,
                                                          const SuiteInput& input,
                                                          Evidence& evidence) {
  if (prepared.suite.document.has_leakage()) {
    ASSIGN_OR_RETURN(LeakageCheck leakage,
                     CheckLeakage(*input.policy.training, prepared.scenarios, intact));
    evidence.leakage = std::make_shared<const LeakageCheck>(std::move(leakage));
  }
  std::shared_ptr<CorpusCheck> corpus;
  if (prepared.suite.document.has_regression()) {
    ASSIGN_OR_RETURN(CorpusCheck found, CheckCorpus(*input.policy.corpus, input.recordings_folder));
    corpus = std::make_shared<CorpusCheck>(std::move(found));
    evidence.corpus = corpus;
  }
  return corpus;
}

// Everything the gates look at. Documents or a model that cannot be used leave the replays empty.
absl::StatusOr<Evidence> Gather(const bundle::UngatedUnit& unit, const Prepared& prepared,
                                const OnnxRuntime& runtime, const SuiteInput& input) {
  const std::vector<Scenario>& scenarios = prepared.scenarios;
  Evidence evidence;
  evidence.suite = prepared.suite.document;
  IntegrityCheck integrity = CheckIntegrity(unit, scenarios);
  evidence.broken = std::move(integrity.broken);
  evidence.digests_checked = integrity.digests;
  ASSIGN_OR_RETURN(const std::shared_ptr<CorpusCheck> corpus,
                   GatherPolicy(prepared, integrity.intact, input, evidence));
  auto documents = ReadDocuments(unit);
  if (!documents.ok()) {
    RETURN_IF_ERROR(Blame(documents.status(), agent::trust::kPolicyFile, evidence));
    auto diagnostics = bundle::CheckRules(unit, input.policy.site);
    if (diagnostics.ok()) evidence.diagnostics = *std::move(diagnostics);
    if (evidence.diagnostics.empty()) {
      evidence.diagnostics.push_back(
          {.rule = "S1", .file = agent::trust::kPolicyFile, .message = evidence.not_replayed});
    }
    return evidence;
  }
  ASSIGN_OR_RETURN(evidence.diagnostics, bundle::CheckRules(unit, input.policy.site));
  evidence.policy = documents->policy;
  evidence.fallback = documents->fallback;
  RETURN_IF_ERROR(CheckTolerances(evidence.policy, evidence.suite, input.suite_file));
  if (!integrity.model.has_value()) {
    evidence.not_replayed = "the model may not be given to a runtime";
    return evidence;
  }
  const unsigned threads = std::clamp(input.threads, kLeastThreads, kMostThreads);
  FarmBooks books;
  auto crew = MakeCrew(unit, *documents, *integrity.model, runtime, threads);
  if (!crew.ok()) {
    RETURN_IF_ERROR(Blame(crew.status(), agent::trust::kModelFile, evidence));
    return evidence;
  }
  evidence.engine = crew->engine;
  evidence.host_class = agent::inference::InstructionSet();
  if (corpus != nullptr) {
    ASSIGN_OR_RETURN(Crew second,
                     MakeCrew(unit, *documents, *integrity.model, runtime, kLeastThreads));
    ReplayCorpus(std::move(second), kLeastThreads, books, *corpus);
  }
  if (scenarios.empty()) {
    evidence.not_replayed =
        absl::StrFormat("there is no scenario below %s", input.scenarios_folder);
    return evidence;
  }
  Crew deployed;
  if (!input.against.empty()) {
    ASSIGN_OR_RETURN(DeployedCrew opened,
                     OpenDeployed(input.against, evidence.policy, runtime, threads));
    evidence.deployed = std::move(opened.unit);
    deployed = std::move(opened.crew);
  }
  ReplayFarm farm(*std::move(crew), std::move(deployed), scenarios, integrity.intact, threads,
                  books);
  GatherReplays(farm, evidence);
  return evidence;
}

void AddInputs(const std::vector<Scenario>& scenarios, const std::string& prefix,
               v1::GateReport& report) {
  for (const Scenario& scenario : scenarios) {
    v1::InputRef& ref = *report.add_inputs();
    ref.set_id(prefix + scenario.document.id());
    ref.set_sha256(scenario.sha256.hex());
    ref.set_file(scenario.file);
  }
}

v1::GateReport MakeReport(const bundle::UngatedUnit& unit, const Prepared& prepared,
                          const Evidence& evidence, int64_t wall_ms) {
  const Suite& suite = prepared.suite;
  const std::vector<Scenario>& scenarios = prepared.scenarios;
  v1::GateReport report;
  report.set_api_version("gatekeeper/v1");
  report.set_unit_name(unit.manifest().name());
  report.set_unit_version(unit.manifest().version());
  report.set_unit_digest(unit.digest().hex());
  report.set_suite_id(suite.document.id());
  report.set_suite_sha256(suite.sha256.hex());
  *report.mutable_plan() = prepared.plan;
  std::vector<v1::GateResult> results = JudgeAll(evidence);
  for (const Waiver& waiver : ApplyWaivers(prepared.waivers, unit.label(), wall_ms, results)) {
    *report.add_waivers() = waiver.document;
  }
  report.set_outcome(Worst(results));
  for (const v1::GateResult& result : results) *report.add_gates() = result;
  for (v1::Figure& figure : MakeFigures(evidence, results)) {
    *report.add_figures() = std::move(figure);
  }
  if (evidence.deployed) report.set_deployed_digest(evidence.deployed->digest.hex());
  for (const std::string& id : NotPlanned(suite.document)) report.add_not_planned(id);
  report.set_scenarios(static_cast<uint32_t>(scenarios.size()));
  uint64_t ticks = 0;
  for (const Replay& replay : evidence.replays) ticks += replay.ticks.size();
  report.set_ticks(ticks);
  report.set_mean_score(MeanScore(evidence.replays, evidence.policy, evidence.suite.agreement()));
  AddInputs(scenarios, "", report);
  if (evidence.corpus != nullptr) AddInputs(evidence.corpus->scenarios, "corpus/", report);
  return report;
}

}  // namespace

absl::StatusOr<GateRun> RunSuite(const bundle::UngatedUnit& unit, const SuiteInput& input) {
  const std::string library =
      input.library_path.empty() ? agent::inference::DefaultLibraryPath() : input.library_path;
  ASSIGN_OR_RETURN(const std::shared_ptr<OnnxRuntime> runtime, OnnxRuntime::Open(library));
  ASSIGN_OR_RETURN(const Prepared prepared, Prepare(unit, *runtime, input));
  ASSIGN_OR_RETURN(const Evidence evidence, Gather(unit, prepared, *runtime, input));

  GateRun run;
  run.report = MakeReport(unit, prepared, evidence, input.wall_ms);
  // Without a model that could be loaded: what would have run it.
  run.report.set_engine(evidence.engine.empty() ? runtime->numerics_key().Text() : evidence.engine);
  if (!input.clips_folder.empty()) WriteClips(evidence, input.clips_folder, run.report);
  if (prepared.attempt) {
    RETURN_IF_ERROR(input.attempts->End(*prepared.attempt, run.report.outcome(), input.wall_ms));
  }
  if (run.report.outcome() == v1::PASS)
    run.pass = GatePass(run.report, unit.folder(), unit.digest());
  return run;
}

}  // namespace gatekeeper::gates
