#include "gatekeeper/defects/static_gates.h"

#include <utility>

#include "agent/base/status_macros.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/bundle/rule_diff.h"
#include "gatekeeper/bundle/static_checks.h"
#include "gatekeeper/gates/crew.h"
#include "gatekeeper/gates/integrity.h"
#include "gatekeeper/gates/scenario_library.h"
#include "gatekeeper/gates/shared_life.h"

namespace gatekeeper::defects {
namespace {

int Badness(v1::GateOutcome outcome) {
  if (outcome == v1::PASS) return 0;
  return outcome == v1::FAIL ? 2 : 1;
}

absl::StatusOr<gates::DeployedUnit> Compare(const bundle::UngatedUnit& deployed,
                                            const bundle::UngatedUnit& unit) {
  ASSIGN_OR_RETURN(bundle::UnitDiff diff, bundle::DiffUnits(deployed, unit));
  gates::DeployedUnit compared;
  compared.label = deployed.label();
  compared.digest = deployed.digest();
  for (bundle::RuleChange& change : diff.rules) {
    if (bundle::WantsSecondPerson(change)) compared.looser.push_back(std::move(change));
  }
  return compared;
}

}  // namespace

absl::StatusOr<Outcomes> JudgeRules(const bundle::UngatedUnit& unit,
                                    const std::optional<bundle::UngatedUnit>& deployed,
                                    const v1::GateSuite& suite, const gates::SuiteInput& input) {
  gates::Evidence evidence;
  evidence.suite = suite;
  ASSIGN_OR_RETURN(evidence.diagnostics, bundle::CheckRules(unit, input.policy.site));
  evidence.at_site = input.policy.site.has_value();
  const auto documents = gates::ReadDocuments(unit);
  if (!documents.ok()) {  // a run blames the unit in the same way
    v1::Finding finding;
    finding.set_file(agent::trust::kPolicyFile);
    finding.set_message(std::string(documents.status().message()));
    evidence.broken.push_back(std::move(finding));
  } else if (deployed.has_value()) {
    ASSIGN_OR_RETURN(evidence.deployed, Compare(*deployed, unit));
  }
  Outcomes outcomes = {{"integrity", gates::JudgeIntegrity(evidence).outcome()},
                       {"static_policy", gates::JudgeStaticPolicy(evidence).outcome()}};
  if (suite.has_non_inferiority())
    outcomes["loosening"] = gates::JudgeLoosening(evidence).outcome();
  return outcomes;
}

absl::StatusOr<Outcomes> JudgeLibrary(const v1::GateSuite& suite, const gates::SuiteInput& input) {
  ASSIGN_OR_RETURN(const std::vector<gates::Scenario> scenarios,
                   gates::LoadScenarios(input.scenarios_folder, input.recordings_folder));
  gates::Evidence evidence;
  evidence.suite = suite;
  evidence.broken = gates::CheckRecordings(scenarios).broken;
  std::vector<gates::Replay> unread(scenarios.size());  // by their digests alone
  for (size_t i = 0; i < scenarios.size(); ++i) unread[i].scenario = &scenarios[i];
  const bool twice = !gates::FindSharedLife(unread).empty();
  return Outcomes{{"integrity", gates::JudgeIntegrity(evidence).outcome()},
                  {"recordings", twice ? v1::FAIL : v1::PASS}};
}

std::vector<std::string> WorseGates(const Outcomes& before, const Outcomes& after) {
  std::vector<std::string> worse;
  for (const auto& [gate, outcome] : after) {
    const auto was = before.find(gate);
    // What was measured differs from run to run; no defect that is seeded makes a model slower.
    if (gate == "latency" || was == before.end()) continue;
    if (Badness(outcome) > Badness(was->second)) worse.push_back(gate);
  }
  return worse;
}

}  // namespace gatekeeper::defects
