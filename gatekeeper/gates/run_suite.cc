#include "gatekeeper/gates/run_suite.h"

#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/inference/numerics_key.h"
#include "agent/inference/onnx_runtime.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/corpus.h"
#include "gatekeeper/gates/counterexample.h"
#include "gatekeeper/gates/figures.h"
#include "gatekeeper/gates/gather.h"
#include "gatekeeper/gates/leakage.h"
#include "gatekeeper/gates/preparation.h"
#include "gatekeeper/gates/replay_cache.h"

namespace gatekeeper::gates {
namespace {

using agent::inference::OnnxRuntime;

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
                          const Evidence& evidence, const SuiteInput& input) {
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
  for (const Waiver& waiver :
       ApplyWaivers(prepared.waivers, unit.label(), input.wall_ms, results)) {
    *report.add_waivers() = waiver.document;
  }
  report.set_outcome(Worst(results));
  for (const v1::GateResult& result : results) *report.add_gates() = result;
  for (v1::Figure& figure : MakeFigures(evidence, results, input.policy.map.get())) {
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

absl::StatusOr<std::shared_ptr<OnnxRuntime>> OpenRuntime(const SuiteInput& input) {
  return OnnxRuntime::Open(input.library_path.empty() ? agent::inference::DefaultLibraryPath()
                                                      : input.library_path);
}

Host HostOf(const OnnxRuntime& runtime) {
  return {.engine = runtime.numerics_key().Text(),
          .host_class = agent::inference::InstructionSet()};
}

// The cache, where one is wanted, and what every key of it needs.
absl::StatusOr<std::unique_ptr<ReplayCache>> OpenBooks(const SuiteInput& input, FarmBooks& books) {
  ASSIGN_OR_RETURN(books.program, ProgramDigest());
  books.tell = input.tell;
  if (input.cache_folder.empty()) return nullptr;
  return ReplayCache::Open(input.cache_folder);
}

// A cache is worth having, not worth failing for.
void TellTrouble(const ReplayCache* cache) {
  if (cache == nullptr || cache->trouble().ok()) return;
  std::fprintf(stderr, "warning: cache: %s\n", std::string(cache->trouble().message()).c_str());
}

v1::ShardLeakage ToShard(const LeakageCheck& check) {
  v1::ShardLeakage leakage;
  leakage.set_training_samples(check.training_samples);
  leakage.set_samples(check.samples);
  leakage.set_known(check.known);
  leakage.set_near(check.near);
  leakage.mutable_findings()->Assign(check.findings.begin(), check.findings.end());
  return leakage;
}

v1::ShardIndex IndexOf(const bundle::UngatedUnit& unit, const Prepared& prepared,
                       const Gathered& gathered, const FarmBooks& books) {
  v1::ShardIndex index;
  index.set_unit_sha256(unit.digest().hex());
  if (gathered.evidence.deployed)
    index.set_deployed_sha256(gathered.evidence.deployed->digest.hex());
  *index.mutable_plan() = prepared.plan;
  index.set_engine(gathered.evidence.engine);
  index.set_deployed_engine(gathered.deployed_engine);
  index.set_program_sha256(books.program.hex());
  index.set_model_refused(gathered.model_refused);
  for (const Scenario& scenario : prepared.scenarios) {
    v1::InputRef& ref = *index.add_scenarios();
    ref.set_id(scenario.document.id());
    ref.set_sha256(scenario.sha256.hex());
  }
  index.mutable_intact()->Assign(gathered.intact.begin(), gathered.intact.end());
  index.mutable_broken()->Assign(gathered.broken.begin(), gathered.broken.end());
  index.set_digests_checked(gathered.digests_checked);
  if (gathered.evidence.leakage) *index.mutable_leakage() = ToShard(*gathered.evidence.leakage);
  index.set_run(books.run);
  index.set_reused(books.reused);
  return index;
}

// The shards against what is to be judged, before an attempt is counted.
absl::Status CheckFits(const ShardSet& shards, const bundle::UngatedUnit& unit,
                       const v1::GatePlan& plan, const agent::base::Digest& program) {
  const v1::ShardIndex& common = shards.common();
  const std::string path = shards.files().front().path();
  const auto differs = [&](const char* what, const std::string& theirs, const std::string& ours) {
    return absl::InvalidArgumentError(
        absl::StrFormat("shard %s was made with another %s (%s) than it is merged with (%s)", path,
                        what, theirs.empty() ? "none" : theirs, ours.empty() ? "none" : ours));
  };
  if (common.unit_sha256() != unit.digest().hex())
    return differs("unit", common.unit_sha256(), unit.digest().hex());
  if (common.program_sha256() != program.hex())
    return differs("gatekeeper program", common.program_sha256(), program.hex());
  if (common.plan().suite_sha256() != plan.suite_sha256())
    return differs("suite", common.plan().suite_sha256(), plan.suite_sha256());
  if (common.plan().library_sha256() != plan.library_sha256())
    return differs("scenario library", common.plan().library_sha256(), plan.library_sha256());
  if (common.plan().sha256() != plan.sha256())
    return differs("plan", common.plan().sha256(), plan.sha256());
  return absl::OkStatus();
}

v1::ReplayUse UseOf(const ShardSet& shards) {
  v1::ReplayUse use;
  for (const ShardFile& file : shards.files()) {
    use.set_run(use.run() + file.index().run());
    use.set_reused(use.reused() + file.index().reused());
  }
  use.set_shards(static_cast<uint32_t>(shards.files().size()));
  return use;
}

// Clips of one drive stay together: which of them is hurt, and which one leaked, goes by the
// others.
std::vector<Scenario> ScenariosOf(const Part& part, std::vector<Scenario> scenarios) {
  std::map<std::string, size_t> recordings;  // their numbers
  std::vector<Scenario> mine;
  for (Scenario& scenario : scenarios) {
    const auto number = recordings.try_emplace(RecordingOf(scenario.document), recordings.size());
    if (part.Has(number.first->second)) mine.push_back(std::move(scenario));
  }
  return mine;
}

}  // namespace

// The one place where a pass is made.
class Judgement {
 public:
  static absl::StatusOr<GateRun> Of(const bundle::UngatedUnit& unit, const Prepared& prepared,
                                    const Evidence& evidence, const v1::ReplayUse& use,
                                    const SuiteInput& input) {
    GateRun run;
    run.report = MakeReport(unit, prepared, evidence, input);
    *run.report.mutable_replays() = use;
    // Without a model that could be loaded: what would have run it.
    run.report.set_engine(evidence.engine.empty() ? prepared.plan.engine() : evidence.engine);
    if (!input.clips_folder.empty()) WriteClips(evidence, input.clips_folder, run.report);
    if (prepared.attempt) {
      RETURN_IF_ERROR(input.attempts->End(*prepared.attempt, run.report.outcome(), input.wall_ms));
    }
    if (run.report.outcome() == v1::PASS)
      run.pass = GatePass(run.report, unit.folder(), unit.digest());
    return run;
  }
};

absl::StatusOr<GateRun> RunSuite(const bundle::UngatedUnit& unit, const SuiteInput& input) {
  ASSIGN_OR_RETURN(const std::shared_ptr<OnnxRuntime> runtime, OpenRuntime(input));
  FarmBooks books;
  ASSIGN_OR_RETURN(const std::unique_ptr<ReplayCache> cache, OpenBooks(input, books));
  books.kept = cache.get();
  ASSIGN_OR_RETURN(Prepared prepared, Prepare(HostOf(*runtime), input));
  RETURN_IF_ERROR(CountAttempt(unit, input, prepared));
  ASSIGN_OR_RETURN(const Gathered gathered,
                   Gather(unit, prepared, input, {.runtime = runtime.get(), .books = books}));
  TellTrouble(cache.get());
  v1::ReplayUse use;
  use.set_run(books.run);
  use.set_reused(books.reused);
  return Judgement::Of(unit, prepared, gathered.evidence, use, input);
}

absl::StatusOr<ShardRun> RunShard(const bundle::UngatedUnit& unit, const SuiteInput& input,
                                  const Part& part, const std::string& file) {
  ASSIGN_OR_RETURN(const std::shared_ptr<OnnxRuntime> runtime, OpenRuntime(input));
  FarmBooks books;
  ASSIGN_OR_RETURN(const std::unique_ptr<ReplayCache> cache, OpenBooks(input, books));
  ASSIGN_OR_RETURN(const std::unique_ptr<ShardWriter> shard,
                   ShardWriter::Create(file, cache.get()));
  books.kept = shard.get();
  ASSIGN_OR_RETURN(Prepared prepared, Prepare(HostOf(*runtime), input));
  prepared.scenarios = ScenariosOf(part, std::move(prepared.scenarios));
  ASSIGN_OR_RETURN(
      const Gathered gathered,
      Gather(unit, prepared, input, {.runtime = runtime.get(), .part = part, .books = books}));
  TellTrouble(cache.get());
  v1::ShardIndex index = IndexOf(unit, prepared, gathered, books);
  index.set_number(part.number);
  index.set_count(part.count);
  RETURN_IF_ERROR(shard->Finish(std::move(index)));
  return ShardRun{.scenarios = prepared.scenarios.size(), .run = books.run, .reused = books.reused};
}

absl::StatusOr<GateRun> MergeShards(const bundle::UngatedUnit& unit, const SuiteInput& input,
                                    const std::vector<std::string>& files) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ShardSet> shards, ShardSet::Open(files));
  FarmBooks books;
  books.kept = shards.get();
  ASSIGN_OR_RETURN(books.program, ProgramDigest());
  const v1::GatePlan& theirs = shards->common().plan();
  ASSIGN_OR_RETURN(Prepared prepared,
                   Prepare({.engine = theirs.engine(), .host_class = theirs.host_class()}, input));
  RETURN_IF_ERROR(CheckFits(*shards, unit, prepared.plan, books.program));
  RETURN_IF_ERROR(CountAttempt(unit, input, prepared));
  ASSIGN_OR_RETURN(const Gathered gathered,
                   Gather(unit, prepared, input, {.shards = shards.get(), .books = books}));
  return Judgement::Of(unit, prepared, gathered.evidence, UseOf(*shards), input);
}

}  // namespace gatekeeper::gates
