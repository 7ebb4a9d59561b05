#include "gatekeeper/report/place.h"

#include <filesystem>
#include <string_view>
#include <system_error>

#include "absl/strings/str_format.h"

namespace gatekeeper::report {
namespace {

namespace fs = std::filesystem;

std::string EscapePath(const std::string& path) {
  constexpr char kPlain[] = "-._~/";
  std::string out;
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view(kPlain).find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : absl::StrFormat("%%%02X", static_cast<unsigned char>(c));
  }
  return out;
}

fs::path Whole(const std::string& path, const Place& place) {
  return (fs::path("/") / place.folder / path).lexically_normal();
}

constexpr std::string_view kCorpusIds = "corpus/";  // how ids of its clips begin

fs::path FromRoot(const SourceFile& file) {
  return file.root == nullptr ? fs::path(file.path) : fs::path(file.root->path) / file.path;
}

fs::path Below(const fs::path& path, const Place& place) {
  const fs::path below = Whole(path.string(), place).lexically_relative(Whole("", place));
  return below.empty() || *below.begin() == ".." ? fs::path() : below;
}

// Relative to the working folder; empty for what lies outside.
fs::path BelowFolder(const SourceFile& file, const Place& place) {
  const fs::path path = FromRoot(file);
  if (place.folder.empty() && path.is_absolute()) return {};
  const fs::path below = Below(path, place);
  if (!below.empty() || !path.is_absolute()) return below;
  // The way to the working folder may have been written through a link.
  std::error_code error;
  const fs::path real = fs::weakly_canonical(path.parent_path(), error);
  return error ? fs::path() : Below(real / path.filename(), place);
}

// Gates that look at the unit's own files name them as the unit does.
bool NamesUnitFile(const v1::GateResult& gate, const v1::Finding& finding, const Place& place) {
  return (gate.id() == "integrity" || gate.id() == "static_policy") &&
         finding.file() != place.unit.path;
}

}  // namespace

SourceFile FileOf(const v1::GateReport& report, const v1::GateResult& gate,
                  const v1::Finding& finding, const Place& place) {
  if (!finding.file().empty()) {
    if (NamesUnitFile(gate, finding, place)) return {finding.file(), &place.unit};
    return {finding.file(), finding.file() == place.unit.path ? nullptr : &place.policy};
  }
  if (finding.scenario().empty()) return {};
  for (const v1::InputRef& input : report.inputs()) {
    if (input.id() != finding.scenario()) continue;
    const bool in_corpus = input.id().starts_with(kCorpusIds);
    return {input.file(), in_corpus ? &place.policy : &place.scenarios};
  }
  return {};
}

std::string SourceUri(const SourceFile& file, const Place& place) {
  const fs::path below = BelowFolder(file, place);
  if (!below.empty()) return EscapePath(below.generic_string());
  return "file://" + EscapePath(Whole(FromRoot(file).string(), place).generic_string());
}

std::string PathInCheckout(const SourceFile& file, const Place& place) {
  if (file.path.empty() || (file.root != nullptr && file.root->elsewhere)) return "";
  return BelowFolder(file, place).generic_string();
}

std::string FolderUri(const std::string& folder) {
  const std::string path = EscapePath(fs::path(folder).lexically_normal().generic_string());
  return "file://" + path + (path.ends_with('/') ? "" : "/");
}

std::string LinkTo(const std::string& path, const Place& place) {
  const fs::path from = Whole(place.file, place).parent_path();
  return EscapePath(Whole(path, place).lexically_relative(from).generic_string());
}

}  // namespace gatekeeper::report
