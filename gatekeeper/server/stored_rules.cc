#include "gatekeeper/server/stored_rules.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "agent/base/status_macros.h"
#include "agent/trust/manifest.h"

namespace gatekeeper::server {
namespace {

constexpr size_t kMaxDocument = size_t{1} << 20;

absl::StatusOr<bundle::Document> ReadDocument(const store::Unit& unit, const v1::Manifest& manifest,
                                              const store::BlobFolder& blobs, const char* path) {
  const auto lost = [&](const std::string& what) {
    return absl::DataLossError(absl::StrFormat("%s of %s: %s", path, unit.title(), what));
  };
  const auto file = std::ranges::find(manifest.files(), path, &v1::UnitFile::path);
  if (file == manifest.files().end()) return lost("its manifest lists no such file");
  const auto reader = blobs.Read(file->sha256());
  if (!reader.ok()) return lost(std::string(reader.status().message()));
  if ((*reader)->size() > kMaxDocument) return lost("larger than a document may be");
  ASSIGN_OR_RETURN(std::string text, (*reader)->ReadAt(0, (*reader)->size()));
  return bundle::Document{.file = unit.title() + ":" + path, .text = std::move(text)};
}

}  // namespace

absl::StatusOr<bundle::RuleSet> StoredRules(const store::Unit& unit,
                                            const store::BlobFolder& blobs) {
  ASSIGN_OR_RETURN(const v1::Manifest manifest,
                   agent::trust::ParseManifest(unit.papers.manifest()));
  bundle::RuleSet rules;
  ASSIGN_OR_RETURN(rules.card, ReadDocument(unit, manifest, blobs, agent::trust::kCardFile));
  ASSIGN_OR_RETURN(rules.policy, ReadDocument(unit, manifest, blobs, agent::trust::kPolicyFile));
  ASSIGN_OR_RETURN(rules.fallback,
                   ReadDocument(unit, manifest, blobs, agent::trust::kFallbackFile));
  rules.hardware.assign(manifest.hardware().begin(), manifest.hardware().end());
  return rules;
}

}  // namespace gatekeeper::server
