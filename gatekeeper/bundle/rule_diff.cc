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

std::string Parent(const std::string& path) {
  const size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

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

template <class Document>
absl::StatusOr<Flat> Read(const UngatedUnit& unit, const char* path, const char* schema) {
  ASSIGN_OR_RETURN(const std::string text, unit.Read(path));
  Document document;
  RETURN_IF_ERROR(
      agent::base::ReadYaml(text, unit.folder() + "/" + path, schema, document).status());
  return Flatten(document);
}

template <class Document>
absl::Status DiffFile(const UngatedUnit& before, const UngatedUnit& after, const char* path,
                      const char* schema, const char* title, UnitDiff& diff) {
  ASSIGN_OR_RETURN(const Flat old_flat, Read<Document>(before, path, schema));
  ASSIGN_OR_RETURN(const Flat new_flat, Read<Document>(after, path, schema));
  DiffDocument(title, old_flat, new_flat, diff.rules);
  return absl::OkStatus();
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

}  // namespace

absl::StatusOr<UnitDiff> DiffUnits(const UngatedUnit& before, const UngatedUnit& after) {
  UnitDiff diff;
  RETURN_IF_ERROR(DiffFile<v1::ModelCard>(before, after, agent::trust::kCardFile, "model_card/1",
                                          "model card", diff));
  RETURN_IF_ERROR(DiffFile<v1::ControlPolicy>(before, after, agent::trust::kPolicyFile,
                                              "control_policy/1", "control policy", diff));
  RETURN_IF_ERROR(DiffFile<v1::FallbackRules>(before, after, agent::trust::kFallbackFile,
                                              "fallback_rules/1", "fallback rules", diff));
  std::stable_sort(diff.rules.begin(), diff.rules.end(),
                   [](const RuleChange& a, const RuleChange& b) { return a.effect < b.effect; });
  DiffArtifacts(before, after, diff);
  return diff;
}

}  // namespace gatekeeper::bundle
