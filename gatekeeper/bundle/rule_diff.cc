#include "gatekeeper/bundle/rule_diff.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/trust/manifest.h"
#include "boost/geometry.hpp"
#include "boost/geometry/geometries/point_xy.hpp"
#include "boost/geometry/geometries/polygon.hpp"
#include "gatekeeper/bundle/flat_document.h"
#include "proto/fallback.pb.h"
#include "proto/policy.pb.h"

namespace gatekeeper::bundle {
namespace {

using Flat = std::map<std::string, std::string>;

// What a larger number of this name means for the robot.
const std::map<std::string, Effect>& WhenLarger() {
  static const std::map<std::string, Effect> table = {
      {"vx_max_mps", Effect::kLooser},
      {"vx_min_mps", Effect::kTighter},
      {"wz_abs_max_radps", Effect::kLooser},
      {"acc_max_mps2", Effect::kLooser},
      {"dec_max_mps2", Effect::kLooser},
      {"wz_acc_max_radps2", Effect::kLooser},
      {"for_ms", Effect::kTighter},  // a longer careful phase after a switch
      {"max_fraction", Effect::kLooser},
      {"max_age_ms", Effect::kLooser},
      {"max_future_ms", Effect::kLooser},
      {"stuck_after_ms", Effect::kLooser},
      {"min_valid_fraction", Effect::kTighter},
      {"hard_ms", Effect::kLooser},
      {"max_consecutive", Effect::kLooser},
      {"max", Effect::kLooser},
      {"enter_below", Effect::kTighter},
      {"leave_above", Effect::kTighter},
      {"leave_hold_ms", Effect::kTighter},
      {"margin_m", Effect::kTighter},
      {"min_points", Effect::kLooser},
      {"trigger_consecutive", Effect::kLooser},
      {"release_consecutive", Effect::kTighter},
      {"q_min_rad", Effect::kTighter},
      {"q_max_rad", Effect::kLooser},
      {"qd_abs_max_radps", Effect::kLooser},
      {"mrc_within_ms", Effect::kLooser},
      {"max_dwell_s", Effect::kLooser},
      {"complete_within_ms", Effect::kLooser},
      {"after_ms", Effect::kLooser},
      {"quiet_ms", Effect::kTighter},
      {"max_transitions", Effect::kLooser},
      {"standstill_ms", Effect::kTighter},
  };
  return table;
}

Effect Opposite(Effect effect) {
  if (effect == Effect::kLooser) return Effect::kTighter;
  if (effect == Effect::kTighter) return Effect::kLooser;
  return effect;
}

std::string LastName(const std::string& path) {
  std::string name = path.substr(path.rfind('.') + 1);
  if (const size_t bracket = name.find('['); bracket != std::string::npos) name.resize(bracket);
  return name;
}

std::string Parent(const std::string& path) {
  const size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string Get(const Flat& flat, const std::string& path) {
  const auto found = flat.find(path);
  return found == flat.end() ? "" : found->second;
}

using PointXy = boost::geometry::model::d2::point_xy<double>;
using Polygon = boost::geometry::model::polygon<PointXy>;

Polygon ParsePolygon(const std::string& text) {
  Polygon polygon;
  const char* at = text.c_str();
  while ((at = std::find_if(at, text.c_str() + text.size(), [](char c) {
            return (c >= '0' && c <= '9') || c == '-';
          })) != text.c_str() + text.size()) {
    char* end = nullptr;
    const double x = std::strtod(at, &end);
    const double y = std::strtod(end + 1, &end);
    boost::geometry::append(polygon.outer(), PointXy(x, y));
    at = end;
  }
  boost::geometry::correct(polygon);
  return polygon;
}

// A larger inclusion zone is looser; a larger exclusion, speed, stop or limit zone is tighter.
Effect WhenZoneGrows(const Flat& flat, const std::string& zone) {
  return Get(flat, zone + ".kind") == "inclusion" ? Effect::kLooser : Effect::kTighter;
}

Effect JudgePolygon(const Flat& after, const std::string& path, const std::string& was,
                    const std::string& is) {
  const Polygon old_shape = ParsePolygon(was);
  const Polygon new_shape = ParsePolygon(is);
  const Effect grows = WhenZoneGrows(after, Parent(path));
  if (boost::geometry::covered_by(old_shape, new_shape)) return grows;
  if (boost::geometry::covered_by(new_shape, old_shape)) return Opposite(grows);
  return Effect::kDifferent;
}

// Trigger target: the state of higher rank is the more careful answer.
Effect JudgeTarget(const Flat& before, const Flat& after, const std::string& was,
                   const std::string& is) {
  double old_rank = 0;
  double new_rank = 0;
  if (!absl::SimpleAtod(Get(before, "states." + was + ".rank"), &old_rank)) old_rank = 0;
  if (!absl::SimpleAtod(Get(after, "states." + is + ".rank"), &new_rank)) new_rank = 0;
  if (old_rank == new_rank) return Effect::kDifferent;
  return new_rank > old_rank ? Effect::kTighter : Effect::kLooser;
}

// Zones, triggers and required inputs protect: one more is tighter, one less is looser. One more
// inclusion zone is ground the robot did not have before.
Effect JudgeAddition(const Flat& flat, const std::string& path) {
  const bool protects = path.rfind("envelope.", 0) == 0 ||
                        path.rfind("separation.zones.", 0) == 0 ||
                        path.rfind("triggers.", 0) == 0 || path.rfind("inputs.", 0) == 0;
  if (!protects) return Effect::kDifferent;
  return Get(flat, path + ".kind") == "inclusion" ? Effect::kLooser : Effect::kTighter;
}

Effect JudgeChange(const Flat& before, const Flat& after, const std::string& path) {
  const std::string was = Get(before, path);
  const std::string is = Get(after, path);
  const std::string name = LastName(path);
  if (name == "polygon_m") return JudgePolygon(after, path, was, is);
  if (name == "to") return JudgeTarget(before, after, was, is);
  if (name == "required") return is == "true" ? Effect::kTighter : Effect::kLooser;
  double old_number = 0;
  double new_number = 0;
  if (!absl::SimpleAtod(was, &old_number) || !absl::SimpleAtod(is, &new_number)) {
    return Effect::kDifferent;
  }
  Effect larger = Effect::kDifferent;
  if (name == "r") {
    larger = WhenZoneGrows(after, Parent(Parent(path)));
  } else if (const auto found = WhenLarger().find(name); found != WhenLarger().end()) {
    larger = found->second;
  }
  return new_number > old_number ? larger : Opposite(larger);
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
    RuleChange change{Effect::kDifferent, document, path, was ? before.at(path) : "-",
                      is ? after.at(path) : "-"};
    if (was && is) {
      change.effect = JudgeChange(before, after, path);
    } else if (is) {
      change.effect = JudgeAddition(after, path);
    } else {
      change.effect = Opposite(JudgeAddition(before, path));
    }
    changes.push_back(std::move(change));
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
