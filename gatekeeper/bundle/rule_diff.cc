#include "gatekeeper/bundle/rule_diff.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/bundle/flat_document.h"
#include "proto/fallback.pb.h"
#include "proto/policy.pb.h"

namespace gatekeeper::bundle {
namespace {

constexpr char kModelCard[] = "model card";

// Below an element that came or went as a whole, nothing more needs saying.
bool InsideNewOrGone(const Flat& before, const Flat& after, const std::string& path) {
  for (std::string up = Parent(path); !up.empty(); up = Parent(up)) {
    const bool was = before.contains(up);
    if (was != after.contains(up)) return true;
  }
  return false;
}

void DiffDocument(const std::string& document, const Flat& before, const Flat& after,
                  std::vector<RuleChange>& changes) {
  std::set<std::string> paths;
  for (const auto& [path, value] : before) paths.insert(path);
  for (const auto& [path, value] : after) paths.insert(path);
  for (const std::string& path : paths) {
    const bool was = before.contains(path);
    const bool is = after.contains(path);
    if (was && is && before.at(path) == after.at(path)) continue;
    if (InsideNewOrGone(before, after, path)) continue;
    changes.push_back({EffectOf(before, after, path), document, path, was ? before.at(path) : "-",
                       is ? after.at(path) : "-"});
  }
}

template <class Message>
absl::StatusOr<Flat> Read(const Document& document, const char* schema) {
  Message message;
  RETURN_IF_ERROR(agent::base::ReadYaml(document.text, document.file, schema, message).status());
  return Flatten(message);
}

template <class Message>
absl::Status DiffTexts(const Document& before, const Document& after, const char* schema,
                       const char* title, std::vector<RuleChange>& changes) {
  ASSIGN_OR_RETURN(const Flat old_flat, Read<Message>(before, schema));
  ASSIGN_OR_RETURN(const Flat new_flat, Read<Message>(after, schema));
  DiffDocument(title, old_flat, new_flat, changes);
  return absl::OkStatus();
}

// A unit's documents by the paths that a person can open.
absl::StatusOr<RuleSet> Located(const UngatedUnit& unit) {
  ASSIGN_OR_RETURN(RuleSet rules, RulesOf(unit));
  for (auto* document : {&rules.card, &rules.policy, &rules.fallback}) {
    (*document)->file = unit.folder() + "/" + (*document)->file;
  }
  return rules;
}

void DiffArtifacts(const UngatedUnit& before, const UngatedUnit& after, UnitDiff& diff) {
  std::map<std::string, std::pair<std::string, std::string>> digests;
  for (const v1::UnitFile& file : before.manifest().files())
    digests[file.path()].first = file.sha256();
  for (const v1::UnitFile& file : after.manifest().files())
    digests[file.path()].second = file.sha256();
  for (const auto& [path, pair] : digests) {
    if (pair.first == pair.second) continue;
    diff.artifacts.push_back(
        absl::StrFormat("%s  %s -> %s", path, pair.first.empty() ? "-" : pair.first.substr(0, 12),
                        pair.second.empty() ? "-" : pair.second.substr(0, 12)));
  }
}

std::string DiffSafetyCase(const v1::Manifest& before, const v1::Manifest& after) {
  if (before.safety_case() == after.safety_case()) return "";
  const auto shown = [](const std::string& text) { return text.empty() ? "-" : text; };
  return shown(before.safety_case()) + " -> " + shown(after.safety_case());
}

}  // namespace

absl::StatusOr<std::vector<RuleChange>> DiffRules(const RuleSet& before, const RuleSet& after) {
  std::vector<RuleChange> changes;
  RETURN_IF_ERROR(
      DiffTexts<v1::ModelCard>(*before.card, *after.card, "model_card/1", kModelCard, changes));
  RETURN_IF_ERROR(DiffTexts<v1::ControlPolicy>(*before.policy, *after.policy, "control_policy/1",
                                               "control policy", changes));
  RETURN_IF_ERROR(DiffTexts<v1::FallbackRules>(*before.fallback, *after.fallback,
                                               "fallback_rules/1", "fallback rules", changes));
  std::stable_sort(changes.begin(), changes.end(),
                   [](const RuleChange& a, const RuleChange& b) { return a.effect < b.effect; });
  return changes;
}

absl::StatusOr<UnitDiff> DiffUnits(const UngatedUnit& before, const UngatedUnit& after) {
  UnitDiff diff;
  ASSIGN_OR_RETURN(const RuleSet old_rules, Located(before));
  ASSIGN_OR_RETURN(const RuleSet new_rules, Located(after));
  ASSIGN_OR_RETURN(diff.rules, DiffRules(old_rules, new_rules));
  DiffArtifacts(before, after, diff);
  diff.safety_case = DiffSafetyCase(before.manifest(), after.manifest());
  return diff;
}

bool WantsSecondPerson(const RuleChange& change) {
  if (change.effect != Effect::kDifferent) return change.effect == Effect::kLooser;
  if (change.document == kModelCard) return false;
  return change.path != "id" && change.path != "version" && change.path != "schema";
}

}  // namespace gatekeeper::bundle
