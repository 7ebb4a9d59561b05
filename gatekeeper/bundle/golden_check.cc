#include "gatekeeper/bundle/golden_check.h"

#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/inference/golden.h"
#include "agent/runtime/binding.h"
#include "agent/runtime/policy.h"
#include "agent/trust/manifest.h"
#include "proto/policy.pb.h"
#include "proto/unit.pb.h"

namespace gatekeeper::bundle {

absl::Status CheckGoldenFile(std::string_view golden_json, std::string_view card_yaml,
                             std::string_view policy_yaml) {
  ASSIGN_OR_RETURN(const agent::inference::Golden golden,
                   agent::inference::ParseGolden(golden_json));
  v1::ModelCard card;
  v1::ControlPolicy policy;
  RETURN_IF_ERROR(
      agent::base::ReadYaml(card_yaml, agent::trust::kCardFile, "model_card/1", card).status());
  RETURN_IF_ERROR(
      agent::base::ReadYaml(policy_yaml, agent::trust::kPolicyFile, "control_policy/1", policy)
          .status());
  ASSIGN_OR_RETURN(const agent::runtime::Policy compiled, agent::runtime::Policy::Compile(policy));
  ASSIGN_OR_RETURN(const agent::base::ModelSignature signature,
                   agent::runtime::SignatureFor(card, compiled));
  return agent::inference::CheckGoldenFits(golden, signature);
}

}  // namespace gatekeeper::bundle
