#include "gatekeeper/cli/scenario_origin.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "agent/base/status_macros.h"
#include "agent/trust/hash.h"
#include "gatekeeper/gates/scenario_file.h"
#include "nlohmann/json.hpp"

namespace gatekeeper::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kMostNotes = 50;
constexpr size_t kLongestNote = 500;

absl::StatusOr<agent::base::Digest> DigestOfFolder(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, error)) {
    std::error_code ignored;
    if (entry.is_regular_file(ignored)) names.push_back(entry.path().filename().string());
  }
  if (error) return absl::UnavailableError(folder + ": " + error.message());
  std::sort(names.begin(), names.end());
  std::string lines;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(const agent::base::Digest digest,
                     agent::trust::Sha256File((fs::path(folder) / name).string()));
    absl::StrAppend(&lines, digest.hex(), "  ", name, "\n");
  }
  return agent::trust::Sha256(lines);
}

// As YAML and JSON both write text, on one line.
std::string Quoted(const std::string& text) {
  return nlohmann::json(text.substr(0, kLongestNote))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string OriginText(const v1::Origin& origin) {
  std::string text = absl::StrCat(
      "origin:\n  file: ", Quoted(origin.file()), "\n  sha256: ", origin.sha256(),
      "\n  map_sha256: ", origin.map_sha256(), "\n  program: ", Quoted(origin.program()), "\n");
  if (origin.notes().empty()) return text;
  absl::StrAppend(&text, "  notes:\n");
  for (int i = 0; i < std::min(origin.notes_size(), kMostNotes); ++i)
    absl::StrAppend(&text, "    - ", Quoted(origin.notes(i)), "\n");
  if (origin.notes_size() > kMostNotes)
    absl::StrAppend(&text, "    - \"and ", origin.notes_size() - kMostNotes, " more\"\n");
  return text;
}

}  // namespace

absl::StatusOr<v1::Origin> OriginOf(const std::string& path, const ingest::RecordingFile& file) {
  std::error_code absent;
  ASSIGN_OR_RETURN(const agent::base::Digest digest, fs::is_directory(path, absent)
                                                         ? DigestOfFolder(path)
                                                         : agent::trust::Sha256File(path));
  v1::Origin origin;
  origin.set_file(path);
  origin.set_sha256(digest.hex());
  for (const std::string& note : file.facts().notes)
    origin.add_notes(absl::StrCat(gates::kDamage, note));
  if (file.facts().checksums != "all") {
    origin.add_notes(absl::StrCat(
        gates::kDamage, file.facts().checksums == "none" ? "none" : "only some",
        " of its bytes are under a checksum: what changed since it was recorded is not seen"));
  }
  return origin;
}

double LengthOf(const ingest::Imported& imported) {
  return (std::floor(static_cast<double>(imported.last_ns - imported.first_ns) * 1e-6) + 1) * 1e-3;
}

std::string ImportedScenario(const std::string& recording, const agent::base::Digest& sha256,
                             const ingest::Imported& imported, const std::vector<std::string>& tags,
                             const v1::Origin& origin) {
  const fs::path path(recording);
  return absl::StrFormat(
      "schema: scenario/1\n"
      "id: %s\n"
      "recording: %s\n"
      "sha256: %s\n"
      "%s"
      "segments:\n"
      "  - {from_s: 0, to_s: %.3f, tags: [%s]}\n",
      path.stem().string(), path.filename().string(), sha256.hex(), OriginText(origin),
      LengthOf(imported), absl::StrJoin(tags, ", "));
}

}  // namespace gatekeeper::cli
