#include "gatekeeper/gates/golden_answers.h"

#include <vector>

#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/inference/golden.h"
#include "agent/runtime/binding.h"
#include "agent/runtime/policy.h"
#include "agent/trust/manifest.h"

namespace gatekeeper::gates {

using agent::inference::Golden;
using agent::inference::OnnxRuntime;

absl::StatusOr<std::string> MakeGolden(const GoldenOrder& order) {
  v1::ModelCard card;
  v1::ControlPolicy document;
  RETURN_IF_ERROR(
      agent::base::ReadYaml(order.card_yaml, order.card_name, "model_card/1", card).status());
  RETURN_IF_ERROR(
      agent::base::ReadYaml(order.policy_yaml, order.policy_name, "control_policy/1", document)
          .status());
  ASSIGN_OR_RETURN(const auto policy, agent::runtime::Policy::Compile(document));
  ASSIGN_OR_RETURN(const auto signature, agent::runtime::SignatureFor(card, policy));
  const auto& listed = card.execution_providers();
  ASSIGN_OR_RETURN(const auto providers,
                   agent::base::ParseProviders({listed.begin(), listed.end()}));
  const std::string library =
      order.library_path.empty() ? agent::inference::DefaultLibraryPath() : order.library_path;
  ASSIGN_OR_RETURN(const auto runtime, OnnxRuntime::Open(library));
  ASSIGN_OR_RETURN(const auto loaded, runtime->Load(order.model, signature, providers));
  ASSIGN_OR_RETURN(
      const Golden golden,
      agent::inference::RecordGolden(*loaded.model, loaded.numerics_key, order.cases, order.seed));
  return agent::inference::WriteGolden(golden);
}

absl::Status CheckGoldenAnswers(const bundle::UngatedUnit& unit,
                                const agent::inference::LoadedModel& loaded) {
  if (!agent::trust::HasFile(unit.manifest(), agent::trust::kGoldenFile)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const std::string json, unit.Read(agent::trust::kGoldenFile));
  ASSIGN_OR_RETURN(const Golden golden, agent::inference::ParseGolden(json));
  return agent::inference::CheckGolden(golden, loaded.numerics_key, *loaded.model);
}

}  // namespace gatekeeper::gates
