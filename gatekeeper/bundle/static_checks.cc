#include "gatekeeper/bundle/static_checks.h"

#include <cstdio>
#include <optional>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/runtime/binding.h"
#include "agent/runtime/fallback.h"
#include "agent/runtime/policy.h"
#include "agent/runtime/rule_id.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/bundle/policy_checks.h"

namespace gatekeeper::bundle {
namespace {

using agent::base::SourceMap;

// "policy.yaml:12:3..." -> 12 and 3, as ReadYaml and SourceMap write them.
Diagnostic At(const std::string& located, const char* rule, const std::string& file,
              std::string message) {
  Diagnostic diagnostic{.rule = rule, .file = file, .message = std::move(message)};
  if (located.compare(0, file.size(), file) == 0) {
    std::sscanf(located.c_str() + file.size(), ":%d:%d", &diagnostic.line, &diagnostic.column);
  }
  return diagnostic;
}

// ReadYaml's own message already says file, line and column.
Diagnostic Unreadable(const char* file, const absl::Status& status) {
  const std::string text(status.message());
  const size_t space = text.find(' ');
  return At(text, "S1", file, space == std::string::npos ? text : text.substr(space + 1));
}

template <class Document>
std::optional<SourceMap> Read(const char* file, std::string_view text, const char* schema,
                              Document& document, std::vector<Diagnostic>& found) {
  auto map = agent::base::ReadYaml(text, file, schema, document);
  if (map.ok()) return *std::move(map);
  found.push_back(Unreadable(file, map.status()));
  return std::nullopt;
}

// "[limits.nominal.vx_max_mps] must be ..." -> the line of that key.
Diagnostic FromCompiler(const SourceMap& map, const absl::Status& status) {
  const std::string text(status.message());
  const std::string rule = agent::runtime::RuleOf(status);
  const size_t close = text.find("] ");
  if (text.empty() || text[0] != '[' || close == std::string::npos) {
    return {.rule = rule, .file = map.file(), .message = text};
  }
  const std::string path = text.substr(1, close - 1);
  return At(map.Locate(path), rule.c_str(), map.file(), path + " " + text.substr(close + 2));
}

void Append(const SourceMap& map, const std::vector<Finding>& findings,
            std::vector<Diagnostic>& found) {
  for (const Finding& finding : findings) {
    found.push_back(At(map.Locate(finding.path), finding.rule.c_str(), map.file(),
                       finding.path + " " + finding.message));
  }
}

}  // namespace

std::string ToString(const Diagnostic& diagnostic) {
  return absl::StrFormat("%s:%d:%d: %s: %s", diagnostic.file, diagnostic.line, diagnostic.column,
                         diagnostic.rule, diagnostic.message);
}

std::vector<Diagnostic> CheckRules(std::string_view card_yaml, std::string_view policy_yaml,
                                   std::string_view fallback_yaml) {
  std::vector<Diagnostic> found;
  v1::ModelCard card;
  v1::ControlPolicy policy;
  v1::FallbackRules fallback;
  const auto card_map = Read(agent::trust::kCardFile, card_yaml, "model_card/1", card, found);
  const auto policy_map =
      Read(agent::trust::kPolicyFile, policy_yaml, "control_policy/1", policy, found);
  const auto fallback_map =
      Read(agent::trust::kFallbackFile, fallback_yaml, "fallback_rules/1", fallback, found);
  if (!card_map || !policy_map || !fallback_map) return found;

  const auto compiled = agent::runtime::Policy::Compile(policy);
  if (!compiled.ok()) {
    found.push_back(FromCompiler(*policy_map, compiled.status()));
    return found;  // the other two are judged against the compiled policy
  }
  if (const auto rules = agent::runtime::Fallback::Compile(fallback, *compiled); !rules.ok()) {
    found.push_back(FromCompiler(*fallback_map, rules.status()));
  } else {
    Append(*policy_map, CheckPolicy(policy, fallback), found);
  }
  const auto signature = agent::runtime::SignatureFor(card, *compiled);
  if (!signature.ok()) {
    found.push_back(FromCompiler(*card_map, signature.status()));
  } else if (const auto binding = agent::runtime::Binding::Compile(card, *compiled, *signature);
             !binding.ok()) {
    found.push_back(FromCompiler(*card_map, binding.status()));
  }
  return found;
}

absl::StatusOr<std::vector<Diagnostic>> CheckRules(const UngatedUnit& unit) {
  ASSIGN_OR_RETURN(const std::string card, unit.Read(agent::trust::kCardFile));
  ASSIGN_OR_RETURN(const std::string policy, unit.Read(agent::trust::kPolicyFile));
  ASSIGN_OR_RETURN(const std::string fallback, unit.Read(agent::trust::kFallbackFile));
  return CheckRules(card, policy, fallback);
}

}  // namespace gatekeeper::bundle
