#include "agent/runtime/unit_rules.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"

namespace agent::runtime {
namespace {

namespace v1 = ::gatekeeper::v1;

// "[limits.nominal] must ..." with the path replaced by where it stands in the file.
absl::Status Located(const base::SourceMap& map, const absl::Status& status) {
  const std::string text(status.message());
  const size_t end = text.find("] ");
  if (end == std::string::npos) return status;
  const std::string path = text.substr(1, end - 1);
  return absl::Status(status.code(),
                      absl::StrCat(map.Locate(path), ": ", path, " ", text.substr(end + 2)));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const UnitRules>> LoadRules(std::string_view card_yaml,
                                                           std::string_view policy_yaml,
                                                           std::string_view fallback_yaml) {
  v1::ControlPolicy policy_document;
  ASSIGN_OR_RETURN(
      const base::SourceMap policy_map,
      base::ReadYaml(policy_yaml, "control_policy.yaml", "control_policy/1", policy_document));
  absl::StatusOr<Policy> policy = Policy::Compile(policy_document);
  if (!policy.ok()) return Located(policy_map, policy.status());

  v1::FallbackRules fallback_document;
  ASSIGN_OR_RETURN(
      const base::SourceMap fallback_map,
      base::ReadYaml(fallback_yaml, "fallback_rules.yaml", "fallback_rules/1", fallback_document));
  absl::StatusOr<Fallback> fallback = Fallback::Compile(fallback_document, *policy);
  if (!fallback.ok()) return Located(fallback_map, fallback.status());

  v1::ModelCard card;
  ASSIGN_OR_RETURN(const base::SourceMap card_map,
                   base::ReadYaml(card_yaml, "card.yaml", "model_card/1", card));
  const absl::StatusOr<base::ModelSignature> signature = SignatureFor(card, *policy);
  if (!signature.ok()) return Located(card_map, signature.status());

  return std::make_shared<const UnitRules>(
      UnitRules{*std::move(policy), *std::move(fallback), std::move(card)});
}

}  // namespace agent::runtime
