#include "gatekeeper/gates/run_suite.h"

#include <memory>
#include <utility>
#include <vector>

#include "agent/base/status_macros.h"
#include "agent/inference/onnx_runtime.h"
#include "gatekeeper/bundle/ungated_unit.h"
#include "gatekeeper/gates/agreement.h"
#include "gatekeeper/gates/corpus.h"
#include "gatekeeper/gates/counterexample.h"
#include "gatekeeper/gates/figures.h"
#include "gatekeeper/gates/gather.h"
#include "gatekeeper/gates/preparation.h"

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
