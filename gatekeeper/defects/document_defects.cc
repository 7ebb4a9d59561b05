#include "gatekeeper/defects/document_defects.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/trust/manifest.h"
#include "gatekeeper/bundle/flat_document.h"
#include "gatekeeper/defects/document_edits.h"
#include "google/protobuf/util/json_util.h"

namespace gatekeeper::defects {
namespace {

using bundle::Effect;
using bundle::Flat;

// JSON is YAML too, and the strict reader takes it.
absl::StatusOr<std::string> YamlOf(const google::protobuf::Message& document) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto status = google::protobuf::util::MessageToJsonString(document, &text, options);
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the edited document cannot be written: %s", status.ToString()));
  }
  return text + "\n";
}

bool InsideNewOrGone(const Flat& before, const Flat& after, std::string path) {
  for (size_t dot = path.rfind('.'); dot != std::string::npos; dot = path.rfind('.')) {
    path.resize(dot);
    if (before.contains(path) != after.contains(path)) return true;
  }
  return false;
}

struct Change {
  std::string path;
  Effect effect = Effect::kTighter;
};

// The worst of what an edit changes; no path when it changes nothing.
Change WorstChange(const Flat& before, const Flat& after) {
  std::set<std::string> paths;
  for (const auto& [path, value] : before) paths.insert(path);
  for (const auto& [path, value] : after) paths.insert(path);
  Change worst;
  for (const std::string& path : paths) {
    const auto was = before.find(path);
    const auto is = after.find(path);
    if (was != before.end() && is != after.end() && was->second == is->second) continue;
    if (InsideNewOrGone(before, after, path)) continue;
    const Effect effect = bundle::EffectOf(before, after, path);
    const auto badness = [](Effect e) {
      return e == Effect::kLooser ? 2 : e == Effect::kDifferent ? 1 : 0;
    };
    if (worst.path.empty() || badness(effect) > badness(worst.effect)) worst = {path, effect};
  }
  return worst;
}

std::string Value(const Flat& flat, const std::string& path) {
  const auto found = flat.find(path);
  return found == flat.end() ? "-" : found->second;
}

// Sorts edits of one document into defects and others.
template <class Document>
class Sorter {
 public:
  Sorter(const char* file, const Document& document, DocumentDefects& found)
      : file_(file), before_(bundle::Flatten(document)), found_(found) {}

  void Take(const std::string& path, const std::string& what, const Document& edited) {
    const Flat after = bundle::Flatten(edited);
    const Change change = WorstChange(before_, after);
    if (change.path.empty() || !seen_.insert(after).second) {
      ++found_.equal;
      return;
    }
    if (change.effect == Effect::kTighter) {
      ++found_.harmless;
      return;
    }
    auto yaml = YamlOf(edited);
    if (!yaml.ok()) {
      status_ = yaml.status();
      return;
    }
    found_.defects.push_back({.file = file_,
                              .path = path,
                              .what = what,
                              .before = Value(before_, change.path),
                              .after = Value(after, change.path),
                              .effect = change.effect,
                              .yaml = *std::move(yaml)});
  }
  const absl::Status& status() const { return status_; }

 private:
  std::string file_;
  Flat before_;
  DocumentDefects& found_;
  std::set<Flat> seen_;
  absl::Status status_;
};

}  // namespace

absl::StatusOr<DocumentDefects> SeedDocuments(const v1::ControlPolicy& policy,
                                              const v1::FallbackRules& fallback) {
  DocumentDefects found;
  Sorter<v1::ControlPolicy> policies(agent::trust::kPolicyFile, policy, found);
  EditPolicy(policy, fallback,
             [&](const std::string& path, const std::string& what,
                 const v1::ControlPolicy& edited) { policies.Take(path, what, edited); });
  RETURN_IF_ERROR(policies.status());
  Sorter<v1::FallbackRules> fallbacks(agent::trust::kFallbackFile, fallback, found);
  EditFallback(fallback,
               [&](const std::string& path, const std::string& what,
                   const v1::FallbackRules& edited) { fallbacks.Take(path, what, edited); });
  RETURN_IF_ERROR(fallbacks.status());
  std::sort(found.defects.begin(), found.defects.end(),
            [](const DocumentDefect& a, const DocumentDefect& b) {
              return std::tie(a.file, a.path, a.what) < std::tie(b.file, b.path, b.what);
            });
  return found;
}

}  // namespace gatekeeper::defects
