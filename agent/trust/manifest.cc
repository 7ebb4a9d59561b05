#include "agent/trust/manifest.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "agent/base/digest.h"
#include "agent/base/status_macros.h"
#include "agent/base/strict_json.h"
#include "agent/trust/json_fields.h"
#include "agent/trust/semantic_version.h"

namespace agent::trust {
namespace {

namespace v1 = ::gatekeeper::v1;
using Json = nlohmann::json;

constexpr char kManifestSchema[] = "manifest/1";
constexpr size_t kMaxPathBytes = 512;
constexpr size_t kMaxPartBytes = 255;  // what file systems allow
constexpr size_t kMaxNameBytes = 64;
constexpr int kMaxHardware = 64;
constexpr size_t kCommitDigits = 40;
constexpr std::array kWantedFiles = {kModelFile, kCardFile, kPolicyFile, kFallbackFile};

absl::Status BadManifest(const std::string& why) {
  return absl::InvalidArgumentError("manifest.json: " + why);
}

std::string Quote(std::string_view text) {
  return "'" + absl::CHexEscape(std::string(text.substr(0, 128))) + "'";
}

bool IsPartCharacter(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-' ||
         c == '+';
}

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         absl::ascii_isalnum(static_cast<unsigned char>(name.front())) &&
         std::all_of(name.begin(), name.end(), IsPartCharacter);
}

bool IsCommit(std::string_view text) {
  return text.size() == kCommitDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// UTF-8 on one line, to be shown to people.
bool IsLine(const std::string& text) {
  try {
    Json(text).dump();  // throws when it is not UTF-8
  } catch (const Json::exception&) {
    return false;
  }
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

// A path of the git repository the unit came from: never opened here.
bool IsSpecPath(const std::string& path) {
  if (path.empty() || path.size() > kMaxPathBytes || path.front() == '/') return false;
  const std::vector<std::string> parts = absl::StrSplit(path, '/');
  return IsLine(path) && std::find(parts.begin(), parts.end(), "..") == parts.end();
}

absl::Status CheckHead(const v1::Manifest& manifest) {
  if (manifest.schema() != kManifestSchema) {
    return BadManifest("schema " + Quote(manifest.schema()) + "; wanted manifest/1");
  }
  if (!IsName(manifest.name())) {
    return BadManifest("name " + Quote(manifest.name()) +
                       "; wanted 1 to 64 of letters, digits, '.', '_', '-' and '+'");
  }
  if (!IsSemanticVersion(manifest.version())) {
    return BadManifest("version " + Quote(manifest.version()) +
                       "; wanted a semantic version like 1.4.0");
  }
  if (!IsCommit(manifest.commit())) {
    return BadManifest("commit " + Quote(manifest.commit()) + "; wanted 40 lower-case hex digits");
  }
  if (!IsSpecPath(manifest.spec_path())) {
    return BadManifest("spec_path " + Quote(manifest.spec_path()) +
                       "; wanted a path inside the repository");
  }
  if (!IsSafetyCase(manifest.safety_case())) {
    return BadManifest("safety_case " + Quote(manifest.safety_case()) +
                       absl::StrFormat("; wanted one line of at most %d bytes", kMaxSafetyCase));
  }
  std::set<std::string> seen;
  for (const std::string& hardware : manifest.hardware()) {
    if (!IsName(hardware) || !seen.insert(hardware).second || seen.size() > kMaxHardware) {
      return BadManifest("hardware " + Quote(hardware) +
                         " is not a name, is repeated, or is one of too many");
    }
  }
  return absl::OkStatus();
}

// File systems that fold case must not merge two paths, and no file may be another's folder.
absl::Status CheckTwins(const v1::Manifest& manifest) {
  std::map<std::string, std::string>
      spelling;                   // folded path of a file or folder -> as first written
  std::set<std::string> files;    // folded
  std::set<std::string> folders;  // folded
  for (const v1::UnitFile& file : manifest.files()) {
    const std::string& path = file.path();
    for (size_t end = path.find('/');; end = path.find('/', end + 1)) {
      const std::string part = path.substr(0, end);
      const std::string folded = absl::AsciiStrToLower(part);
      if (spelling.emplace(folded, part).first->second != part) {
        return BadManifest(Quote(part) + " differs from " + Quote(spelling[folded]) +
                           " only in case");
      }
      (end == std::string::npos ? files : folders).insert(folded);
      if (end == std::string::npos) break;
    }
  }
  for (const std::string& file : files) {
    if (folders.contains(file)) return BadManifest(Quote(file) + " is both a file and a folder");
  }
  return absl::OkStatus();
}

absl::Status CheckFile(const v1::UnitFile& file) {
  RETURN_IF_ERROR(CheckUnitPath(file.path()));
  const std::string folded = absl::AsciiStrToLower(file.path());
  if (folded == kManifestFile || folded == "seal" || folded.starts_with("seal/")) {
    return BadManifest(Quote(file.path()) +
                       " may not be listed: manifest.json and seal/ stand outside");
  }
  if (file.size() > kMaxUnitFileBytes) {
    return BadManifest(absl::StrFormat("%s has %d bytes; at most %d", Quote(file.path()),
                                       file.size(), kMaxUnitFileBytes));
  }
  if (!base::Digest::Parse(file.sha256()).ok()) {
    return BadManifest("sha256 of " + Quote(file.path()) + " is not 64 lower-case hex digits");
  }
  return absl::OkStatus();
}

absl::Status CheckNothingMissing(const v1::Manifest& manifest) {
  for (const char* wanted : kWantedFiles) {
    if (!HasFile(manifest, wanted)) {
      return BadManifest(std::string(wanted) +
                         " is missing: a unit is model, card, policy and fallback rules");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckFiles(const v1::Manifest& manifest) {
  if (manifest.files_size() > kMaxUnitFiles) {
    return BadManifest(
        absl::StrFormat("%d files; at most %d", manifest.files_size(), kMaxUnitFiles));
  }
  std::string before;
  for (const v1::UnitFile& file : manifest.files()) {
    RETURN_IF_ERROR(CheckFile(file));
    if (file.path() <= before) {
      return BadManifest(Quote(file.path()) +
                         " is repeated or out of order; wanted files sorted by path");
    }
    before = file.path();
  }
  RETURN_IF_ERROR(CheckNothingMissing(manifest));
  return CheckTwins(manifest);
}

absl::StatusOr<std::string> Text(const Json& object, const char* field) {
  if (object[field].is_string()) return object[field].get<std::string>();
  return BadManifest(std::string(field) + " wants text");
}

absl::StatusOr<v1::UnitFile> ReadFile(const Json& entry) {
  if (!HasFields(entry, {"path", "sha256", "size"}) || !entry["size"].is_number_unsigned()) {
    return BadManifest("each file wants exactly path, sha256 and a whole size");
  }
  v1::UnitFile file;
  ASSIGN_OR_RETURN(*file.mutable_path(), Text(entry, "path"));
  ASSIGN_OR_RETURN(*file.mutable_sha256(), Text(entry, "sha256"));
  file.set_size(entry["size"].get<uint64_t>());
  return file;
}

absl::StatusOr<v1::Manifest> ReadManifest(const Json& json) {
  const bool has_case = json.is_object() && json.contains("safety_case");
  const bool fields = has_case ? HasFields(json, {"commit", "files", "hardware", "name",
                                                  "safety_case", "schema", "spec_path", "version"})
                               : HasFields(json, {"commit", "files", "hardware", "name", "schema",
                                                  "spec_path", "version"});
  if (!fields || !json["files"].is_array() || !json["hardware"].is_array()) {
    return BadManifest(
        "wanted exactly commit, files, hardware, name, schema, spec_path, version and at most a "
        "safety_case");
  }
  v1::Manifest manifest;
  ASSIGN_OR_RETURN(*manifest.mutable_schema(), Text(json, "schema"));
  ASSIGN_OR_RETURN(*manifest.mutable_name(), Text(json, "name"));
  ASSIGN_OR_RETURN(*manifest.mutable_version(), Text(json, "version"));
  ASSIGN_OR_RETURN(*manifest.mutable_commit(), Text(json, "commit"));
  ASSIGN_OR_RETURN(*manifest.mutable_spec_path(), Text(json, "spec_path"));
  if (has_case) {
    ASSIGN_OR_RETURN(*manifest.mutable_safety_case(), Text(json, "safety_case"));
  }
  for (const Json& hardware : json["hardware"]) {
    if (!hardware.is_string()) return BadManifest("hardware wants a list of text");
    manifest.add_hardware(hardware.get<std::string>());
  }
  for (const Json& entry : json["files"]) {
    ASSIGN_OR_RETURN(*manifest.add_files(), ReadFile(entry));
  }
  return manifest;
}

}  // namespace

absl::Status CheckUnitPath(std::string_view path) {
  const auto refuse = [path](const char* why) {
    return BadManifest("path " + Quote(path) + " " + why);
  };
  if (path.empty() || path.size() > kMaxPathBytes)
    return refuse("is empty or longer than 512 bytes");
  const std::vector<std::string> parts =
      absl::StrSplit(absl::string_view(path.data(), path.size()), '/');
  for (const std::string& part : parts) {
    if (part.empty() || part == "." || part == ".." || part.size() > kMaxPartBytes) {
      return refuse("is absolute or has a part that is empty, '.', '..' or too long");
    }
    if (!std::all_of(part.begin(), part.end(), IsPartCharacter)) {
      return refuse("holds more than letters, digits, '.', '_', '-' and '+'");
    }
  }
  return absl::OkStatus();
}

bool IsSafetyCase(const std::string& text) { return text.size() <= kMaxSafetyCase && IsLine(text); }

bool HasFile(const v1::Manifest& manifest, std::string_view path) {
  return std::any_of(manifest.files().begin(), manifest.files().end(),
                     [path](const v1::UnitFile& file) { return file.path() == path; });
}

absl::Status CheckManifest(const v1::Manifest& manifest) {
  RETURN_IF_ERROR(CheckHead(manifest));
  return CheckFiles(manifest);
}

std::string CanonicalManifest(const v1::Manifest& manifest) {
  Json files = Json::array();
  for (const v1::UnitFile& file : manifest.files()) {
    files.push_back({{"path", file.path()}, {"sha256", file.sha256()}, {"size", file.size()}});
  }
  Json hardware = Json::array();
  for (const std::string& name : manifest.hardware()) hardware.push_back(name);
  Json json = {{"schema", manifest.schema()},
               {"name", manifest.name()},
               {"version", manifest.version()},
               {"hardware", hardware},
               {"commit", manifest.commit()},
               {"spec_path", manifest.spec_path()},
               {"files", files}};
  // Absent when there is none: units from before there was one keep their digests.
  if (!manifest.safety_case().empty()) json["safety_case"] = manifest.safety_case();
  return base::CanonicalJson(json);
}

absl::StatusOr<v1::Manifest> ParseManifest(std::string_view bytes) {
  if (bytes.size() > kMaxManifestBytes) {
    return BadManifest(absl::StrFormat("%d bytes; at most %d", bytes.size(), kMaxManifestBytes));
  }
  ASSIGN_OR_RETURN(const Json json, base::ParseStrictJson(bytes, kManifestFile));
  ASSIGN_OR_RETURN(const v1::Manifest manifest, ReadManifest(json));
  RETURN_IF_ERROR(CheckManifest(manifest));
  if (CanonicalManifest(manifest) != bytes) {
    return BadManifest(
        "not in canonical form (keys sorted, no spaces, no line end, plain integers)");
  }
  return manifest;
}

}  // namespace agent::trust
