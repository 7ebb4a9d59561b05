#include "gatekeeper/gates/clip_judge.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/nearest_name.h"
#include "agent/base/status_macros.h"
#include "agent/inference/numerics_key.h"
#include "agent/inference/onnx_runtime.h"
#include "gatekeeper/gates/gather.h"
#include "gatekeeper/gates/replay_cache.h"

namespace gatekeeper::gates {
namespace {

// The others judge documents, the whole library, or times.
constexpr std::string_view kByClip[] = {
    "envelope",        "requirements", "raw_vs_enforced", "worst_segment", "stale_input",
    "network_down",    "fault_matrix", "fallback_chain",  "corruption",    "metamorphic",
    "non_inferiority", "horizon",      "separation"};

constexpr double kOneClipsFloor = 0.9;  // 29 cuts at alpha 0.05
constexpr double kLeastFloor = 1e-9;    // one

bool ByClip(std::string_view gate) {
  return std::find(std::begin(kByClip), std::end(kByClip), gate) != std::end(kByClip);
}

absl::StatusOr<const Gate*> FindGate(const std::string& id) {
  std::vector<std::string> ids;
  for (const Gate& gate : AllGates()) {
    ids.emplace_back(gate.id);
    if (gate.id != id) continue;
    if (ByClip(id)) return &gate;
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s does not judge clips one by one; these do: %s", id,
        absl::StrJoin(std::begin(kByClip), std::end(kByClip), ", ",
                      [](std::string* out, std::string_view name) { out->append(name); })));
  }
  const std::string nearest = agent::base::NearestName(id, ids);
  return absl::InvalidArgumentError(absl::StrFormat(
      "there is no gate '%s'%s", id,
      nearest.empty() ? "; a report names them" : "; did you mean '" + nearest + "'?"));
}

// What other gates want costs replays, and one clip is all there is.
v1::GateSuite ForOneClip(v1::GateSuite suite, std::string_view gate) {
  suite.mutable_determinism()->set_runs(0);
  suite.clear_closed_loop();
  suite.clear_coverage();
  suite.clear_uncertainty();
  suite.clear_leakage();
  suite.clear_regression();
  if (gate != "fault_matrix") suite.clear_fault_matrix();
  if (gate != "fallback_chain") suite.clear_fallback_chain();
  if (gate != "corruption") suite.clear_corruption();
  if (gate != "metamorphic") suite.clear_metamorphic();
  const bool faults = gate == "stale_input" || gate == "network_down" || gate == "raw_vs_enforced";
  suite.mutable_faults()->set_clips(faults ? 1 : 0);
  // One clip has not the moments of a library, and each piece of it is judged anew.
  suite.mutable_faults()->set_network_floor(gate == "network_down" ? kOneClipsFloor : kLeastFloor);
  suite.mutable_worst_segment()->set_min_clips(1);
  if (suite.has_fault_matrix()) suite.mutable_fault_matrix()->set_clips(1);
  if (suite.has_fallback_chain()) suite.mutable_fallback_chain()->set_clips(1);
  if (suite.has_corruption()) suite.mutable_corruption()->set_clips(1);
  if (suite.has_metamorphic()) suite.mutable_metamorphic()->set_clips(1);
  if (suite.has_separation()) suite.mutable_separation()->set_encounters(1);
  if (suite.has_non_inferiority()) suite.mutable_non_inferiority()->set_max_newly_failing(0);
  return suite;
}

}  // namespace

absl::StatusOr<ClipJudge> ClipJudge::Create(const bundle::UngatedUnit& unit, SuiteInput input,
                                            const std::string& gate) {
  ASSIGN_OR_RETURN(const Gate* found, FindGate(gate));
  ClipJudge judge(unit, std::move(input), *found);
  ASSIGN_OR_RETURN(judge.suite_, ParseSuite(judge.input_.suite_yaml, judge.input_.suite_file));
  if (found->planned != nullptr && !found->planned(judge.suite_.document)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s does not ask for %s: it has no such section", judge.input_.suite_file, gate));
  }
  if (gate == "non_inferiority" && judge.input_.against.empty()) {
    return absl::InvalidArgumentError("non_inferiority compares with a unit: name it by --against");
  }
  ASSIGN_OR_RETURN(judge.program_, ProgramDigest());
  ASSIGN_OR_RETURN(judge.runtime_,
                   agent::inference::OnnxRuntime::Open(judge.input_.library_path.empty()
                                                           ? agent::inference::DefaultLibraryPath()
                                                           : judge.input_.library_path));
  return judge;
}

absl::StatusOr<ClipVerdict> ClipJudge::Judge(const Scenario& clip) const {
  Prepared prepared;
  prepared.suite = suite_;
  prepared.suite.document = ForOneClip(suite_.document, gate_->id);
  prepared.scenarios = {clip};
  prepared.plan.set_host_class(agent::inference::InstructionSet());
  FarmBooks books;
  books.program = program_;
  ASSIGN_OR_RETURN(const Gathered gathered,
                   Gather(*unit_, prepared, input_, {.runtime = runtime_.get(), .books = books}));
  const Evidence& evidence = gathered.evidence;
  if (!evidence.not_replayed.empty() || evidence.replays.empty()) {
    return absl::FailedPreconditionError(
        absl::StrFormat("%s cannot be replayed at all: %s", unit_->label(), evidence.not_replayed));
  }
  ClipVerdict verdict;
  verdict.policy = evidence.policy;
  const Replay& replay = evidence.replays.front();
  verdict.replayed = replay.status;
  if (verdict.replayed.ok() && replay.ticks.empty())
    verdict.replayed = absl::NotFoundError("no tick fits into it");
  if (verdict.replayed.ok()) {
    verdict.result = gate_->judge(evidence);
    verdict.result.set_id(gate_->id);
  }
  return verdict;
}

}  // namespace gatekeeper::gates
