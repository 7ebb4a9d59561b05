#include "gatekeeper/bundle/ungated_unit.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "agent/base/files.h"
#include "agent/base/status_macros.h"
#include "agent/base/yaml_document.h"
#include "agent/inference/golden.h"
#include "agent/trust/hash.h"
#include "agent/trust/manifest.h"
#include "agent/trust/semantic_version.h"
#include "gatekeeper/bundle/golden_check.h"
#include "gatekeeper/bundle/static_checks.h"

namespace gatekeeper::bundle {
namespace {

namespace fs = std::filesystem;
using agent::base::SourceMap;

constexpr size_t kMaxModel = size_t{2} << 30;  // protobuf, hence ONNX, ends at 2 GiB
constexpr int kFileMode = 0644;

struct Piece {
  std::string path;    // in the unit
  std::string source;  // in the repository
  std::string bytes;
};

absl::Status Wrong(const SourceMap& map, const std::string& key, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrFormat("%s: %s %s", map.Locate(key), key, what));
}

// Narrower than what a manifest may hold: a name that is also a host name and a folder anywhere.
bool IsUnitName(const std::string& name) {
  constexpr size_t kMaxName = 63;
  return !name.empty() && name.size() <= kMaxName && name.front() != '-' && name.back() != '-' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

absl::Status CheckSpec(const SourceMap& map, const v1::ReleaseSpec& spec) {
  if (!IsUnitName(spec.name())) {
    return Wrong(map, "name", "must be 1 to 63 of a-z, 0-9 and '-', is '" + spec.name() + "'");
  }
  if (!agent::trust::IsSemanticVersion(spec.version())) {
    return Wrong(map, "version",
                 "must be a semantic version such as 1.4.0, is '" + spec.version() + "'");
  }
  if (spec.hardware().empty()) {
    return Wrong(map, "hardware", "must list at least one hardware class");
  }
  if (!agent::trust::IsSafetyCase(spec.safety_case())) {
    return Wrong(
        map, "safety_case",
        absl::StrFormat("must be one line of at most %d bytes", agent::trust::kMaxSafetyCase));
  }
  for (const auto& [key, value] :
       {std::pair<std::string, const std::string&>{"model", spec.model()},
        {"model_card", spec.model_card()},
        {"control_policy", spec.control_policy()},
        {"fallback_rules", spec.fallback_rules()}}) {
    if (value.empty()) {
      return Wrong(map, key,
                   "is missing: a unit is model, card, policy and fallback rules together");
    }
  }
  return absl::OkStatus();
}

// Relative to the spec's own folder, and never out of the repository.
absl::StatusOr<std::string> PathInRepository(const SourceMap& map, const std::string& key,
                                             const std::string& spec_path,
                                             const std::string& written) {
  const fs::path whole = (fs::path(spec_path).parent_path() / written).lexically_normal();
  if (fs::path(written).is_absolute() || whole.empty() || *whole.begin() == "..") {
    return Wrong(map, key, "must stay inside the repository, is '" + written + "'");
  }
  return whole.string();
}

// A file that the spec names and the commit does not give, told by the key that names it.
absl::Status Unread(const absl::Status& status, const SourceMap& map, const std::string& key) {
  return absl::Status(status.code(), absl::StrFormat("%s: %s: %s", map.Locate(key), key,
                                                     std::string(status.message())));
}

absl::StatusOr<std::vector<Piece>> ReadPieces(const source::Repository& repository,
                                              const std::string& commit, const SourceMap& map,
                                              const v1::ReleaseSpec& spec,
                                              const std::string& spec_path) {
  struct Wanted {
    const char* key;
    const std::string& written;
    const char* unit_path;
    size_t cap;
  };
  const Wanted wanted[] = {
      {"model_card", spec.model_card(), agent::trust::kCardFile, kMaxDocument},
      {"golden", spec.golden(), agent::trust::kGoldenFile, agent::inference::kMaxGoldenBytes},
      {"model", spec.model(), agent::trust::kModelFile, kMaxModel},
      {"control_policy", spec.control_policy(), agent::trust::kPolicyFile, kMaxDocument},
      {"fallback_rules", spec.fallback_rules(), agent::trust::kFallbackFile, kMaxDocument},
  };
  std::vector<Piece> pieces;
  for (const Wanted& want : wanted) {
    if (want.written.empty()) continue;  // golden answers alone are optional: see CheckSpec
    ASSIGN_OR_RETURN(const std::string path,
                     PathInRepository(map, want.key, spec_path, want.written));
    auto file = repository.ReadFile(commit, path, want.cap);
    if (!file.ok()) return Unread(file.status(), map, want.key);
    pieces.push_back({want.unit_path, path, std::move(file->bytes)});
  }
  return pieces;
}

v1::Manifest MakeManifest(const v1::ReleaseSpec& spec, const std::string& commit,
                          const std::string& spec_path, const std::vector<Piece>& pieces) {
  v1::Manifest manifest;
  manifest.set_schema("manifest/1");
  manifest.set_name(spec.name());
  manifest.set_version(spec.version());
  *manifest.mutable_hardware() = spec.hardware();
  manifest.set_commit(commit);
  manifest.set_spec_path(spec_path);
  manifest.set_safety_case(spec.safety_case());
  for (const Piece& piece : pieces) {  // already sorted by path
    v1::UnitFile& file = *manifest.add_files();
    file.set_path(piece.path);
    file.set_size(piece.bytes.size());
    file.set_sha256(agent::trust::Sha256(piece.bytes).hex());
  }
  return manifest;
}

absl::Status WriteUnit(const std::string& folder, const std::vector<Piece>& pieces,
                       const std::string& manifest) {
  agent::base::OsFiles files;
  for (const Piece& piece : pieces) {
    const std::string path = folder + "/" + piece.path;
    RETURN_IF_ERROR(files.MakeFolders(fs::path(path).parent_path().string()));
    RETURN_IF_ERROR(files.WriteDurably(path, piece.bytes, kFileMode));
  }
  return files.WriteDurably(folder + "/" + agent::trust::kManifestFile, manifest, kFileMode);
}

// Whole or not at all: written beside its place, then renamed.
absl::Status Publish(const std::string& out_folder, const std::vector<Piece>& pieces,
                     const std::string& manifest) {
  agent::base::OsFiles files;
  fs::path target = fs::path(out_folder).lexically_normal();
  if (!target.has_filename()) target = target.parent_path();  // "out/"
  const std::string temporary = absl::StrFormat("%s.%d.tmp", target.string(), getpid());
  if (target.has_parent_path()) RETURN_IF_ERROR(files.MakeFolders(target.parent_path().string()));
  absl::Status status = WriteUnit(temporary, pieces, manifest);
  if (status.ok()) status = files.Rename(temporary, target.string());
  if (!status.ok()) (void)files.RemoveAll(temporary);
  return status;
}

// The optional site is not part of the unit: a robot obeys its policy, and the place that the
// policy was proved for stays where the safety team keeps it.
absl::StatusOr<std::optional<Document>> ReadSite(const source::Repository& repository,
                                                 const std::string& commit, const SourceMap& map,
                                                 const v1::ReleaseSpec& spec,
                                                 const std::string& spec_path) {
  if (spec.site().empty()) return std::optional<Document>();
  ASSIGN_OR_RETURN(const std::string path, PathInRepository(map, "site", spec_path, spec.site()));
  auto file = repository.ReadFile(commit, path, kMaxDocument);
  if (!file.ok()) return Unread(file.status(), map, "site");
  return std::optional<Document>(Document{path, std::move(file->bytes)});
}

// Golden answers stand outside CheckRules: they are the model's, not a rule.
absl::Status CheckGolden(const SourceMap& map, const std::vector<Piece>& pieces) {
  const auto find = [&pieces](const char* path) {
    return std::ranges::find(pieces, path, &Piece::path);
  };
  const auto golden = find(agent::trust::kGoldenFile);
  if (golden == pieces.end()) return absl::OkStatus();
  const absl::Status checked = CheckGoldenFile(golden->bytes, find(agent::trust::kCardFile)->bytes,
                                               find(agent::trust::kPolicyFile)->bytes);
  if (checked.ok()) return checked;
  return absl::Status(checked.code(),
                      absl::StrFormat("%s: golden: %s: %s", map.Locate("golden"), golden->source,
                                      std::string(checked.message())));
}

absl::Status CheckPieces(const std::vector<Piece>& pieces, std::optional<Document> site,
                         const v1::ReleaseSpec& spec) {
  RuleSet rules{.card = {},
                .policy = {},
                .fallback = {},
                .site = std::move(site),
                .hardware = {spec.hardware().begin(), spec.hardware().end()},
                .previous = {}};
  for (const Piece& piece : pieces) {  // named as the person who has to mend it knows it
    const Document document{piece.source, piece.bytes};
    if (piece.path == agent::trust::kCardFile) rules.card = document;
    if (piece.path == agent::trust::kPolicyFile) rules.policy = document;
    if (piece.path == agent::trust::kFallbackFile) rules.fallback = document;
  }
  const std::vector<Diagnostic> found = CheckRules(rules);
  if (found.empty()) return absl::OkStatus();
  std::string text;
  for (const Diagnostic& diagnostic : found) text += "\n  " + ToString(diagnostic);
  return absl::InvalidArgumentError(
      absl::StrFormat("the unit's rules do not hold together (%d finding%s):%s", found.size(),
                      found.size() == 1 ? "" : "s", text));
}

}  // namespace

absl::StatusOr<UngatedUnit> UngatedUnit::Open(const std::string& folder) {
  ASSIGN_OR_RETURN(agent::trust::IntactUnit files, agent::trust::VerifyFiles(folder));
  return UngatedUnit(std::move(files));
}

absl::StatusOr<CommittedSpec> ReadSpec(const source::Repository& repository,
                                       const BuildRequest& request) {
  CommittedSpec spec;
  ASSIGN_OR_RETURN(spec.commit, repository.ResolveCommit(request.commit));
  ASSIGN_OR_RETURN(const source::SourceFile file,
                   repository.ReadFile(spec.commit, request.spec_path, kMaxDocument));
  ASSIGN_OR_RETURN(
      spec.map, agent::base::ReadYaml(file.bytes, request.spec_path, "release/1", spec.document));
  RETURN_IF_ERROR(CheckSpec(spec.map, spec.document));
  return spec;
}

absl::StatusOr<UngatedUnit> BuildUnit(const source::Repository& repository,
                                      const BuildRequest& request) {
  if (agent::base::OsFiles().Exists(request.out_folder)) {
    return absl::FailedPreconditionError(absl::StrFormat(
        "%s exists already; choose another folder or remove it first", request.out_folder));
  }
  RETURN_IF_ERROR(repository.RequireClean());
  ASSIGN_OR_RETURN(const CommittedSpec read, ReadSpec(repository, request));
  const auto& [commit, spec, map] = read;
  ASSIGN_OR_RETURN(const std::vector<Piece> pieces,
                   ReadPieces(repository, commit, map, spec, request.spec_path));
  ASSIGN_OR_RETURN(std::optional<Document> site,
                   ReadSite(repository, commit, map, spec, request.spec_path));
  RETURN_IF_ERROR(CheckPieces(pieces, std::move(site), spec));
  RETURN_IF_ERROR(CheckGolden(map, pieces));
  const v1::Manifest manifest = MakeManifest(spec, commit, request.spec_path, pieces);
  RETURN_IF_ERROR(agent::trust::CheckManifest(manifest));
  RETURN_IF_ERROR(Publish(request.out_folder, pieces, agent::trust::CanonicalManifest(manifest)));
  return UngatedUnit::Open(request.out_folder);
}

}  // namespace gatekeeper::bundle
