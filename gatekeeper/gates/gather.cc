#include "gatekeeper/gates/gather.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/inference/numerics_key.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/bundle/static_checks.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/corpus.h"
#include "gatekeeper/gates/crew.h"
#include "gatekeeper/gates/evidence_maker.h"
#include "gatekeeper/gates/integrity.h"
#include "gatekeeper/gates/leakage.h"

namespace gatekeeper::gates {
namespace {

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

}  // namespace

absl::StatusOr<Evidence> Gather(const bundle::UngatedUnit& unit, const Prepared& prepared,
                                const agent::inference::OnnxRuntime& runtime,
                                const SuiteInput& input) {
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

}  // namespace gatekeeper::gates
