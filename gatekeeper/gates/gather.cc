#include "gatekeeper/gates/gather.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
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

// What was found by reading the recordings, here or for the shards.
struct RecordingFacts {
  RecordingCheck check;
  std::shared_ptr<const LeakageCheck> leakage;  // null: the suite has no such gate
};

absl::StatusOr<RecordingFacts> ReadRecordings(const Prepared& prepared, const SuiteInput& input) {
  RecordingFacts facts{.check = CheckRecordings(prepared.scenarios), .leakage = nullptr};
  if (!prepared.suite.document.has_leakage()) return facts;
  ASSIGN_OR_RETURN(LeakageCheck leakage,
                   CheckLeakage(*input.policy.training, prepared.scenarios, facts.check.intact));
  facts.leakage = std::make_shared<const LeakageCheck>(std::move(leakage));
  return facts;
}

std::string NameOf(const std::string& id, const std::string& sha256) { return id + " " + sha256; }

// kInvalidArgument when a scenario was looked at by no shard.
absl::StatusOr<std::vector<bool>> IntactBy(const std::map<std::string, bool>& told,
                                           const std::vector<Scenario>& scenarios) {
  std::vector<bool> intact;
  for (const Scenario& scenario : scenarios) {
    const auto found = told.find(NameOf(scenario.document.id(), scenario.sha256.hex()));
    if (found == told.end()) {
      return absl::InvalidArgumentError(
          absl::StrFormat("no shard looked at scenario %s as %s has it now; make all shards again",
                          scenario.document.id(), scenario.file));
    }
    intact.push_back(found->second);
  }
  return intact;
}

absl::StatusOr<RecordingFacts> FactsOf(const ShardSet& shards,
                                       const std::vector<Scenario>& scenarios) {
  RecordingFacts facts;
  std::map<std::string, bool> intact;
  LeakageCheck leakage;
  for (const ShardFile& file : shards.files()) {
    const v1::ShardIndex& index = file.index();
    for (int i = 0; i < index.scenarios_size(); ++i)
      intact[NameOf(index.scenarios(i).id(), index.scenarios(i).sha256())] = index.intact(i);
    for (const v1::Finding& finding : index.broken()) facts.check.broken.push_back(finding);
    facts.check.digests += index.digests_checked();
    leakage.training_samples = index.leakage().training_samples();
    leakage.samples += index.leakage().samples();
    leakage.known += index.leakage().known();
    leakage.near += index.leakage().near();
    for (const v1::Finding& finding : index.leakage().findings())
      leakage.findings.push_back(finding);
  }
  SortByScenario(facts.check.broken);
  SortByScenario(leakage.findings);
  if (shards.common().has_leakage())
    facts.leakage = std::make_shared<const LeakageCheck>(std::move(leakage));
  ASSIGN_OR_RETURN(facts.check.intact, IntactBy(intact, scenarios));
  return facts;
}

// The unit's benches, or of a merge what names its jobs. kInvalidArgument and kDataLoss: the
// model's own fault.
absl::StatusOr<Crew> CandidateCrew(const bundle::UngatedUnit& unit, const Documents& documents,
                                   const std::string& model, unsigned threads,
                                   const Sources& from) {
  if (from.shards != nullptr && !from.shards->common().model_refused().empty())
    return absl::InvalidArgumentError(from.shards->common().model_refused());
  ASSIGN_OR_RETURN(Crew crew, MakeCrew(unit, documents, model, from.runtime, threads));
  if (from.shards != nullptr) crew.engine = from.shards->common().engine();
  return crew;
}

absl::StatusOr<Crew> OpenOther(const bundle::UngatedUnit& unit, const SuiteInput& input,
                               unsigned threads, const Sources& from, Gathered& gathered) {
  if (input.against.empty()) return Crew();
  ASSIGN_OR_RETURN(DeployedCrew opened, OpenDeployed(input.against, unit, gathered.evidence.policy,
                                                     from.runtime, threads));
  if (from.shards != nullptr) opened.crew.engine = from.shards->common().deployed_engine();
  gathered.evidence.deployed = std::move(opened.unit);
  gathered.deployed_engine = opened.crew.engine;
  return std::move(opened.crew);
}

// What is wrong with its rules, beside the unit that drives today where that one was named (S12).
absl::StatusOr<std::vector<bundle::Diagnostic>> CheckRulesOf(const bundle::UngatedUnit& unit,
                                                             const SuiteInput& input) {
  if (input.against.empty()) return bundle::CheckRules(unit, input.policy.site);
  const auto deployed = bundle::UngatedUnit::Open(input.against);
  // One that cannot be opened is refused where its model is loaded.
  if (!deployed.ok()) return bundle::CheckRules(unit, input.policy.site);
  return bundle::CheckRules(unit, *deployed, input.policy.site);
}

// The unit's documents, where they are what they should be; what is wrong with them otherwise.
absl::StatusOr<std::optional<Documents>> CheckDocuments(const bundle::UngatedUnit& unit,
                                                        const SuiteInput& input,
                                                        Evidence& evidence) {
  auto documents = ReadDocuments(unit);
  if (documents.ok()) {
    ASSIGN_OR_RETURN(evidence.diagnostics, CheckRulesOf(unit, input));
    evidence.at_site = input.policy.site.has_value();
    evidence.policy = documents->policy;
    evidence.fallback = documents->fallback;
    RETURN_IF_ERROR(CheckTolerances(evidence.policy, evidence.suite, input.suite_file));
    return *std::move(documents);
  }
  RETURN_IF_ERROR(Blame(documents.status(), agent::trust::kPolicyFile, evidence));
  auto diagnostics = CheckRulesOf(unit, input);
  if (diagnostics.ok()) evidence.diagnostics = *std::move(diagnostics);
  if (evidence.diagnostics.empty()) {
    evidence.diagnostics.push_back(
        {.rule = "S1", .file = agent::trust::kPolicyFile, .message = evidence.not_replayed});
  }
  return std::nullopt;
}

// What every crew is made from.
struct Playable {
  const bundle::UngatedUnit& unit;
  const Documents& documents;
  const std::string& model;
  CorpusCheck* corpus;  // null: the suite has no such gate
};

absl::Status ReplayAll(const Playable& playable, const Prepared& prepared, const SuiteInput& input,
                       const Sources& from, Gathered& gathered) {
  Evidence& evidence = gathered.evidence;
  const auto& [unit, documents, model, corpus] = playable;
  const unsigned threads = std::clamp(input.threads, kLeastThreads, kMostThreads);
  // First: rules are compared also where the model is refused.
  ASSIGN_OR_RETURN(Crew deployed, OpenOther(unit, input, threads, from, gathered));
  auto crew = CandidateCrew(unit, documents, model, threads, from);
  if (!crew.ok()) {
    gathered.model_refused = std::string(crew.status().message());
    return Blame(crew.status(), agent::trust::kModelFile, evidence);
  }
  evidence.engine = crew->engine;
  evidence.host_class = prepared.plan.host_class();
  if (corpus != nullptr) {
    ASSIGN_OR_RETURN(Crew second, CandidateCrew(unit, documents, model, kLeastThreads, from));
    ReplayCorpus(std::move(second), kLeastThreads, from.part, from.books, *corpus);
  }
  if (prepared.scenarios.empty()) {
    evidence.not_replayed = absl::StrFormat(
        "there is no scenario below %s",
        input.scenarios_name.empty() ? input.scenarios_folder : input.scenarios_name);
    return absl::OkStatus();
  }
  ReplayFarm farm(*std::move(crew), std::move(deployed), prepared.scenarios, gathered.intact,
                  threads, from.books);
  GatherReplays(farm, input.policy.map.get(), evidence);
  return from.books.missing;
}

}  // namespace

absl::StatusOr<Gathered> Gather(const bundle::UngatedUnit& unit, const Prepared& prepared,
                                const SuiteInput& input, const Sources& from) {
  Gathered gathered;
  Evidence& evidence = gathered.evidence;
  evidence.suite = prepared.suite.document;
  evidence.against = input.against;
  const UnitCheck checked = CheckUnit(unit);
  ASSIGN_OR_RETURN(RecordingFacts facts, from.shards != nullptr
                                             ? FactsOf(*from.shards, prepared.scenarios)
                                             : ReadRecordings(prepared, input));
  evidence.broken = checked.broken;
  evidence.broken.insert(evidence.broken.end(), facts.check.broken.begin(),
                         facts.check.broken.end());
  evidence.digests_checked = checked.digests + facts.check.digests;
  evidence.leakage = facts.leakage;
  std::shared_ptr<CorpusCheck> corpus;
  if (prepared.suite.document.has_regression()) {
    ASSIGN_OR_RETURN(CorpusCheck found, CheckCorpus(*input.policy.corpus, input.recordings_folder));
    corpus = std::make_shared<CorpusCheck>(std::move(found));
    evidence.corpus = corpus;
  }
  gathered.broken = std::move(facts.check.broken);
  gathered.digests_checked = facts.check.digests;
  gathered.intact = std::move(facts.check.intact);
  ASSIGN_OR_RETURN(const std::optional<Documents> documents, CheckDocuments(unit, input, evidence));
  if (!documents.has_value()) return gathered;
  if (!checked.model.has_value()) {
    evidence.not_replayed = "the model may not be given to a runtime";
    return gathered;
  }
  RETURN_IF_ERROR(
      ReplayAll({unit, *documents, *checked.model, corpus.get()}, prepared, input, from, gathered));
  return gathered;
}

}  // namespace gatekeeper::gates
