#include "gatekeeper/bundle/policy_folder.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"

namespace gatekeeper::bundle {
namespace {

namespace fs = std::filesystem;

constexpr char kRelease[] = "release/1";
constexpr char kPolicy[] = "control_policy/1";
constexpr char kFallback[] = "fallback_rules/1";
constexpr char kCard[] = "model_card/1";
constexpr char kSite[] = "site/1";

using BySchema = std::map<std::string, std::vector<Document>>;

// The word after "schema:" at the start of a line, as ReadYaml will insist on; empty without one.
std::string SchemaOf(const std::string& text) {
  constexpr std::string_view kKey = "schema:";
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    if (text.compare(at, kKey.size(), kKey) == 0) {
      const size_t from = text.find_first_not_of(" \"'", at + kKey.size());
      const size_t to = text.find_first_of(" \"'#\r\n", from);
      return from == std::string::npos ? "" : text.substr(from, to - from);
    }
    if (text.find('\n', at) == std::string::npos) break;
  }
  return "";
}

bool IsKnown(const std::string& schema) {
  return schema == kRelease || schema == kPolicy || schema == kFallback || schema == kCard ||
         schema == kSite;
}

absl::StatusOr<Document> Read(const fs::path& path) {
  ASSIGN_OR_RETURN(std::string text, agent::base::OsFiles().Read(path.string(), kMaxDocument));
  return Document{path.string(), std::move(text)};
}

absl::StatusOr<BySchema> ReadFolder(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".yaml") paths.push_back(it->path());
  }
  if (error) return absl::NotFoundError(folder.string() + ": " + error.message());
  std::sort(paths.begin(), paths.end());
  BySchema found;
  for (const fs::path& path : paths) {
    ASSIGN_OR_RETURN(Document document, Read(path));
    const std::string schema = SchemaOf(document.text);
    if (IsKnown(schema)) found[schema].push_back(std::move(document));
  }
  if (found.empty()) {
    return absl::NotFoundError(folder.string() + " holds no policy, fallback rules, card or site");
  }
  return found;
}

absl::StatusOr<RuleSet> SetOf(const Document& release) {
  v1::ReleaseSpec spec;
  RETURN_IF_ERROR(agent::base::ReadYaml(release.text, release.file, kRelease, spec).status());
  RuleSet set;
  const fs::path folder = fs::path(release.file).parent_path();
  const std::pair<const std::string&, std::optional<Document>&> parts[] = {
      {spec.model_card(), set.card},
      {spec.control_policy(), set.policy},
      {spec.fallback_rules(), set.fallback},
      {spec.site(), set.site}};
  for (const auto& [written, document] : parts) {
    if (written.empty()) continue;
    const auto read = Read((folder / written).lexically_normal());
    if (!read.ok()) {
      return absl::Status(read.status().code(),
                          absl::StrFormat("%s names '%s': %s", release.file, written,
                                          std::string(read.status().message())));
    }
    document = *read;
  }
  set.hardware.assign(spec.hardware().begin(), spec.hardware().end());
  return set;
}

absl::Status One(const BySchema& found, const char* schema, std::optional<Document>& document) {
  const auto list = found.find(schema);
  if (list == found.end()) return absl::OkStatus();
  if (list->second.size() > 1) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s and %s are both %s: name the files that belong together, or add a release/1 file that "
        "does",
        list->second[0].file, list->second[1].file, schema));
  }
  document = list->second[0];
  return absl::OkStatus();
}

absl::Status AddSets(const BySchema& found, std::vector<RuleSet>& sets) {
  if (const auto releases = found.find(kRelease); releases != found.end()) {
    for (const Document& release : releases->second) {
      ASSIGN_OR_RETURN(RuleSet set, SetOf(release));
      sets.push_back(std::move(set));
    }
    return absl::OkStatus();
  }
  if (found.size() == 1 && found.begin()->first == kSite) {  // a folder of sites: each for itself
    for (const Document& site : found.begin()->second) sets.emplace_back().site = site;
    return absl::OkStatus();
  }
  RuleSet set;
  RETURN_IF_ERROR(One(found, kPolicy, set.policy));
  RETURN_IF_ERROR(One(found, kFallback, set.fallback));
  RETURN_IF_ERROR(One(found, kSite, set.site));
  const auto cards = found.find(kCard);
  if (!set.policy && (set.fallback || cards != found.end())) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s is judged against a control policy: name that too, or the folder with both",
        set.fallback ? set.fallback->file : cards->second[0].file));
  }
  if (cards == found.end()) {
    sets.push_back(std::move(set));
    return absl::OkStatus();
  }
  for (const Document& card : cards->second) {
    set.card = card;
    sets.push_back(set);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<RuleSet>> FindRuleSets(const std::vector<std::string>& paths) {
  std::vector<RuleSet> sets;
  BySchema files;
  for (const std::string& path : paths) {
    std::error_code error;
    if (fs::is_directory(path, error)) {
      ASSIGN_OR_RETURN(const BySchema found, ReadFolder(path));
      RETURN_IF_ERROR(AddSets(found, sets));
      continue;
    }
    ASSIGN_OR_RETURN(Document document, Read(path));
    const std::string schema = SchemaOf(document.text);
    if (!IsKnown(schema)) {
      return absl::InvalidArgumentError(
          absl::StrFormat("%s:1:1: schema must be %s, %s, %s, %s or %s, is '%s'", path, kPolicy,
                          kFallback, kCard, kSite, kRelease, schema));
    }
    files[schema].push_back(std::move(document));
  }
  std::optional<Document> site;
  RETURN_IF_ERROR(One(files, kSite, site));
  const bool alone = files.size() == 1 && site;  // a site beside folders is their site only
  if (!files.empty() && !(alone && !sets.empty())) RETURN_IF_ERROR(AddSets(files, sets));
  for (RuleSet& set : sets) {
    if (!set.site) set.site = site;
  }
  return sets;
}

}  // namespace gatekeeper::bundle
