#include "gatekeeper/gates/crew.h"

#include <utility>

#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/inference/onnx_runtime.h"
#include "agent/runtime/binding.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/gates/golden_answers.h"

namespace gatekeeper::gates {

absl::StatusOr<Documents> ReadDocuments(const bundle::UngatedUnit& unit) {
  ASSIGN_OR_RETURN(const std::string card, unit.Read(agent::trust::kCardFile));
  ASSIGN_OR_RETURN(const std::string policy, unit.Read(agent::trust::kPolicyFile));
  ASSIGN_OR_RETURN(const std::string fallback, unit.Read(agent::trust::kFallbackFile));
  Documents documents;
  ASSIGN_OR_RETURN(documents.rules, agent::runtime::LoadRules(card, policy, fallback));
  RETURN_IF_ERROR(
      agent::base::ReadYaml(policy, agent::trust::kPolicyFile, "control_policy/1", documents.policy)
          .status());
  RETURN_IF_ERROR(agent::base::ReadYaml(fallback, agent::trust::kFallbackFile, "fallback_rules/1",
                                        documents.fallback)
                      .status());
  return documents;
}

absl::StatusOr<Crew> MakeCrew(const bundle::UngatedUnit& unit, const Documents& documents,
                              const std::string& model,
                              const agent::inference::OnnxRuntime* runtime, unsigned threads) {
  ASSIGN_OR_RETURN(const agent::base::ModelSignature signature,
                   agent::runtime::SignatureFor(documents.rules->card, documents.rules->policy));
  const auto& listed = documents.rules->card.execution_providers();
  ASSIGN_OR_RETURN(const auto providers,
                   agent::base::ParseProviders({listed.begin(), listed.end()}));
  Crew crew;
  crew.unit = unit.digest();
  crew.rules = documents.rules;
  for (unsigned i = 0; runtime != nullptr && i < threads; ++i) {
    ASSIGN_OR_RETURN(auto loaded, runtime->Load(model, signature, providers));
    if (i == 0) {
      RETURN_IF_ERROR(CheckGoldenAnswers(unit, loaded));
      crew.engine = loaded.numerics_key;
      for (const std::string& reason : loaded.passed_over) crew.engine += "; " + reason;
    }
    ASSIGN_OR_RETURN(auto bench, TestBench::Create(unit.digest().hex(), documents.rules,
                                                   std::move(loaded.model)));
    crew.benches.push_back(std::move(bench));
  }
  return crew;
}

}  // namespace gatekeeper::gates
